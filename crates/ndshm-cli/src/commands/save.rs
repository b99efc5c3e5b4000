//! `ndshm save`.

use ndshm_array::PoisonedPart;
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
        // Within the claim, where it is to be had.
        let written = source.whole(given.timeout, |poisoned| match poisoned.first() {
            None => write().map(|()| None).map_err(Failure::from),
            Some(part) if given.anyway => {
                write().map(|()| Some(half_changed(part))).map_err(Failure::from)
            }
            Some(part) => Err(refused(&source, &half_changed(part), "mend them, or give --anyway")),
        });
        match written {
            Ok(written) => written?,
            Err(why) if given.anyway => {
                write()?;
                Some(no_claim(&why))
            }
            Err(why) => {
                return Err(refused(&source, &no_claim(&why), "give more --timeout, or --anyway"));
            }
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

fn half_changed(part: &PoisonedPart) -> String {
    format!("{part}: those rows may be half-changed")
}

fn no_claim(why: &WholeError) -> String {
    format!("no claim on the whole array was to be had: {why}")
}

fn refused(source: &SegmentFile, why: &str, remedy: &str) -> Failure {
    Failure::new(format_args!("{}: not saved: {why}; {remedy}", source.path().display()))
}
