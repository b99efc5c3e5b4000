//! The directory of segments: whether it is there, lies in memory, can be written to, and has room.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::Finding;
use crate::size::human;

const SECTION: &str = "directory of segments";

/// `TMPFS_MAGIC`, `RAMFS_MAGIC` and `HUGETLBFS_MAGIC`.
const IN_MEMORY: [u32; 3] = [0x0102_1994, 0x8584_58f6, 0x9584_58f6];

/// What Docker gives a container.
const CONTAINER: u64 = 64 << 20;

/// The directory that names lie in: that given, `NDSHM_DIR`, or /dev/shm.
pub(super) fn directory(given: Option<&Path>) -> PathBuf {
    let set = || std::env::var_os("NDSHM_DIR").filter(|dir| !dir.is_empty()).map(PathBuf::from);
    given.map(Path::to_owned).or_else(set).unwrap_or_else(|| "/dev/shm".into())
}

pub(super) fn examine(given: Option<&Path>) -> Vec<Finding> {
    let dir = directory(given);
    let shown = dir.display();
    let mut findings = Vec::new();
    let opened = match fs::File::open(&dir) {
        Ok(opened) if opened.metadata().is_ok_and(|meta| meta.is_dir()) => opened,
        Ok(_) => {
            let what = format!("{shown} is no directory");
            return vec![Finding::warn(SECTION, what, "name another: --dir or NDSHM_DIR")];
        }
        Err(e) => {
            let remedy = if e.kind() == ErrorKind::NotFound {
                "make it (a tmpfs: `mount -t tmpfs`), or name another: --dir or NDSHM_DIR"
            } else {
                "name one that you may use: --dir or NDSHM_DIR"
            };
            return vec![Finding::warn(SECTION, format!("{shown} cannot be opened: {e}"), remedy)];
        }
    };
    let kind = rustix::fs::fstatfs(&opened).map(|fs| fs.f_type as u32);
    findings.push(match kind {
        Ok(kind) if IN_MEMORY.contains(&kind) => {
            Finding::ok(SECTION, format!("{shown} lies in memory"))
        }
        Ok(_) => Finding::warn(
            SECTION,
            format!("{shown} is no memory file system: the kernel writes segments back to a disk"),
            "use a directory on a tmpfs, such as /dev/shm: --dir or NDSHM_DIR",
        ),
        Err(e) => Finding::note(SECTION, format!("{shown} does not say its file system: {e}")),
    });
    findings.extend(space(&dir, &opened));
    findings.push(unnamed(&dir));
    findings
}

fn space(dir: &Path, opened: &fs::File) -> Vec<Finding> {
    let shown = dir.display();
    let Ok(fs) = rustix::fs::fstatvfs(opened) else { return Vec::new() };
    let (size, free) =
        (fs.f_blocks.saturating_mul(fs.f_frsize), fs.f_bavail.saturating_mul(fs.f_frsize));
    if size == 0 {
        return vec![Finding::ok(SECTION, format!("{shown} has no size limit but memory"))];
    }
    let room = format!("{} of {} free", human(free), human(size));
    let mut findings = vec![if free < size / 10 {
        let remedy = "remove what is not needed (`ndshm ls`, `ndshm gc`), or enlarge it: \
                      `mount -o remount,size=..`, `--shm-size` of a container";
        Finding::warn(SECTION, room, remedy)
    } else {
        Finding::ok(SECTION, room)
    }];
    if size <= CONTAINER {
        findings.push(Finding::warn(
            SECTION,
            format!("{} in all is what a container gets by default: larger arrays will not fit", human(size)),
            "start the container with `--shm-size=8g` (Docker, Podman), or an emptyDir of medium Memory (Kubernetes)",
        ));
    }
    if fs.f_files > 0 && fs.f_favail < 100 {
        let what = format!("only {} files more can be made", fs.f_favail);
        findings.push(Finding::warn(
            SECTION,
            what,
            "remount with `nr_inodes=` larger, or remove files",
        ));
    }
    findings
}

/// Whether segments can be published whole: made without a name first.
fn unnamed(dir: &Path) -> Finding {
    use rustix::fs::{Mode, OFlags};
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    match rustix::fs::open(dir, flags, Mode::RUSR | Mode::WUSR) {
        Ok(_) => Finding::ok(SECTION, "segments can be made here"),
        Err(e) => Finding::warn(
            SECTION,
            format!("no segment can be made here: {}", std::io::Error::from(e)),
            "use a directory that you may write to, on tmpfs, ext4, XFS or Btrfs: --dir or NDSHM_DIR",
        ),
    }
}
