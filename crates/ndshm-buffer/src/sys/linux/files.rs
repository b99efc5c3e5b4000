//! Files that hold segments: made without a name, sized, reserved, published, looked at, removed.

use std::io;
use std::ops::Range;
use std::os::fd::{BorrowedFd, OwnedFd, RawFd};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, FallocateFlags, MemfdFlags, Mode, OFlags, SealFlags};
use rustix::io::Errno;

use super::{OWN_DESCRIPTORS, again, raw};
use crate::sys::FileFacts;

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

/// Gives the pages of a part of the file back to the filesystem; the part reads as zeroes.
pub(crate) fn give_back(fd: BorrowedFd<'_>, bytes: &Range<usize>) -> io::Result<()> {
    let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    let (start, len) = (bytes.start as u64, bytes.len() as u64);
    Ok(again(|| rustix::fs::fallocate(fd, flags, start, len))?)
}

/// Gives an unnamed file its name; fails with `AlreadyExists` where the name leads to anything at all.
pub(crate) fn publish(fd: BorrowedFd<'_>, dir: BorrowedFd<'_>, file: &Path) -> io::Result<()> {
    match rustix::fs::linkat(fd, "", dir, file, AtFlags::EMPTY_PATH) {
        Ok(()) => Ok(()),
        Err(Errno::EXIST) => Err(Errno::EXIST.into()),
        // Needs CAP_DAC_READ_SEARCH before Linux 6.10; the error that says so is one among several.
        Err(_) => publish_through_proc(fd, dir, file),
    }
}

fn publish_through_proc(fd: BorrowedFd<'_>, dir: BorrowedFd<'_>, file: &Path) -> io::Result<()> {
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

/// What a path leads to, links followed: for [`descriptor_of`].
pub(crate) fn facts_of_path(path: &Path) -> io::Result<FileFacts> {
    Ok(rustix::fs::stat(path)?.into())
}

/// Opens a name in `dir`; neither follows a link nor waits for a FIFO's other end.
pub(crate) fn open_name(dir: BorrowedFd<'_>, file: &Path, writable: bool) -> io::Result<OwnedFd> {
    let flags = OFlags::NOFOLLOW | access(writable);
    Ok(again(|| rustix::fs::openat(dir, file, flags, Mode::empty()))?)
}

/// Opens a path, links followed: for [`descriptor_of`].
pub(crate) fn open_path(path: &Path, writable: bool) -> io::Result<OwnedFd> {
    Ok(again(|| rustix::fs::open(path, access(writable), Mode::empty()))?)
}

/// Removes a name from `dir`.
pub(crate) fn remove_name(dir: BorrowedFd<'_>, file: &Path) -> io::Result<()> {
    Ok(rustix::fs::unlinkat(dir, file, AtFlags::empty())?)
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

fn private_mode() -> Mode {
    Mode::RUSR | Mode::WUSR
}

fn access(writable: bool) -> OFlags {
    let direction = if writable { OFlags::RDWR } else { OFlags::RDONLY };
    direction | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use super::*;
    use crate::sys::facts_of;

    #[test]
    fn older_kernels_publish_through_proc() {
        let temporary = tempfile::tempdir_in("/dev/shm").unwrap();
        let dir = open_directory(temporary.path()).unwrap();
        let fd = create_unnamed(dir.as_fd(), 0o600).unwrap();
        publish_through_proc(fd.as_fd(), dir.as_fd(), Path::new("a")).unwrap();
        let (named, open) = (facts_of_name(dir.as_fd(), Path::new("a")), facts_of(fd.as_fd()));
        assert_eq!(named.unwrap().ino, open.unwrap().ino);
        let other = create_unnamed(dir.as_fd(), 0o600).unwrap();
        for publish in [publish, publish_through_proc] {
            let taken = publish(other.as_fd(), dir.as_fd(), Path::new("a")).unwrap_err();
            assert_eq!(taken.kind(), io::ErrorKind::AlreadyExists);
        }
    }
}
