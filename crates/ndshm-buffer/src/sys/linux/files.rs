//! Files that hold segments: made without a name, sized, reserved, published, looked at, removed.

use std::io;
use std::ops::Range;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::fs::{
    AtFlags, CWD, FallocateFlags, FileType, MemfdFlags, Mode, OFlags, SealFlags, Stat,
};
use rustix::io::Errno;

use super::OWN_DESCRIPTORS;

/// How much one `fallocate` call asks for at first, so that a process with a busy interval timer gets ahead: older
/// kernels undo the whole call when a signal interrupts it.
const RESERVE_STEP: u64 = 16 << 20;

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

/// A handle on a directory, for looking up names in it; needs no permission to list it.
pub(crate) fn open_directory(dir: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(rustix::fs::open(dir, flags, Mode::empty())?)
}

/// A new file in the filesystem of `dir` that has no name yet, of at most that mode: less what the umask takes.
pub(crate) fn create_unnamed(dir: BorrowedFd<'_>, mode: u32) -> io::Result<OwnedFd> {
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    Ok(rustix::fs::openat(dir, ".", flags, Mode::from_raw_mode(mode))?)
}

/// Gives a file to a group.
pub(crate) fn set_group(fd: BorrowedFd<'_>, group: u32) -> io::Result<()> {
    Ok(rustix::fs::fchown(fd, None, Some(rustix::fs::Gid::from_raw(group)))?)
}

/// Sees to it that a new file has no more than that mode, and its owner's part whatever the umask is.
pub(crate) fn set_mode(fd: BorrowedFd<'_>, mode: u32) -> io::Result<()> {
    let given = rustix::fs::fstat(fd)?.st_mode & mode;
    Ok(rustix::fs::fchmod(fd, Mode::from_raw_mode(given) | private_mode())?)
}

/// True where the error of [`create_unnamed`] means that the filesystem has no unnamed files.
pub(crate) fn lacks_unnamed_files(error: &io::Error) -> bool {
    // Kernels older than O_TMPFILE see O_DIRECTORY with write access: EISDIR.
    matches!(
        Errno::from_io_error(error),
        Some(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL | Errno::NOSYS)
    )
}

/// A new file that no filesystem shows and that lives as long as a descriptor or a mapping of it; mode 0600.
pub(crate) fn create_anonymous() -> io::Result<OwnedFd> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let fd = match rustix::fs::memfd_create("ndshm", flags | MemfdFlags::NOEXEC_SEAL) {
        // Linux before 6.3 does not know the flag.
        Err(Errno::INVAL) => rustix::fs::memfd_create("ndshm", flags)?,
        other => other?,
    };
    rustix::fs::fchmod(&fd, private_mode())?;
    Ok(fd)
}

/// From now on nobody, this process included, changes the length of the file.
pub(crate) fn seal_length(fd: BorrowedFd<'_>) -> io::Result<()> {
    let seals = SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL;
    Ok(rustix::fs::fcntl_add_seals(fd, seals)?)
}

/// Sets the length; what is new of it has no memory yet.
pub(crate) fn set_length(fd: BorrowedFd<'_>, len: u64) -> io::Result<()> {
    Ok(again(|| rustix::fs::ftruncate(fd, len))?)
}

/// Has the filesystem set aside every page of these bytes, which lie within the length.
pub(crate) fn reserve(fd: BorrowedFd<'_>, bytes: &Range<usize>) -> io::Result<()> {
    let start = bytes.start as u64;
    in_steps(bytes.len() as u64, |at, part| {
        rustix::fs::fallocate(fd, FallocateFlags::empty(), start + at, part)
    })?;
    Ok(())
}

/// Gives the pages of a part of the file back to the filesystem; the part reads as zeroes.
pub(crate) fn give_back(fd: BorrowedFd<'_>, bytes: &Range<usize>) -> io::Result<()> {
    let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    let (start, len) = (bytes.start as u64, bytes.len() as u64);
    Ok(again(|| rustix::fs::fallocate(fd, flags, start, len))?)
}

