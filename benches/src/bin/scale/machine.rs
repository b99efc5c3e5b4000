//! What it was measured on.

use std::fs;

use ndshm_benches::cpus;

/// In one line.
pub(crate) fn describe() -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let info = read("/proc/cpuinfo");
    let model = info.lines().find(|line| line.starts_with("model name"));
    let model = model.and_then(|line| line.split(": ").nth(1)).unwrap_or("an unknown processor");
    let guest = if info.contains(" hypervisor ") { ", virtual" } else { "" };
    let release = read("/proc/sys/kernel/osrelease");
    let load = read("/proc/loadavg");
    let load = load.split(' ').next().unwrap_or("unknown");
    format!(
        "Machine: {} CPUs of {model}{guest}; Linux {}; load average at the start {load}.",
        cpus().len(),
        release.trim(),
    )
}

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
