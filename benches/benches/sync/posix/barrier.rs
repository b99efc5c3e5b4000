use std::cell::UnsafeCell;
use std::mem::MaybeUninit;

use super::succeeds;
use crate::arena::{Arena, Shared};

/// A barrier.
#[repr(C, align(64))]
#[derive(Debug)]
pub(crate) struct PthreadBarrier(UnsafeCell<libc::pthread_barrier_t>);

// SAFETY: made to be used by many threads, of many processes.
unsafe impl Sync for PthreadBarrier {}
// SAFETY: as for `Sync`; initialised before anybody waits there.
unsafe impl Shared for PthreadBarrier {}

impl PthreadBarrier {
    /// A new one for so many.
    ///
    /// # Panics
    ///
    /// When the C library refuses.
    #[must_use]
    pub(crate) fn create(arena: &Arena, parties: usize) -> &'static Self {
        let this: &Self = arena.take();
        let mut attributes = MaybeUninit::<libc::pthread_barrierattr_t>::uninit();
        let attributes = attributes.as_mut_ptr();
        // SAFETY: room for the attributes, which this initialises.
        succeeds("init", unsafe { libc::pthread_barrierattr_init(attributes) });
        let shared = libc::PTHREAD_PROCESS_SHARED;
        // SAFETY: initialised above.
        succeeds("pshared", unsafe { libc::pthread_barrierattr_setpshared(attributes, shared) });
        let parties = u32::try_from(parties).expect("few");
        // SAFETY: nobody uses it yet; the attributes are initialised.
        let r = unsafe { libc::pthread_barrier_init(this.0.get(), attributes, parties) };
        succeeds("barrier_init", r);
        this
    }

    /// Waits for the others.
    #[inline]
    pub(crate) fn wait(&self) {
        // SAFETY: made by `create`.
        let r = unsafe { libc::pthread_barrier_wait(self.0.get()) };
        assert!(r == 0 || r == libc::PTHREAD_BARRIER_SERIAL_THREAD, "barrier_wait: {r}");
    }
}