/// Covers `0..len` with calls that may be interrupted, in shorter steps after each interruption.
fn in_steps(
    len: u64,
    mut call: impl FnMut(u64, u64) -> rustix::io::Result<()>,
) -> rustix::io::Result<()> {
    let (mut done, mut step) = (0, RESERVE_STEP);
    while done < len {
        let part = step.min(len - done);
        match call(done, part) {
            Ok(()) => done += part,
            Err(Errno::INTR) => step = (step / 2).max(super::page_size() as u64),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// True where the error of [`reserve_part`] means that there is no room.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::NOSPC | Errno::NOMEM | Errno::DQUOT))
}

/// Gives an unnamed file its name; fails with `AlreadyExists` where the name leads to anything at all.
pub(crate) fn publish(fd: BorrowedFd<'_>, dir: BorrowedFd<'_>, file: &str) -> io::Result<()> {
    match rustix::fs::linkat(fd, "", dir, file, AtFlags::EMPTY_PATH) {
        Ok(()) => Ok(()),
        Err(Errno::EXIST) => Err(Errno::EXIST.into()),
        // Needs CAP_DAC_READ_SEARCH before Linux 6.10; the error that says so is one among several.
        Err(_) => publish_through_proc(fd, dir, file),
    }
}

fn publish_through_proc(fd: BorrowedFd<'_>, dir: BorrowedFd<'_>, file: &str) -> io::Result<()> {
    let link = format!("{OWN_DESCRIPTORS}/{}", raw(fd));
    Ok(rustix::fs::linkat(CWD, link, dir, file, AtFlags::SYMLINK_FOLLOW)?)
}

/// Marks the file as one whose name outlives its creator.
pub(crate) fn mark_persistent(fd: BorrowedFd<'_>) -> io::Result<()> {
    let mode = rustix::fs::fstat(fd)?.st_mode & 0o777;
    Ok(rustix::fs::fchmod(fd, Mode::from_raw_mode(mode) | Mode::SVTX)?)
}

/// The directory that a path is taken from which is not absolute.
pub(crate) fn working_directory() -> BorrowedFd<'static> {
    CWD
}

/// What a name in `dir` leads to; a symbolic link is itself, not its target.
pub(crate) fn facts_of_name(dir: BorrowedFd<'_>, file: impl AsRef<Path>) -> io::Result<FileFacts> {
    Ok(rustix::fs::statat(dir, file.as_ref(), AtFlags::SYMLINK_NOFOLLOW)?.into())
}

/// What an open descriptor leads to.
pub(crate) fn facts_of(fd: BorrowedFd<'_>) -> io::Result<FileFacts> {
    Ok(rustix::fs::fstat(fd)?.into())
}

/// What a path leads to, links followed: for [`descriptor_of`].
pub(crate) fn facts_of_path(path: &Path) -> io::Result<FileFacts> {
    Ok(rustix::fs::stat(path)?.into())
}

/// Opens a name in `dir`; neither follows a link nor waits for a FIFO's other end.
pub(crate) fn open_name(
    dir: BorrowedFd<'_>,
    file: impl AsRef<Path>,
    writable: bool,
) -> io::Result<OwnedFd> {
    let flags = OFlags::NOFOLLOW | access(writable);
    Ok(again(|| rustix::fs::openat(dir, file.as_ref(), flags, Mode::empty()))?)
}

/// Opens a path, links followed: for [`descriptor_of`].
pub(crate) fn open_path(path: &Path, writable: bool) -> io::Result<OwnedFd> {
    Ok(again(|| rustix::fs::open(path, access(writable), Mode::empty()))?)
}

/// Removes a name from `dir`.
pub(crate) fn remove_name(dir: BorrowedFd<'_>, file: &str) -> io::Result<()> {
    Ok(rustix::fs::unlinkat(dir, file, AtFlags::empty())?)
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

/// The path through which a process, this one included, opens descriptor `fd` of process `pid` anew.
pub(crate) fn descriptor_of(pid: u32, fd: RawFd) -> PathBuf {
    PathBuf::from(format!("/proc/{pid}/fd/{fd}"))
}

/// A description of its own for the file behind `fd`, by way of /proc.
pub(crate) fn reopen(fd: BorrowedFd<'_>, writable: bool) -> io::Result<OwnedFd> {
    let path = format!("{OWN_DESCRIPTORS}/{}", raw(fd));
    Ok(again(|| rustix::fs::open(&path, access(writable), Mode::empty()))?)
}

/// The same, or a duplicate of `fd` where /proc cannot give one.
pub(crate) fn reopen_or_duplicate(fd: BorrowedFd<'_>, writable: bool) -> io::Result<OwnedFd> {
    reopen(fd, writable).or_else(|_| Ok(rustix::io::fcntl_dupfd_cloexec(fd, 0)?))
}

/// A descriptor that a program started later does not inherit.
#[cfg(feature = "serde")]
pub(crate) fn close_on_exec(fd: BorrowedFd<'_>) -> io::Result<()> {
    Ok(rustix::io::fcntl_setfd(fd, rustix::io::FdFlags::CLOEXEC)?)
}

/// Whether what the descriptor leads to can be written through it.
pub(crate) fn is_writable(fd: BorrowedFd<'_>) -> io::Result<bool> {
    let flags = rustix::fs::fcntl_getfl(fd)?;
    Ok(flags & OFlags::RWMODE != OFlags::RDONLY)
}

/// Whether nobody can make the file shorter.
pub(crate) fn is_sealed(fd: BorrowedFd<'_>) -> bool {
    // Only files in memory have seals to ask for.
    rustix::fs::fcntl_get_seals(fd).is_ok_and(|seals| seals.contains(SealFlags::SHRINK))
}

/// The number of a descriptor.
pub(crate) fn raw(fd: impl AsFd) -> RawFd {
    use std::os::fd::AsRawFd;
    fd.as_fd().as_raw_fd()
}

fn private_mode() -> Mode {
    Mode::RUSR | Mode::WUSR
}

fn access(writable: bool) -> OFlags {
    let direction = if writable { OFlags::RDWR } else { OFlags::RDONLY };
    direction | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY
}

pub(super) fn again<T>(mut call: impl FnMut() -> rustix::io::Result<T>) -> rustix::io::Result<T> {
    loop {
        match call() {
            Err(Errno::INTR) => {}
            other => return other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interrupted_reservations_go_on_in_shorter_steps() {
        // A timer leaves time for 70,000 bytes between two signals.
        let (mut end, mut interruptions) = (0, 0);
        let len = 3 * RESERVE_STEP + 5;
        let outcome = in_steps(len, |at, part| {
            assert_eq!(at, end, "a gap or an overlap");
            if part > 70_000 {
                interruptions += 1;
                return Err(Errno::INTR);
            }
            end += part;
            Ok(())
        });
        assert_eq!((outcome, end, interruptions), (Ok(()), len, 8));
        assert_eq!(in_steps(1, |_, _| Err(Errno::NOSPC)), Err(Errno::NOSPC));
    }

    #[test]
    fn older_kernels_publish_through_proc() {
        let temporary = tempfile::tempdir_in("/dev/shm").unwrap();
        let dir = open_directory(temporary.path()).unwrap();
        let fd = create_unnamed(dir.as_fd(), 0o600).unwrap();
        publish_through_proc(fd.as_fd(), dir.as_fd(), "a").unwrap();
        let (named, open) = (facts_of_name(dir.as_fd(), "a"), facts_of(fd.as_fd()));
        assert_eq!(named.unwrap().ino, open.unwrap().ino);
        let other = create_unnamed(dir.as_fd(), 0o600).unwrap();
        for publish in [publish, publish_through_proc] {
            let taken = publish(other.as_fd(), dir.as_fd(), "a").unwrap_err();
            assert_eq!(taken.kind(), io::ErrorKind::AlreadyExists);
        }
    }
}
