//! What the control group of this process, a container's for one, leaves of the memory.

use std::fs;
use std::path::Path;

use super::Finding;
use crate::size::human;

const SECTION: &str = "control group";
const ROOT: &str = "/sys/fs/cgroup";

pub(super) fn examine() -> Vec<Finding> {
    let membership = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    // Of version 2; within a container the root is its own.
    let Some(group) = membership.lines().find_map(|line| line.strip_prefix("0::/")) else {
        return Vec::new();
    };
    let lowest = Path::new(ROOT).join(group);
    let groups = lowest.ancestors().take_while(|dir| dir.starts_with(ROOT));
    let tightest = groups.filter_map(limit).min_by_key(|(limit, _)| *limit);
    let Some((limit, used)) = tightest else { return Vec::new() };
    let what = format!("{} of {} memory used; shared memory counts", human(used), human(limit));
    vec![if used > limit / 10 * 9 {
        Finding::warn(
            SECTION,
            what,
            "give it more (`--memory` of a container, MemoryMax= of a service), or remove segments: beyond it the \
             kernel ends a process",
        )
    } else {
        Finding::ok(SECTION, what)
    }]
}

/// Limit and use of one group, where it has a limit.
fn limit(dir: &Path) -> Option<(u64, u64)> {
    let number = |file| fs::read_to_string(dir.join(file)).ok()?.trim().parse().ok();
    Some((number("memory.max")?, number("memory.current")?))
}
