//! The segments that are there: orphans, damage, what the dead left locked or half-written.

use super::Finding;
use crate::cli::Common;
use crate::commands;
use crate::model::{Kind, Segment, State};
use crate::size::human;

const SECTION: &str = "segments";

pub(super) fn examine(common: &Common) -> Vec<Finding> {
    let Ok(segments) = commands::all(common) else {
        return Vec::new(); // The directory has been complained of already.
    };
    let mut findings = vec![summary(&segments)];
    let orphans: Vec<_> = segments.iter().filter(|s| s.state == State::Orphaned).collect();
    if !orphans.is_empty() {
        let bytes = orphans.iter().filter_map(|s| s.file.as_ref()).map(|f| f.reserved).sum();
        let what = match orphans[..] {
            [one] => format!(
                "{} is an orphan: its creator was killed; it takes {}",
                one.name,
                human(bytes)
            ),
            _ => format!(
                "{} orphans, whose creators were killed, take {}",
                orphans.len(),
                human(bytes)
            ),
        };
        findings.push(Finding::warn(
            SECTION,
            what,
            "`ndshm gc` removes them; look first with `ndshm ls`",
        ));
    }
    for segment in segments.iter().filter(|s| s.is_harmed()) {
        findings.push(harm(segment));
    }
    findings
}

fn summary(segments: &[Segment]) -> Finding {
    let reserved: u64 = segments.iter().filter_map(|s| s.file.as_ref()).map(|f| f.reserved).sum();
    let live = segments.iter().filter(|s| s.file.as_ref().is_some_and(|f| f.in_use)).count();
    let what = match segments.len() {
        0 => "no segments".to_owned(),
        1 => format!("1 segment, {live} in use, {}", human(reserved)),
        n => format!("{n} segments, {live} in use, {} in all", human(reserved)),
    };
    Finding::ok(SECTION, what)
}

fn harm(segment: &Segment) -> Finding {
    let name = &segment.name;
    match &segment.problem {
        Some(problem) if segment.kind == Kind::Damaged => {
            Finding::warn(SECTION, problem, format!("`ndshm rm {name}`, and make it anew"))
        }
        _ => {
            let harm: Vec<_> =
                segment.holds().into_iter().filter(|h| h.harm).map(|h| h.text).collect();
            let remedy = "the next who claims them (or locks it) is told: mend them there and `clear_poison`, or remove the segment";
            Finding::warn(SECTION, format!("{name}: {}", harm.join("; ")), remedy)
        }
    }
}
