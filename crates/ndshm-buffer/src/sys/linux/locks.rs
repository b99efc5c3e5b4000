//! Byte-range locks that belong to an open file description (`F_OFD_*`).
//!
//! The kernel drops them when the last descriptor of the description goes, SIGKILL included. `rustix` has only the
//! per-process kind, which any close of the file in the process would drop.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// What a lock is on: bytes far behind the end of any file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bytes {
    start: i64,
    len: i64,
}

/// Held exclusively by whoever lets the segment grow.
pub(crate) const GROWTH: Bytes = Bytes { start: (1 << 62) - 3, len: 1 };

/// Held exclusively by whoever removes the name, over the check and the removal; shared by whoever attaches.
pub(crate) const LIFECYCLE: Bytes = Bytes { start: (1 << 62) - 2, len: 1 };

/// Held shared as long as a segment is mapped: tells a live segment from an orphaned one.
pub(crate) const PRESENCE: Bytes = Bytes { start: (1 << 62) - 1, len: 1 };

/// The two together, which whoever attaches takes at once.
pub(crate) const ATTACHING: Bytes = Bytes { start: LIFECYCLE.start, len: 2 };

/// How a byte is locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lock {
    /// Needs a description open for reading.
    Shared,
    /// Needs a description open for writing.
    Exclusive,
}

impl Lock {
    fn kind(self) -> libc::c_short {
        let kind = match self {
            Self::Shared => libc::F_RDLCK,
            Self::Exclusive => libc::F_WRLCK,
        };
        kind as libc::c_short
    }
}

/// Locks bytes and waits for all of them; a signal does not end the wait.
pub(crate) fn lock(fd: BorrowedFd<'_>, bytes: Bytes, how: Lock) -> io::Result<()> {
    request(fd, bytes, how.kind(), libc::F_OFD_SETLKW).map(drop)
}

/// Locks bytes, unless another description keeps it from doing so: false then.
pub(crate) fn try_lock(fd: BorrowedFd<'_>, bytes: Bytes, how: Lock) -> io::Result<bool> {
    match request(fd, bytes, how.kind(), libc::F_OFD_SETLK) {
        Ok(_) => Ok(true),
        Err(error) if matches!(error.raw_os_error(), Some(libc::EAGAIN | libc::EACCES)) => {
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

/// True where another description has one of them locked, in either way; what this one holds does not count.
pub(crate) fn is_locked(fd: BorrowedFd<'_>, bytes: Bytes) -> io::Result<bool> {
    let found = request(fd, bytes, Lock::Exclusive.kind(), libc::F_OFD_GETLK)?;
    Ok(libc::c_int::from(found.l_type) != libc::F_UNLCK)
}

/// Gives up what this description holds on them.
pub(crate) fn unlock(fd: BorrowedFd<'_>, bytes: Bytes) -> io::Result<()> {
    request(fd, bytes, libc::F_UNLCK as libc::c_short, libc::F_OFD_SETLK).map(drop)
}

#[allow(clippy::useless_conversion, reason = "off_t has 32 bits on some targets")]
fn request(
    fd: BorrowedFd<'_>,
    bytes: Bytes,
    kind: libc::c_short,
    command: libc::c_int,
) -> io::Result<libc::flock> {
    let mut range = libc::flock {
        l_type: kind,
        l_whence: libc::SEEK_SET as libc::c_short,
        // A 32-bit off_t cannot name these bytes: an error, not another byte.
        l_start: bytes.start.try_into().map_err(|_| io::ErrorKind::Unsupported)?,
        l_len: bytes.len.try_into().map_err(|_| io::ErrorKind::Unsupported)?,
        // The kernel demands 0 for locks that belong to a description.
        l_pid: 0,
    };
    loop {
        // SAFETY: `fd` is open for the call, and for these commands the kernel reads and writes one `flock` through the
        // pointer, which `range` is; it keeps no reference to it.
        let answer = unsafe { libc::fcntl(fd.as_raw_fd(), command, &raw mut range) };
        if answer == 0 {
            return Ok(range);
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}
