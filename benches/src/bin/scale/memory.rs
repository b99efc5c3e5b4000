//! What a process takes of the machine.

use std::fs;

/// KiB of memory that this process has for itself, page tables included: what it shares with those that
/// it was forked from does not count.
pub(crate) fn own_memory(pid: libc::pid_t) -> u64 {
    let sum = |file: &str, prefixes: [&str; 2]| {
        let text = fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default();
        let lines = text.lines().filter(|line| prefixes.iter().any(|p| line.starts_with(p)));
        lines.filter_map(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok()).sum::<u64>()
    };
    sum("smaps_rollup", ["Private_Clean:", "Private_Dirty:"]) + sum("status", ["VmPTE:"; 2])
}
