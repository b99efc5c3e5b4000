//! The C library's primitives between processes (`PTHREAD_PROCESS_SHARED`), in shared memory.

use std::ffi::c_int;

mod barrier;
//&
mod mutex;
mod rwlock;
//&

pub(crate) use barrier::PthreadBarrier;
//&::PthreadTurns;
pub(crate) use mutex::PthreadMutex;
pub(crate) use rwlock::PthreadRwLock;
//&::PosixSemaphore;

/// Nothing here may fail.
#[inline]
fn succeeds(what: &str, r: c_int) {
    assert!(r == 0, "{what}: {}", std::io::Error::from_raw_os_error(r));
}
