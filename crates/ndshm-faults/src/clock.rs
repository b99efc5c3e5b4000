//! The monotonic clock, as a number that processes can hand to each other.

use std::time::Duration;

/// Nanoseconds since some moment that is the same for all processes.
pub(crate) fn nanos() -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: room for the time; this clock exists on every Linux.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut now) };
    u64::try_from(now.tv_sec).unwrap_or(0) * 1_000_000_000 + u64::try_from(now.tv_nsec).unwrap_or(0)
}

/// What has passed since [`nanos`] said `then`.
pub(crate) fn since(then: u64) -> Duration {
    Duration::from_nanos(nanos().saturating_sub(then))
}
