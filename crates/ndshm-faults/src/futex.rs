//! Sleeping on the campaign's own words: not by what is under test.

use std::ptr;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

/// Sleeps while the word is `expected`, for at most `most`; may return early.
pub(crate) fn wait(word: &AtomicU32, expected: u32, most: Duration) {
    let timeout = libc::timespec {
        tv_sec: libc::time_t::try_from(most.as_secs()).unwrap_or(libc::time_t::MAX),
        tv_nsec: most.subsec_nanos().into(),
    };
    // SAFETY: a valid word and a valid time, both borrowed for the length of the call.
    unsafe {
        libc::syscall(
            libc::SYS_futex,
            ptr::from_ref(word),
            libc::FUTEX_WAIT,
            expected,
            ptr::from_ref(&timeout),
        )
    };
}

/// Wakes all who sleep on the word, in any process.
pub(crate) fn wake(word: &AtomicU32) {
    // SAFETY: the kernel takes the address as a name, and touches no memory of ours.
    unsafe { libc::syscall(libc::SYS_futex, ptr::from_ref(word), libc::FUTEX_WAKE, i32::MAX) };
}
