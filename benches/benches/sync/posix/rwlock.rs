use std::cell::UnsafeCell;
use std::mem::MaybeUninit;

use super::succeeds;
use crate::arena::{Arena, Shared};
use crate::rwlock::Pair;

/// A read-write lock and the pair it guards.
#[repr(C, align(64))]
#[derive(Debug)]
pub(crate) struct PthreadRwLock {
    lock: UnsafeCell<libc::pthread_rwlock_t>,
    value: UnsafeCell<Pair>,
}

// SAFETY: made to be used by many threads, of many processes; the value is reached under the lock.
unsafe impl Sync for PthreadRwLock {}
// SAFETY: as for `Sync`; all zeroes are an unlocked lock of the C library.
unsafe impl Shared for PthreadRwLock {}

impl PthreadRwLock {
    /// A new one.
    ///
    /// # Panics
    ///
    /// When the C library refuses.
    #[must_use]
    pub(crate) fn create(arena: &Arena) -> &'static Self {
        let this: &Self = arena.take();
        let mut attributes = MaybeUninit::<libc::pthread_rwlockattr_t>::uninit();
        let attributes = attributes.as_mut_ptr();
        // SAFETY: room for the attributes, which this initialises.
        succeeds("init", unsafe { libc::pthread_rwlockattr_init(attributes) });
        let shared = libc::PTHREAD_PROCESS_SHARED;
        // SAFETY: initialised above.
        succeeds("pshared", unsafe { libc::pthread_rwlockattr_setpshared(attributes, shared) });
        // SAFETY: nobody uses it yet; the attributes are initialised.
        succeeds("rwlock_init", unsafe { libc::pthread_rwlock_init(this.lock.get(), attributes) });
        this
    }

    /// Locks for reading, has `body` at the value, unlocks.
    #[inline]
    pub(crate) fn read<R>(&self, body: impl FnOnce(&Pair) -> R) -> R {
        // SAFETY: made by `create`.
        succeeds("rdlock", unsafe { libc::pthread_rwlock_rdlock(self.lock.get()) });
        // SAFETY: the lock is held for reading.
        let result = body(unsafe { &*self.value.get() });
        self.unlock();
        result
    }

    /// Locks for writing, has `body` at the value, unlocks.
    pub(crate) fn write(&self, body: impl FnOnce(&mut Pair)) {
        // SAFETY: made by `create`.
        succeeds("wrlock", unsafe { libc::pthread_rwlock_wrlock(self.lock.get()) });
        // SAFETY: the lock is held for writing.
        body(unsafe { &mut *self.value.get() });
        self.unlock();
    }

    #[inline]
    fn unlock(&self) {
        // SAFETY: locked by this thread.
        unsafe { libc::pthread_rwlock_unlock(self.lock.get()) };
    }
}
