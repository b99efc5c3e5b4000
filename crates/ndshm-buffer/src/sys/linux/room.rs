//! How much there is to be had, asked before anything is taken.

use std::io;
use std::os::fd::BorrowedFd;
use std::path::PathBuf;

use rustix::process::{Resource, getrlimit};

use super::cgroup::group_room;

/// `TMPFS_MAGIC` and `RAMFS_MAGIC`: filesystems whose files are memory.
const MEMORY_FILESYSTEMS: [u64; 2] = [0x0102_1994, 0x8584_58f6];

/// True where the files of a directory occupy memory and not a disk.
pub(crate) fn lies_in_memory(dir: BorrowedFd<'_>) -> io::Result<bool> {
    let kind = rustix::fs::fstatfs(dir)?.f_type;
    // The field is signed on some architectures and 32 bits wide on others: compare the 32 bits that count.
    Ok(MEMORY_FILESYSTEMS.contains(&u64::from(kind as u32)))
}

/// Bytes of memory and swap to be had without ending another process, and the control group that leaves no more, where
/// one does; `None` where the kernel does not say.
pub(crate) fn memory_room() -> Option<(u64, Option<PathBuf>)> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let kib = |key: &str| Some(field(&text, key)?.saturating_mul(1024));
    let swap = kib("SwapFree:").unwrap_or(0);
    let machine = kib("MemAvailable:")?.saturating_add(swap);
    match group_room(swap) {
        Some(group) if group.free < machine => Some((group.free, Some(group.limit))),
        _ => Some((machine, None)),
    }
}

/// Addresses that this process may still take, and its limit (`RLIMIT_AS`); `None` where it has none, or the kernel does
/// not say how much it has taken.
pub(crate) fn address_room() -> Option<(u64, u64)> {
    let limit = getrlimit(Resource::As).current?;
    let text = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = text.split_whitespace().next()?.parse().ok()?;
    Some((limit.saturating_sub(pages.saturating_mul(super::page_size() as u64)), limit))
}

/// The number behind a key at a line's start, without its unit.
pub(super) fn field(text: &str, key: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    line.trim().trim_end_matches("kB").trim_end().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_says() {
        assert!(memory_room().is_some_and(|(free, _)| free > 0));
    }
}
