//! Any unix: fork handlers, descriptors that a child has to close, processors.

use std::ffi::c_int;
use std::io;
use std::num::NonZero;
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
    /// Several memberships have it, each for a lock of the process.
    shared: bool,
}

impl Listed {
    pub(crate) fn new(file: &impl AsFd) -> io::Result<Self> {
        let fd = file.as_fd();
        let stat = rustix::fs::fstat(fd)?;
        #[allow(clippy::unnecessary_cast, reason = "other types elsewhere")]
        Ok(Self {
            fd: fd.as_raw_fd(),
            dev: stat.st_dev as u64,
            ino: stat.st_ino as u64,
            shared: false,
        })
    }

    pub(crate) const fn is_same_file(&self, other: Self) -> bool {
        self.dev == other.dev && self.ino == other.ino
    }

    /// Closes a descriptor that no value owns any more, unless its number has gone to another file
    /// meanwhile. Async-signal-safe.
    pub(crate) fn close(self) {
        // SAFETY: borrowed for this call alone, which fails where the number is not open.
        let now = Self::new(&unsafe { BorrowedFd::borrow_raw(self.fd) });
        if now.is_ok_and(|now| now.is_same_file(self)) {
            // SAFETY: this process inherited it by a fork and the list (`member::fork`) alone still
            // names it, or it is shared and its last membership ends: no `OwnedFd` will close it
            // again.
            unsafe { libc::close(self.fd) };
        }
    }
}

/// For the native backend.
#[cfg(all(target_os = "linux", not(ndshm_portable_only)))]
impl Listed {
    /// The same, for locks of the process.
    pub(crate) const fn shared(self) -> Self {
        Self { shared: true, ..self }
    }

    pub(crate) const fn is_shared(&self) -> bool {
        self.shared
    }

    /// # Safety
    ///
    /// It is open, and stays so for `'a`.
    pub(crate) const unsafe fn borrow<'a>(self) -> BorrowedFd<'a> {
        // SAFETY: the caller's promise.
        unsafe { BorrowedFd::borrow_raw(self.fd) }
    }
}

/// Processors that this process and those it works with may use at once: on line, allowed by
/// affinity (of which a cpuset is part), granted by a quota.
///
/// An affinity of one processor does not count: it says where this thread is pinned, not where the
/// *other* party runs, and pinning each party to a processor of its own is the case where spinning
/// pays most. Where all are on that one, who waits finds out (`wait.rs`).
pub(crate) fn processors() -> usize {
    if is_pinned() {
        return online();
    }
    std::thread::available_parallelism().map_or_else(|_| online(), NonZero::get)
}

/// Whether the calling thread may run on one processor only.
#[cfg(target_os = "linux")]
fn is_pinned() -> bool {
    rustix::thread::sched_getaffinity(None).is_ok_and(|allowed| allowed.count() == 1)
}

#[cfg(not(target_os = "linux"))]
fn is_pinned() -> bool {
    false
}

fn online() -> usize {
    // SAFETY: `sysconf` reads no memory of ours.
    let n = unsafe { libc::sysconf(libc::_SC_NPROCESSORS_ONLN) };
    usize::try_from(n).unwrap_or(1).max(1)
}
