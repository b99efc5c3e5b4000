//! What the control groups of this process leave it of memory; beyond, the kernel ends a process of the group.

use std::fs;
use std::path::{Path, PathBuf};

/// The room in the tightest group, and which one that is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GroupRoom {
    pub(crate) free: u64,
    /// The file whose number is the limit.
    pub(crate) limit: PathBuf,
}

/// The tightest of the groups of both versions; `None` where none has a limit.
pub(super) fn group_room(free_swap: u64) -> Option<GroupRoom> {
    tightest(Path::new("/sys/fs/cgroup"), Path::new("/proc/self/cgroup"), free_swap)
}

fn tightest(root: &Path, membership: &Path, free_swap: u64) -> Option<GroupRoom> {
    let text = fs::read_to_string(membership).ok()?;
    let rooms = text.lines().filter_map(|line| {
        // Number, controllers, path: version 2 has number 0 and no controllers.
        let mut fields = line.splitn(3, ':');
        let (number, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
        let path = path.strip_prefix('/')?;
        if number == "0" && controllers.is_empty() {
            on_the_way(root, path, |dir| version_2(dir, free_swap))
        } else if controllers.split(',').any(|name| name == "memory") {
            on_the_way(&root.join("memory"), path, |dir| version_1(dir, free_swap))
        } else {
            None
        }
    });
    rooms.min_by_key(|room| room.free)
}

/// The tightest of a group and those above. In a container the path may be the host's, of which only the root is seen,
/// which then is the container's group.
fn on_the_way(
    root: &Path,
    path: &str,
    room: impl Fn(&Path) -> Option<GroupRoom>,
) -> Option<GroupRoom> {
    let lowest = root.join(path);
    let groups = lowest.ancestors().take_while(|dir| dir.starts_with(root));
    groups.filter_map(room).min_by_key(|room| room.free)
}

fn version_2(dir: &Path, free_swap: u64) -> Option<GroupRoom> {
    let limit = number(dir, "memory.max")?;
    // Cached pages of files on disks can be dropped; those of shared memory cannot.
    let used = number(dir, "memory.current")?.saturating_sub(cached(dir, "file ", "shmem ")?);
    let swap = number(dir, "memory.swap.max").map_or(free_swap, |max| {
        max.saturating_sub(number(dir, "memory.swap.current").unwrap_or(0)).min(free_swap)
    });
    let free = limit.saturating_sub(used).saturating_add(swap);
    Some(GroupRoom { free, limit: dir.join("memory.max") })
}

fn version_1(dir: &Path, free_swap: u64) -> Option<GroupRoom> {
    let cached = cached(dir, "total_cache ", "total_shmem ").unwrap_or(0);
    let room = |limit: &str, usage: &str| {
        let used = number(dir, usage)?.saturating_sub(cached);
        // Without a limit it is as much as a machine could ever have: more than there is anyway.
        Some(number(dir, limit)?.saturating_sub(used))
    };
    let memory = room("memory.limit_in_bytes", "memory.usage_in_bytes")?.saturating_add(free_swap);
    // Memory and swap together, where the kernel counts that.
    let both = room("memory.memsw.limit_in_bytes", "memory.memsw.usage_in_bytes");
    let free = memory.min(both.unwrap_or(u64::MAX));
    Some(GroupRoom { free, limit: dir.join("memory.limit_in_bytes") })
}

fn number(dir: &Path, file: &str) -> Option<u64> {
    fs::read_to_string(dir.join(file)).ok()?.trim().parse().ok()
}

/// Cached pages less those of shared memory.
fn cached(dir: &Path, all: &str, shared: &str) -> Option<u64> {
    let stat = fs::read_to_string(dir.join("memory.stat")).ok()?;
    Some(super::room::field(&stat, all)?.saturating_sub(super::room::field(&stat, shared)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tree of groups: what lies below the directory, and what the file of memberships says.
    struct Tree(tempfile::TempDir);

    impl Tree {
        fn new(membership: &str) -> Self {
            let tree = Self(tempfile::tempdir().unwrap());
            fs::write(tree.0.path().join("membership"), membership).unwrap();
            tree
        }

        fn write(&self, group: &str, files: &[(&str, &str)]) {
            let dir = self.0.path().join(group);
            fs::create_dir_all(&dir).unwrap();
            for (file, text) in files {
                fs::write(dir.join(file), text).unwrap();
            }
        }

        /// What is free with 1 GiB of free swap, and in which group.
        fn room(&self) -> Option<(u64, String)> {
            let root = self.0.path();
            let room = tightest(root, &root.join("membership"), 1 << 30)?;
            let group = room.limit.parent().unwrap().strip_prefix(root).unwrap();
            Some((room.free, group.display().to_string()))
        }
    }

    #[test]
    fn the_tightest_group_counts() {
        let tree = Tree::new("1:name=systemd:/x\n0::/a/b\n");
        assert_eq!(tree.room(), None, "no groups");
        let used = [
            ("memory.current", "700\n"),
            ("memory.stat", "anon 100\nfile 500\nfile_mapped 9\nshmem 300\n"),
            ("memory.swap.max", "50\n"),
            ("memory.swap.current", "20\n"),
        ];
        tree.write("a/b", &used);
        tree.write("a/b", &[("memory.max", "max\n")]);
        assert_eq!(tree.room(), None, "no limit");
        tree.write("a/b", &[("memory.max", "1000\n")]);
        assert_eq!(tree.room(), Some((1000 - (700 - 200) + 30, "a/b".to_owned())));
        // A group above is tighter.
        tree.write("a", &used);
        tree.write("a", &[("memory.max", "400")]);
        assert_eq!(tree.room(), Some((30, "a".to_owned())));
    }

    #[test]
    fn the_first_version_of_groups_counts_too() {
        let tree = Tree::new("9:name=systemd:/x\n4:cpu,memory:/a/b\n0::/\n");
        let files = [
            ("memory.usage_in_bytes", "700\n"),
            ("memory.stat", "cache 1\nshmem 1\ntotal_cache 500\ntotal_shmem 300\n"),
        ];
        tree.write("memory/a/b", &files);
        tree.write("memory/a/b", &[("memory.limit_in_bytes", "9223372036854771712\n")]);
        let (free, _) = tree.room().unwrap();
        assert!(free > 1 << 60, "no limit");
        tree.write("memory/a/b", &[("memory.limit_in_bytes", "1000\n")]);
        assert_eq!(tree.room(), Some((500 + (1 << 30), "memory/a/b".to_owned())));
        let both =
            [("memory.memsw.limit_in_bytes", "1100\n"), ("memory.memsw.usage_in_bytes", "800\n")];
        tree.write("memory/a/b", &both);
        assert_eq!(tree.room(), Some((500, "memory/a/b".to_owned())));
        // In a container, which sees its own group as the root and knows the host's path.
        let tree = Tree::new("4:memory:/docker/0123\n");
        tree.write("memory", &files);
        tree.write("memory", &[("memory.limit_in_bytes", "900\n")]);
        tree.write("memory", &both);
        assert_eq!(tree.room(), Some((500, "memory".to_owned())));
    }
}
