//! What a file is like.

use std::io;
use std::os::fd::BorrowedFd;
use std::time::{Duration, SystemTime};

use rustix::fs::{FileType, Mode, Stat};

use super::again;

/// What `stat` says of a file, as far as this crate cares.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FileFacts {
    pub(crate) dev: u64,
    pub(crate) ino: u64,
    pub(crate) len: u64,
    /// What the filesystem has set aside for it, in bytes.
    pub(crate) reserved: u64,
    pub(crate) owner: u32,
    pub(crate) group: u32,
    /// Who may read and write it: the lowest nine bits.
    pub(crate) mode: u32,
    pub(crate) modified: SystemTime,
    pub(crate) links: u64,
    pub(crate) kind: FileKind,
    /// The mark that the name outlives its creator.
    pub(crate) sticky: bool,
}

/// The types of file that a segment's name may be found to lead to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FileKind {
    Regular,
    Symlink,
    Other(&'static str),
}

#[allow(clippy::useless_conversion, reason = "the widths of fields differ between machines")]
impl From<Stat> for FileFacts {
    fn from(stat: Stat) -> Self {
        Self {
            dev: stat.st_dev.into(),
            ino: stat.st_ino.into(),
            len: u64::try_from(stat.st_size).unwrap_or(0),
            reserved: u64::try_from(stat.st_blocks).unwrap_or(0).saturating_mul(512),
            owner: stat.st_uid,
            group: stat.st_gid,
            mode: stat.st_mode & 0o777,
            modified: moment(stat.st_mtime.into(), stat.st_mtime_nsec.try_into().unwrap_or(0)),
            links: stat.st_nlink.into(),
            kind: match FileType::from_raw_mode(stat.st_mode) {
                FileType::RegularFile => FileKind::Regular,
                FileType::Symlink => FileKind::Symlink,
                FileType::Directory => FileKind::Other("a directory"),
                FileType::Fifo => FileKind::Other("a FIFO"),
                FileType::Socket => FileKind::Other("a socket"),
                FileType::CharacterDevice | FileType::BlockDevice => FileKind::Other("a device"),
                FileType::Unknown => FileKind::Other("a file of unknown type"),
            },
            sticky: Mode::from_raw_mode(stat.st_mode).contains(Mode::SVTX),
        }
    }
}

/// Seconds and nanoseconds since 1970.
fn moment(seconds: i64, nanos: u32) -> SystemTime {
    let whole = Duration::from_secs(seconds.unsigned_abs());
    let base = if seconds < 0 {
        SystemTime::UNIX_EPOCH.checked_sub(whole)
    } else {
        SystemTime::UNIX_EPOCH.checked_add(whole)
    };
    base.unwrap_or(SystemTime::UNIX_EPOCH) + Duration::from_nanos(nanos.into())
}

/// What an open descriptor leads to.
pub(crate) fn facts_of(fd: BorrowedFd<'_>) -> io::Result<FileFacts> {
    Ok(rustix::fs::fstat(fd)?.into())
}

/// The last bytes of a file of that length, as they are now; `None` where it has no such number.
pub(crate) fn read_end<const N: usize>(
    fd: BorrowedFd<'_>,
    len: u64,
) -> io::Result<Option<[u8; N]>> {
    let mut bytes = [0; N];
    let Some(offset) = len.checked_sub(N as u64) else { return Ok(None) };
    let read = again(|| rustix::io::pread(fd, &mut bytes, offset))?;
    Ok((read == N).then_some(bytes))
}
