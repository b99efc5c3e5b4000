use std::cell::UnsafeCell;
use std::mem::MaybeUninit;

use super::succeeds;
use crate::arena::{Arena, Shared};

/// A mutex and the number it guards.
#[repr(C, align(64))]
#[derive(Debug)]
pub(crate) struct PthreadMutex {
    pub(super) mutex: UnsafeCell<libc::pthread_mutex_t>,
    value: UnsafeCell<u64>,
}

// SAFETY: made to be used by many threads, of many processes; the value is reached under the lock.
unsafe impl Sync for PthreadMutex {}
// SAFETY: as for `Sync`; all zeroes are an unlocked mutex of the C library.
unsafe impl Shared for PthreadMutex {}

impl PthreadMutex {
    /// A new one.
    ///
    /// # Panics
    ///
    /// When the C library refuses.
    #[must_use]
    pub(crate) fn create(arena: &Arena, robust: bool) -> &'static Self {
        let this: &Self = arena.take();
        this.init(robust);
        this
    }

    pub(super) fn init(&self, robust: bool) {
        let mut attributes = MaybeUninit::<libc::pthread_mutexattr_t>::uninit();
        let attributes = attributes.as_mut_ptr();
        // SAFETY: room for the attributes, which this initialises.
        succeeds("init", unsafe { libc::pthread_mutexattr_init(attributes) });
        let shared = libc::PTHREAD_PROCESS_SHARED;
        // SAFETY: initialised above.
        succeeds("pshared", unsafe { libc::pthread_mutexattr_setpshared(attributes, shared) });
        if robust {
            let robust = libc::PTHREAD_MUTEX_ROBUST;
            // SAFETY: initialised above.
            succeeds("robust", unsafe { libc::pthread_mutexattr_setrobust(attributes, robust) });
        }
        // SAFETY: nobody uses it yet; the attributes are initialised.
        succeeds("mutex_init", unsafe { libc::pthread_mutex_init(self.mutex.get(), attributes) });
    }

    /// Locks, has `body` at the value, unlocks.
    ///
    /// # Panics
    ///
    /// When a holder died.
    #[inline]
    pub(crate) fn with<R>(&self, body: impl FnOnce(&mut u64) -> R) -> R {
        self.lock();
        // SAFETY: the lock is held.
        let result = body(unsafe { &mut *self.value.get() });
        self.unlock();
        result
    }

    #[inline]
    pub(super) fn lock(&self) {
        // SAFETY: made by `init`.
        succeeds("mutex_lock", unsafe { libc::pthread_mutex_lock(self.mutex.get()) });
    }

    #[inline]
    pub(super) fn unlock(&self) {
        // SAFETY: locked by this thread.
        unsafe { libc::pthread_mutex_unlock(self.mutex.get()) };
    }

    /// The value, by one that has locked.
    #[inline]
    pub(super) fn get(&self) -> u64 {
        // SAFETY: the lock is held.
        unsafe { self.value.get().read() }
    }

    /// Another value, by one that has locked.
    #[inline]
    pub(super) fn set(&self, value: u64) {
        // SAFETY: the lock is held.
        unsafe { self.value.get().write(value) };
    }
}
