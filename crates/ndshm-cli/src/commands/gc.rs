//! `ndshm gc`.

use ndshm_buffer::SegmentInfo;
use serde::Serialize;

use crate::cli::Common;
use crate::outcome::{Outcome, Verdict};
use crate::output::{print, print_json};
use crate::screen::{Screen, Style};
use crate::size::human;
use crate::target::options;

#[derive(Serialize)]
struct Collected {
    dry_run: bool,
    removed: Vec<Orphan>,
    bytes: u64,
}

#[derive(Serialize)]
struct Orphan {
    name: String,
    bytes: u64,
    reserved: u64,
}

pub(crate) fn run(common: &Common, dry_run: bool) -> Outcome {
    let options = options(common.dir.as_deref());
    let found = if dry_run {
        options.list()?.into_iter().filter(SegmentInfo::is_orphan).collect()
    } else {
        options.gc()?
    };
    let removed: Vec<_> = found
        .iter()
        .map(|s| Orphan { name: s.name().to_owned(), bytes: s.len(), reserved: s.reserved() })
        .collect();
    let bytes = removed.iter().map(|orphan| orphan.reserved).sum();
    if common.json {
        print_json(&Collected { dry_run, removed, bytes })?;
        return Ok(Verdict::Fine);
    }
    let what = if dry_run { "would remove" } else { "removed" };
    let mut text = String::new();
    for orphan in &removed {
        text.push_str(&format!("{what} {} ({})\n", orphan.name, human(orphan.bytes)));
    }
    let screen = Screen::of_stdout();
    if screen.is_terminal() {
        let sum = match removed.len() {
            0 => "no orphans".to_owned(),
            n => format!("{what} {n}, {} of memory", human(bytes)),
        };
        text.push_str(&(screen.paint(Style::Faint, &sum) + "\n"));
    }
    print(&text)?;
    Ok(Verdict::Fine)
}
