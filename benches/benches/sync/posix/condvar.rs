use std::cell::UnsafeCell;
use std::mem::MaybeUninit;

use super::{PthreadMutex, succeeds};
use crate::arena::{Arena, Shared};

/// A condition variable, with the mutex and the number that it is about.
#[repr(C, align(64))]
#[derive(Debug)]
pub(crate) struct PthreadTurns {
    mutex: PthreadMutex,
    condition: UnsafeCell<libc::pthread_cond_t>,
}

// SAFETY: made to be used by many threads, of many processes.
unsafe impl Sync for PthreadTurns {}
// SAFETY: as for `Sync`; all zeroes are a condition variable of the C library.
unsafe impl Shared for PthreadTurns {}

impl PthreadTurns {
    /// A new one.
    ///
    /// # Panics
    ///
    /// When the C library refuses.
    #[must_use]
    pub(crate) fn create(arena: &Arena) -> &'static Self {
        let this: &Self = arena.take();
        this.mutex.init(false);
        let mut attributes = MaybeUninit::<libc::pthread_condattr_t>::uninit();
        let attributes = attributes.as_mut_ptr();
        // SAFETY: room for the attributes, which this initialises.
        succeeds("init", unsafe { libc::pthread_condattr_init(attributes) });
        let shared = libc::PTHREAD_PROCESS_SHARED;
        // SAFETY: initialised above.
        succeeds("pshared", unsafe { libc::pthread_condattr_setpshared(attributes, shared) });
        // SAFETY: nobody uses it yet; the attributes are initialised.
        succeeds("cond_init", unsafe { libc::pthread_cond_init(this.condition.get(), attributes) });
        this
    }

    /// Wakes one, where there is one.
    #[inline]
    pub(crate) fn notify_one(&self) {
        // SAFETY: made by `create`.
        succeeds("cond_signal", unsafe { libc::pthread_cond_signal(self.condition.get()) });
    }

    /// Waits until the number is `from`, and makes it `to`, notifying one.
    #[inline]
    pub(crate) fn turn(&self, from: u64, to: u64) {
        self.mutex.lock();
        while self.mutex.get() != from {
            let (condition, mutex) = (self.condition.get(), self.mutex.mutex.get());
            // SAFETY: both made by `create`; the mutex is locked by this thread.
            succeeds("cond_wait", unsafe { libc::pthread_cond_wait(condition, mutex) });
        }
        self.mutex.set(to);
        self.notify_one();
        self.mutex.unlock();
    }
}
