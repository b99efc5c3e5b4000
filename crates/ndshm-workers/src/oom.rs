//! Whether it was the kernel that killed for want of memory.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

/// What happened so long before a run began may count as having happened in it.
const STALE: Duration = Duration::from_millis(100);

/// The kernel's count of the processes that it killed for want of memory: of those of this process's
/// control group, where that counts (both versions), else of all.
#[derive(Debug)]
pub(crate) struct OomKills {
    file: Option<File>,
    seen: u64,
    looked: Instant,
}

impl OomKills {
    pub(crate) fn new() -> Self {
        let membership = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let file = counter(&membership, Path::new("/sys/fs/cgroup"), Path::new("/proc/vmstat"));
        let mut kills = Self { file, seen: 0, looked: Instant::now() };
        kills.seen = kills.count().unwrap_or(0);
        kills
    }

    /// What was counted so far is none of the run that begins now.
    pub(crate) fn begin(&mut self) {
        if self.looked.elapsed() >= STALE {
            self.seen = self.count().unwrap_or(0);
            self.looked = Instant::now();
        }
    }

    /// Whether one has been counted that was not yet taken for a worker's end.
    pub(crate) fn take(&mut self) -> bool {
        let more = self.count().is_some_and(|now| now > self.seen);
        self.seen += u64::from(more);
        more
    }

    fn count(&self) -> Option<u64> {
        counted(self.file.as_ref()?)
    }
}

fn counted(file: &File) -> Option<u64> {
    let mut bytes = vec![0; 16 << 10];
    let len = file.read_at(&mut bytes, 0).ok()?;
    let text = std::str::from_utf8(&bytes[..len]).ok()?;
    text.lines().find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse().ok())
}

/// The first of the files that counts.
fn counter(membership: &str, root: &Path, all: &Path) -> Option<File> {
    let of_groups = membership.lines().filter_map(|line| {
        // Number, controllers, path: version 2 has number 0 and no controllers.
        let mut fields = line.splitn(3, ':');
        let (number, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
        let path = path.strip_prefix('/')?;
        if number == "0" && controllers.is_empty() {
            Some(root.join(path).join("memory.events.local"))
        } else if controllers.split(',').any(|name| name == "memory") {
            Some(root.join("memory").join(path).join("memory.oom_control"))
        } else {
            None
        }
    });
    let files = of_groups.chain([all.to_owned()]);
    files.filter_map(|path| File::open(path).ok()).find(|file| counted(file).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_count_is_read_and_each_kill_taken_once() {
        let dir = std::env::temp_dir().join(format!("ndshm-oom-{}", std::process::id()));
        let group = dir.join("a/b");
        fs::create_dir_all(&group).unwrap();
        let all = dir.join("vmstat");
        fs::write(&all, "pgfault 7\noom_kill 40\n").unwrap();
        let of_group = group.join("memory.events.local");
        fs::write(&of_group, "low 0\noom 9\noom_kill 3\noom_group_kill 0\n").unwrap();

        let file = counter("4:cpu:/\n0::/a/b\n", &dir, &all);
        let mut kills = OomKills { file, seen: 3, looked: Instant::now() };
        assert!(!kills.take());
        fs::write(&of_group, "low 0\noom 9\noom_kill 5\noom_group_kill 0\n").unwrap();
        assert!(kills.take() && kills.take() && !kills.take());

        let elsewhere = counter("4:memory:/none\n0::/none\n", &dir, &all).unwrap();
        assert_eq!(counted(&elsewhere), Some(40));
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn this_machine_counts() {
        // Since Linux 4.13, of which 5.4 is asked for.
        assert!(OomKills::new().count().is_some());
    }
}
