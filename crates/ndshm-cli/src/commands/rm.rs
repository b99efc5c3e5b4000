//! `ndshm rm`.

use serde::Serialize;

use crate::cli::{Common, Rm};
use crate::outcome::{Outcome, Verdict};
use crate::output::{print, print_json, warn};
use crate::size::human;
use crate::target::options;

#[derive(Serialize)]
struct Removed {
    removed: Vec<Name>,
    /// In use, and left.
    kept: Vec<Name>,
}

#[derive(Serialize)]
struct Name {
    name: String,
    bytes: u64,
}

pub(crate) fn run(common: &Common, given: &Rm) -> Outcome {
    let options = options(common.dir.as_deref());
    let mut done = Removed { removed: Vec::new(), kept: Vec::new() };
    // All of them are looked at before the first one goes.
    let found = given.names.iter().map(|name| options.info(name));
    for segment in found.collect::<Result<Vec<_>, _>>()? {
        let name = Name { name: segment.name().to_owned(), bytes: segment.len() };
        if segment.is_in_use() && !given.force {
            warn(format_args!(
                "{}: is in use, and stays; end who has it (`ndshm info {}`), or give --force",
                segment.path().display(),
                name.name
            ));
            done.kept.push(name);
        } else {
            options.remove(&name.name)?;
            if !common.json {
                print(&format!("removed {} ({})\n", name.name, human(name.bytes)))?;
            }
            done.removed.push(name);
        }
    }
    if common.json {
        print_json(&done)?;
    }
    Ok(if done.kept.is_empty() { Verdict::Fine } else { Verdict::Found })
}
