//! Sleeping on a 64-bit word: on its low half, which is as much as a futex can be.

use std::sync::atomic::{AtomicU32, AtomicU64};
use std::time::Duration;

use crate::sys;

/// Sleeps while the low half of `word` is that of `seen`, for at most `timeout`; may return early.
pub(crate) fn wait(word: &AtomicU64, seen: u64, timeout: Duration) {
    sys::futex_wait(low_half(word), low(seen), timeout);
}

/// Wakes one of those who sleep on `word`.
pub(crate) fn wake_one(word: &AtomicU64) {
    sys::futex_wake(low_half(word), 1);
}

/// Wakes all who sleep on `word`.
pub(crate) fn wake_all(word: &AtomicU64) {
    sys::futex_wake(low_half(word), sys::ALL);
}

fn low_half(word: &AtomicU64) -> &AtomicU32 {
    let half = usize::from(cfg!(target_endian = "big"));
    let halves = std::ptr::from_ref(word).cast::<AtomicU32>();
    // SAFETY: `half` is 0 or 1, and the word has two halves.
    let low = unsafe { halves.add(half) };
    // SAFETY: within the word, which outlives the result; an `AtomicU64` may be changed behind a
    // shared reference, and only the kernel reads the half.
    unsafe { &*low }
}

#[allow(clippy::cast_possible_truncation, reason = "takes the low half")]
const fn low(word: u64) -> u32 {
    word as u32
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use super::*;

    #[test]
    fn the_futex_is_the_low_half() {
        let word = AtomicU64::new(0x1111_2222_3333_4444);
        assert_eq!(low_half(&word).load(Ordering::Relaxed), 0x3333_4444);
        assert_eq!(low(0x1111_2222_3333_4444), 0x3333_4444);
    }
}
