//! The C library's mutex between processes.

use std::cell::UnsafeCell;
use std::mem::MaybeUninit;
use std::ptr::NonNull;

/// A `PTHREAD_PROCESS_SHARED` mutex in shared memory and the number it guards.
#[repr(C, align(64))]
#[derive(Debug)]
pub(crate) struct PthreadMutex {
    mutex: UnsafeCell<libc::pthread_mutex_t>,
    value: UnsafeCell<u64>,
}

// SAFETY: made to be used by many threads, of many processes; the value is reached under the lock.
unsafe impl Sync for PthreadMutex {}

impl PthreadMutex {
    /// Makes one at `place`.
    ///
    /// # Panics
    ///
    /// When the C library refuses.
    ///
    /// # Safety
    ///
    /// `place` is a page of zeroed shared memory that nothing else uses and that is never unmapped.
    #[must_use]
    pub(crate) unsafe fn create(place: NonNull<u8>, robust: bool) -> &'static Self {
        let mut attributes = MaybeUninit::<libc::pthread_mutexattr_t>::uninit();
        let attributes = attributes.as_mut_ptr();
        // SAFETY: room for the attributes, which this initialises.
        let r = unsafe { libc::pthread_mutexattr_init(attributes) };
        assert_eq!(r, 0, "pthread_mutexattr_init");
        // SAFETY: initialised above.
        let r =
            unsafe { libc::pthread_mutexattr_setpshared(attributes, libc::PTHREAD_PROCESS_SHARED) };
        assert_eq!(r, 0, "pthread_mutexattr_setpshared");
        if robust {
            // SAFETY: initialised above.
            let r = unsafe {
                libc::pthread_mutexattr_setrobust(attributes, libc::PTHREAD_MUTEX_ROBUST)
            };
            assert_eq!(r, 0, "pthread_mutexattr_setrobust");
        }
        // SAFETY: the caller's promise.
        let this = unsafe { Self::existing(place) };
        // SAFETY: nobody uses it yet (caller's promise); the attributes are initialised.
        let r = unsafe { libc::pthread_mutex_init(this.mutex.get(), attributes) };
        assert_eq!(r, 0, "pthread_mutex_init");
        this
    }

    /// The one that was made at `place`.
    ///
    /// # Safety
    ///
    /// `place` is a page where one was made, by this process or another, and is never unmapped.
    #[must_use]
    pub(crate) const unsafe fn existing(place: NonNull<u8>) -> &'static Self {
        // SAFETY: a page is large and aligned enough, and stays mapped (caller's promise); all is
        // inside cells.
        unsafe { place.cast::<Self>().as_ref() }
    }

    /// Locks, adds one, unlocks.
    ///
    /// # Panics
    ///
    /// When a holder died.
    #[inline]
    pub(crate) fn increment(&self) {
        // SAFETY: made by `create`.
        let r = unsafe { libc::pthread_mutex_lock(self.mutex.get()) };
        assert_eq!(r, 0, "pthread_mutex_lock");
        // SAFETY: the lock is held.
        unsafe { *self.value.get() += 1 };
        // SAFETY: locked above by this thread.
        unsafe { libc::pthread_mutex_unlock(self.mutex.get()) };
    }
}
