//! The words of a signal semaphore, and how they change.

use crate::atomic::{AtomicU32, Ordering};
use crate::member::Members;
use crate::park::{Look, Sleepers};
use crate::wait::{Deadline, Spin};

/// A count in shared memory and whether anybody sleeps for it. Valid when zeroed, no owner, nothing to
/// mend after a death.
///
/// What stands in the word is the value less what the semaphore began with (modulo 2^32), so
/// nobody has to write a first value. All that changes it is a compare-and-swap: up by who posts,
/// down by who takes and found it above zero.
#[repr(C)]
#[derive(Debug)]
pub(super) struct RawSignal {
    count: AtomicU32,
    sleepers: Sleepers,
}

impl RawSignal {
    #[inline]
    pub(super) fn value(&self, initial: u32) -> u32 {
        self.count.load(Ordering::Relaxed).wrapping_add(initial)
    }

    pub(super) fn has_sleepers(&self) -> bool {
        self.sleepers.any()
    }

    /// Adds `n`; the value where that would be more than fits.
    #[inline]
    pub(super) fn post(&self, initial: u32, n: u32, members: &Members<'_>) -> Result<(), u32> {
        let mut count = self.count.load(Ordering::Relaxed);
        loop {
            let value = count.wrapping_add(initial);
            if value.checked_add(n).is_none() {
                return Err(value);
            }
            let more = count.wrapping_add(n);
            // Release: who takes sees what was written before. Every change is a read-modify-write, so
            // one that takes sees it of all who posted before that.
            let (ok, now) = (Ordering::Release, Ordering::Relaxed);
            match self.count.compare_exchange_weak(count, more, ok, now) {
                Ok(_) => break,
                Err(now) => count = now,
            }
        }
        // As many as can go on, and no more.
        self.sleepers.wake_some(members, n);
        Ok(())
    }

    /// Takes one, if there is one.
    #[inline]
    pub(super) fn take(&self, initial: u32) -> bool {
        let mut count = self.count.load(Ordering::Relaxed);
        while count.wrapping_add(initial) != 0 {
            let less = count.wrapping_sub(1);
            // Acquire pairs with the Release in `post`.
            let (ok, now) = (Ordering::Acquire, Ordering::Relaxed);
            match self.count.compare_exchange_weak(count, less, ok, now) {
                Ok(_) => return true,
                Err(now) => count = now,
            }
        }
        false
    }

    /// Waits until it has taken one; `false` when the deadline has passed.
    #[cold]
    pub(super) fn wait(
        &self,
        initial: u32,
        members: &Members<'_>,
        spin: &mut Spin,
        deadline: Deadline,
    ) -> bool {
        // Nobody is waited for in particular, so there is nobody whose life to ask for.
        let look = |_: Look| self.take(initial).then_some(());
        self.sleepers.wait(members, spin, deadline, look).is_some()
    }
}
