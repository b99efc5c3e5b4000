//! The kernel's futex and clock, for the harness itself.

use std::mem::MaybeUninit;
use std::ptr;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

/// Nanoseconds of the monotonic clock, which all processes share.
///
/// # Panics
///
/// Never: there is such a clock.
#[must_use]
pub fn now() -> u64 {
    clock(libc::CLOCK_MONOTONIC)
}

/// Nanoseconds of processor time that this process has had, in all its threads: what others do on a
/// busy machine does not count.
///
/// # Panics
///
/// Never: there is such a clock.
#[must_use]
pub fn busy() -> u64 {
    clock(libc::CLOCK_PROCESS_CPUTIME_ID)
}

fn clock(which: libc::clockid_t) -> u64 {
    let mut time = MaybeUninit::<libc::timespec>::zeroed();
    // SAFETY: there is room for the time.
    let r = unsafe { libc::clock_gettime(which, time.as_mut_ptr()) };
    assert_eq!(r, 0, "clock_gettime: {}", std::io::Error::last_os_error());
    // SAFETY: zeroed, and filled by the call.
    let time = unsafe { time.assume_init() };
    u64::try_from(time.tv_sec * 1_000_000_000 + time.tv_nsec).expect("the time since the start")
}

/// Sleeps while the word is `expected`, for at most `most`. May return early.
pub fn sleep_on(word: &AtomicU32, expected: u32, most: Duration) {
    let timeout = libc::timespec {
        tv_sec: most.as_secs().try_into().unwrap_or(libc::time_t::MAX),
        tv_nsec: most.subsec_nanos().into(),
    };
    let (word, timeout) = (ptr::from_ref(word), &raw const timeout);
    // SAFETY: both live for the call.
    unsafe { libc::syscall(libc::SYS_futex, word, libc::FUTEX_WAIT, expected, timeout) };
}

/// Wakes all who sleep on the word.
pub fn wake(word: &AtomicU32) {
    let word = ptr::from_ref(word);
    // SAFETY: the word lives for the call.
    unsafe { libc::syscall(libc::SYS_futex, word, libc::FUTEX_WAKE, libc::c_int::MAX) };
}
