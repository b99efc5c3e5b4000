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

/// Bytes of memory that processes may still take, as the kernel estimates them.
pub(crate) fn available_memory() -> u64 {
    let info = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = info.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}
