//! Ten thousand signals a second, from a timer of the process's own.

use std::ffi::c_int;
use std::ptr;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::atomic::{AtomicPtr, AtomicU64};

/// Between two signals.
const MICROS: libc::suseconds_t = 100;

static COUNTER: AtomicPtr<AtomicU64> = AtomicPtr::new(ptr::null_mut());

extern "C" fn count(_signal: c_int) {
    let counter = COUNTER.load(Relaxed);
    if !counter.is_null() {
        // SAFETY: only ever set to a reference that lives as long as the process.
        unsafe { &*counter }.fetch_add(1, Relaxed);
    }
}

/// From now on this process is signalled, and counts it there.
pub(crate) fn begin(counter: &'static AtomicU64) {
    COUNTER.store(ptr::from_ref(counter).cast_mut(), SeqCst);
    // SAFETY: plain data, valid when zeroed: no flags, so system calls are interrupted.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = count as extern "C" fn(c_int) as usize;
    // SAFETY: a valid action, whose handler touches one atomic and nothing else.
    unsafe { libc::sigaction(libc::SIGALRM, &raw const action, ptr::null_mut()) };
    let every = libc::timeval { tv_sec: 0, tv_usec: MICROS };
    let timer = libc::itimerval { it_interval: every, it_value: every };
    // SAFETY: a valid time; the old one is not asked for.
    unsafe { libc::setitimer(libc::ITIMER_REAL, &raw const timer, ptr::null_mut()) };
}
