//! What one process may have.

use rustix::process::{Resource, getrlimit};

use super::Finding;
use crate::size::human;

const SECTION: &str = "limits of a process";

/// Each array that a process has takes two descriptors.
const DESCRIPTORS: u64 = 1024;

pub(super) fn examine() -> Vec<Finding> {
    vec![file_size(), address_space(), descriptors(), memory()]
}

fn file_size() -> Finding {
    match getrlimit(Resource::Fsize).current {
        None => Finding::ok(SECTION, "files, and so segments, may have any length"),
        Some(limit) => Finding::warn(
            SECTION,
            format!("a file, and so a segment, may have {} at most", human(limit)),
            "`ulimit -f unlimited`, or the service's LimitFSIZE=",
        ),
    }
}

fn address_space() -> Finding {
    match getrlimit(Resource::As).current {
        None => Finding::ok(SECTION, "the address space has no limit"),
        Some(limit) => Finding::warn(
            SECTION,
            format!(
                "the address space is limited to {}: mapping larger arrays fails",
                human(limit)
            ),
            "`ulimit -v unlimited`",
        ),
    }
}

fn descriptors() -> Finding {
    match getrlimit(Resource::Nofile).current {
        Some(limit) if limit < DESCRIPTORS => Finding::warn(
            SECTION,
            format!("{limit} descriptors: each array that a process has open takes two"),
            "`ulimit -n 4096`",
        ),
        Some(limit) => Finding::ok(SECTION, format!("{limit} descriptors, two for each array")),
        None => Finding::ok(SECTION, "any number of descriptors"),
    }
}

/// What the machine has left; shared memory counts as used until its segments are removed.
fn memory() -> Finding {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kib = |key: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(key))?;
        line.trim().trim_end_matches("kB").trim_end().parse::<u64>().ok()
    };
    let (Some(available), Some(total)) = (kib("MemAvailable:"), kib("MemTotal:")) else {
        return Finding::note(SECTION, "the kernel does not say how much memory is free");
    };
    let text = format!("{} of {} memory free", human(available * 1024), human(total * 1024));
    if available < total / 20 {
        Finding::warn(SECTION, text, "end what holds memory; `ndshm ls` shows what segments take")
    } else {
        Finding::ok(SECTION, text)
    }
}
