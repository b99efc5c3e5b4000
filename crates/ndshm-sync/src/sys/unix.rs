//! Any unix: fork handlers, descriptors that a child has to close, processors.

use std::ffi::c_int;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

/// Has `fork` call these before, and after in parent and in child.
pub(crate) fn at_fork(
    prepare: extern "C" fn(),
    parent: extern "C" fn(),
    child: extern "C" fn(),
) -> io::Result<()> {
    // SAFETY: the three are plain functions that live as long as the process, take nothing and
    // never unwind (`extern "C"` aborts instead).
    match unsafe { libc::pthread_atfork(Some(prepare), Some(parent), Some(child)) } {
        0 => Ok(()),
        e => Err(io::Error::from_raw_os_error(e)),
    }
}

/// A descriptor, and what it led to when it was listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Listed {
    fd: c_int,
    dev: u64,
    ino: u64,
}

impl Listed {
    pub(crate) fn new(file: &impl AsFd) -> io::Result<Self> {
        let fd = file.as_fd();
        let stat = rustix::fs::fstat(fd)?;
        #[allow(clippy::unnecessary_cast, reason = "other types elsewhere")]
        Ok(Self { fd: fd.as_raw_fd(), dev: stat.st_dev as u64, ino: stat.st_ino as u64 })
    }

    /// Closes a descriptor that no value owns any more, unless its number has gone to another file
    /// meanwhile. Async-signal-safe.
    pub(crate) fn close(self) {
        // SAFETY: borrowed for this call alone, which fails where the number is not open.
        let same = Self::new(&unsafe { BorrowedFd::borrow_raw(self.fd) });
        if same.is_ok_and(|now| now == self) {
            // SAFETY: this process inherited it by a fork and the list (`member::fork`) alone still
            // names it, so no `OwnedFd` will close it again.
            unsafe { libc::close(self.fd) };
        }
    }
}

/// Processors on line. The affinity of the calling thread does not count: whether spinning pays
/// depends on where the *other* party runs, and pinning each party to a processor of its own is
/// the case where it pays most.
pub(crate) fn processors() -> usize {
    // SAFETY: `sysconf` reads no memory of ours.
    let n = unsafe { libc::sysconf(libc::_SC_NPROCESSORS_ONLN) };
    usize::try_from(n).unwrap_or(1).max(1)
}
