//! `ndshm save`.

use ndshm_array::inspect::{Contents, SegmentFile, WholeError};
use serde::Serialize;

use crate::bar;
use crate::cli::{Common, Save};
use crate::outcome::{Failure, Outcome, Verdict};
use crate::output::{print, print_json, warn};
use crate::size::human;
use crate::target::{Target, find};

#[derive(Serialize)]
struct Saved {
    file: String,
    bytes: u64,
    /// Made under a claim on all of it, with nothing poisoned.
    consistent: bool,
    why_not: Option<String>,
}

pub(crate) fn run(common: &Common, given: &Save) -> Outcome {
    let source = match find(&given.name, common.dir.as_deref())? {
        Target::Segment(info) => SegmentFile::open_no_follow(info.path())?,
        Target::File(path) => SegmentFile::open(path)?,
    };
    let Contents::Array(array) = source.contents() else {
        return Err(Failure::new(format_args!(
            "{}: holds {}, which no .npy file can; save an array",
            source.path().display(),
            source.contents().name()
        )));
    };
    let bar = bar::bytes(array.data_len, given.file.display().to_string(), common.json);
    let write = || source.save(&given.file, |done| bar.set_position(done));

    let why_not = if array.is_live {
        let written = source.whole(given.timeout, |poisoned| match poisoned {
            [] => write().map(|()| None).map_err(Failure::from),
            [first, ..] => {
                let why = format!("{first}: those rows may be half-changed");
                if given.anyway {
                    write().map(|()| Some(why)).map_err(Failure::from)
                } else {
                    refused(&source, &why)
                }
            }
        });
        match written {
            Ok(written) => written?,
            Err(why) if given.anyway => {
                let why = no_claim(&why);
                write()?;
                Some(why)
            }
            Err(why) => refused(&source, &no_claim(&why))?,
        }
    } else {
        write()?;
        None
    };
    bar.finish_and_clear();

    let verdict = if why_not.is_none() { Verdict::Fine } else { Verdict::Found };
    if let Some(why) = &why_not {
        warn(format_args!("{}: may not be consistent: {why}", given.file.display()));
    }
    let file = given.file.display().to_string();
    if common.json {
        let consistent = why_not.is_none();
        print_json(&Saved { file, bytes: array.data_len, consistent, why_not })?;
    } else {
        print(&format!("saved {file} ({})\n", human(array.data_len)))?;
    }
    Ok(verdict)
}

fn no_claim(why: &WholeError) -> String {
    format!("no claim on the whole array was to be had: {why}")
}

fn refused<T>(source: &SegmentFile, why: &str) -> Result<T, Failure> {
    Err(Failure::new(format_args!(
        "{}: not saved: {why}; give more --timeout, or --anyway",
        source.path().display()
    )))
}
