use std::cell::UnsafeCell;
use std::io::Error;

use crate::arena::{Arena, Shared};

/// A semaphore.
#[repr(C, align(64))]
#[derive(Debug)]
pub(crate) struct PosixSemaphore(UnsafeCell<libc::sem_t>);

// SAFETY: made to be used by many threads, of many processes.
unsafe impl Sync for PosixSemaphore {}
// SAFETY: as for `Sync`; initialised before anybody waits there.
unsafe impl Shared for PosixSemaphore {}

impl PosixSemaphore {
    /// A new one.
    ///
    /// # Panics
    ///
    /// When the C library refuses.
    #[must_use]
    pub(crate) fn create(arena: &Arena, initial: u32) -> &'static Self {
        let this: &Self = arena.take();
        // SAFETY: nobody uses it yet.
        let r = unsafe { libc::sem_init(this.0.get(), 1, initial) };
        assert!(r == 0, "sem_init: {}", Error::last_os_error());
        this
    }

    /// Adds one.
    #[inline]
    pub(crate) fn post(&self) {
        // SAFETY: made by `create`.
        let r = unsafe { libc::sem_post(self.0.get()) };
        assert!(r == 0, "sem_post: {}", Error::last_os_error());
    }

    /// Takes one, as soon as there is one.
    #[inline]
    pub(crate) fn wait(&self) {
        // SAFETY: made by `create`.
        while (unsafe { libc::sem_wait(self.0.get()) }) != 0 {
            let error = Error::last_os_error();
            assert!(error.kind() == std::io::ErrorKind::Interrupted, "sem_wait: {error}");
        }
    }
}
