//! What a reader-writer lock asks of the lock of its writers.

use super::outcome::{Acquired, NotAcquired};
use super::raw::{LOCKED, OUTSIDE, OWNER, POISONED, RawMutex};
use crate::atomic::{Ordering, compiler_fence};
use crate::member::{MemberId, Members};
use crate::wait::{Deadline, Spin};

/// A lock as one sees it that does not want it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    Locked,
    Free,
    /// Free, and whoever had it died or panicked.
    Poisoned,
}

impl RawMutex {
    /// One load.
    #[inline]
    pub(crate) fn seen(&self) -> Seen {
        // Acquire pairs with the Release of `unlock`: who sees the lock free sees what its last
        // holder wrote.
        match self.word.load(Ordering::Acquire) {
            word if word & LOCKED != 0 => Seen::Locked,
            word if word & POISONED != 0 => Seen::Poisoned,
            _ => Seen::Free,
        }
    }

    /// Takes the lock, without the right to use what it guards: that is for [`enter`](Self::enter). A
    /// death before that poisons nothing.
    #[inline]
    pub(crate) fn lock_outside(
        &self,
        members: &Members<'_>,
        spin: &mut Spin,
        deadline: Deadline,
    ) -> Result<Acquired, NotAcquired> {
        match self.fast(members, OUTSIDE)? {
            Some(got) => Ok(got),
            None => self.contend(members, OUTSIDE, spin, deadline),
        }
    }

    /// From here on the holder's death poisons.
    ///
    /// # Safety
    ///
    /// This membership holds the lock, by [`lock_outside`](Self::lock_outside).
    #[inline]
    pub(crate) unsafe fn enter(&self) {
        // Only the holder changes the word while it lives, so nothing comes between load and store.
        // Release: as in `fast`, who reads this owner sees its stamp; a plain store ends the sequence
        // that the compare-and-swap began.
        let word = self.word.load(Ordering::Relaxed);
        self.word.store(word & !OUTSIDE, Ordering::Release);
        // Who comes after a death sees all stores before the last instruction, and none after: what
        // is changed from here on must be compiled behind this one.
        compiler_fence(Ordering::SeqCst);
    }

    /// Whether it is held by one that has not entered. One load.
    pub(crate) fn is_held_outside(&self) -> bool {
        let word = self.word.load(Ordering::Relaxed);
        word & (LOCKED | OUTSIDE) == LOCKED | OUTSIDE
    }

    /// Frees the lock where a dead member holds it, and poisons it where that had entered; whether it
    /// did. A system call where another member holds the lock.
    pub(crate) fn free_from_the_dead(&self, members: &Members<'_>) -> bool {
        loop {
            // Acquire: with an owner comes its stamp.
            let word = self.word.load(Ordering::Acquire);
            let owner = MemberId::from_bits(word & OWNER);
            if word & LOCKED == 0 || owner.is_some_and(|owner| members.is_alive(owner)) {
                return false;
            }
            if self.inherit(word, members, OUTSIDE).is_ok() {
                break;
            }
        }
        // SAFETY: taken over just now; this member has referred to nothing that it guards.
        unsafe { self.unlock(members) };
        true
    }
}
