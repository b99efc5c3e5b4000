//! How much there is to be had, asked before anything is taken.

use std::io;
use std::os::fd::BorrowedFd;
use std::path::Path;

use rustix::process::{Resource, getrlimit};

/// `TMPFS_MAGIC` and `RAMFS_MAGIC`: filesystems whose files are memory.
const MEMORY_FILESYSTEMS: [u64; 2] = [0x0102_1994, 0x8584_58f6];

/// Bytes free in the filesystem of a directory; `None` where it has no limit of its own.
pub(crate) fn directory_room(dir: BorrowedFd<'_>) -> io::Result<Option<u64>> {
    let fs = rustix::fs::fstatvfs(dir)?;
    // A tmpfs mounted without a size counts no blocks.
    Ok((fs.f_blocks != 0).then(|| fs.f_bavail.saturating_mul(fs.f_frsize)))
}

/// True where the files of a directory occupy memory and not a disk.
pub(crate) fn lies_in_memory(dir: BorrowedFd<'_>) -> io::Result<bool> {
    let kind = rustix::fs::fstatfs(dir)?.f_type;
    // The field is signed on some architectures and 32 bits wide on others: compare the 32 bits that count.
    Ok(MEMORY_FILESYSTEMS.contains(&u64::from(kind as u32)))
}

/// Bytes of memory and swap to be had without ending another process; `None` where the kernel does not say.
pub(crate) fn memory_room() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let kib = |key: &str| Some(field(&text, key)?.saturating_mul(1024));
    let swap = kib("SwapFree:").unwrap_or(0);
    let machine = kib("MemAvailable:")?.saturating_add(swap);
    Some(group_room(Path::new("/sys/fs/cgroup"), Path::new("/proc/self/cgroup"), swap).min(machine))
}

/// What the control groups (version 2) of this process leave it; beyond, the kernel ends a process of the group.
fn group_room(root: &Path, membership: &Path, free_swap: u64) -> u64 {
    let Ok(text) = std::fs::read_to_string(membership) else { return u64::MAX };
    let Some(group) = text.lines().find_map(|line| line.strip_prefix("0::/")) else {
        return u64::MAX;
    };
    let lowest = root.join(group);
    let groups = lowest.ancestors().take_while(|dir| dir.starts_with(root));
    groups.filter_map(|dir| room_in_group(dir, free_swap)).min().unwrap_or(u64::MAX)
}

/// The room in one group; `None` where it has no limit.
fn room_in_group(dir: &Path, free_swap: u64) -> Option<u64> {
    let read = |file: &str| std::fs::read_to_string(dir.join(file)).ok();
    let number = |file: &str| read(file)?.trim().parse::<u64>().ok();
    let limit = number("memory.max")?;
    let stat = read("memory.stat")?;
    // Cached pages of files on disks can be dropped; those of shared memory cannot.
    let cached = field(&stat, "file ")?.saturating_sub(field(&stat, "shmem ")?);
    let used = number("memory.current")?.saturating_sub(cached);
    let swap = number("memory.swap.max").map_or(free_swap, |max| {
        max.saturating_sub(number("memory.swap.current").unwrap_or(0)).min(free_swap)
    });
    Some(limit.saturating_sub(used).saturating_add(swap))
}

/// The number behind a key at a line's start, without its unit.
fn field(text: &str, key: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    line.trim().trim_end_matches("kB").trim_end().parse().ok()
}

/// The longest file this process may make; beyond it the kernel sends SIGXFSZ.
pub(crate) fn file_size_limit() -> Option<u64> {
    getrlimit(Resource::Fsize).current
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_tightest_control_group_counts() {
        let root = tempfile::tempdir().unwrap();
        let (root, membership) = (root.path(), root.path().join("membership"));
        let group = root.join("a/b");
        fs::create_dir_all(&group).unwrap();
        let write = |file: &str, text: &str| fs::write(group.join(file), text).unwrap();
        let room = || group_room(root, &membership, 1 << 30);
        assert_eq!(room(), u64::MAX, "no control groups");
        fs::write(&membership, "1:name=systemd:/x\n0::/a/b\n").unwrap();
        assert_eq!(room(), u64::MAX, "no limits");
        write("memory.max", "max\n");
        write("memory.current", "700\n");
        write("memory.stat", "anon 100\nfile 500\nfile_mapped 9\nshmem 300\n");
        write("memory.swap.max", "50\n");
        write("memory.swap.current", "20\n");
        assert_eq!(room(), u64::MAX, "no limit");
        write("memory.max", "1000\n");
        assert_eq!(room(), 1000 - (700 - 200) + 30);
        // A group above is tighter.
        for file in ["memory.current", "memory.stat", "memory.swap.max", "memory.swap.current"] {
            fs::copy(group.join(file), root.join("a").join(file)).unwrap();
        }
        fs::write(root.join("a/memory.max"), "400").unwrap();
        assert_eq!(room(), 30);
    }

    #[test]
    fn this_machine_says() {
        assert!(memory_room().is_some_and(|room| room > 0));
    }
}
