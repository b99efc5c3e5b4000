//! What memory costs.

use std::fs;
use std::io;

/// Bytes of this process, each page that several share counted in parts ("proportional set size"): the sum over processes is
/// what they cost together.
///
/// # Errors
///
/// Those of /proc.
pub fn proportional() -> io::Result<u64> {
    let text = fs::read_to_string("/proc/self/smaps_rollup")?;
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    let kib = kib.ok_or_else(|| io::Error::other("no Pss in /proc/self/smaps_rollup"))?;
    Ok(kib * 1024)
}
