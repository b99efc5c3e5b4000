//! The C library's primitives between processes (`PTHREAD_PROCESS_SHARED`), in shared memory.

use std::ffi::c_int;

mod barrier;
mod condvar;
mod mutex;
mod rwlock;
mod semaphore;

pub(crate) use barrier::PthreadBarrier;
pub(crate) use condvar::PthreadTurns;
pub(crate) use mutex::PthreadMutex;
pub(crate) use rwlock::PthreadRwLock;
pub(crate) use semaphore::PosixSemaphore;

/// Nothing here may fail.
#[inline]
fn succeeds(what: &str, r: c_int) {
    assert!(r == 0, "{what}: {}", std::io::Error::from_raw_os_error(r));
}
