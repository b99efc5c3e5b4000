//! The word of a condvar, and how it changes.

use crate::atomic::{AtomicU32, Ordering};
use crate::member::Members;
use crate::wait::{Deadline, Spin};

/// Somebody waits: who notifies has to say so here.
const WAITING: u32 = 1;
/// Somebody sleeps, or is about to: who notifies has to wake.
const SLEEPING: u32 = 2;
const FLAGS: u32 = WAITING | SLEEPING;
/// Above the flags: counts notifications, wraps.
const ONE: u32 = 4;

/// A word in shared memory: a count of notifications, and whether anybody cares. Valid when zeroed.
///
/// | bits | what |
/// |---|---|
/// | 0 | `WAITING` |
/// | 1 | `SLEEPING` |
/// | 2-31 | the count *n*, wraps |
///
/// Every change is one compare-and-swap:
///
/// | from | to | by |
/// |---|---|---|
/// | *n* | *n*, `WAITING` | a waiter that holds its mutex |
/// | *n*, `WAITING` | the same, `SLEEPING` | a waiter, before it sleeps |
/// | *n*, `WAITING` | *n* + 1 | who notifies: all spin, and see it |
/// | *n*, both | *n* + 1, both | who notifies one: it wakes one, the others sleep on |
/// | *n*, both | *n* + 1 | who notifies all; who notifies one and found nobody asleep |
///
/// **Flags and count are one word**, which is also the futex, because the flags spare those who notify
/// all work where nobody waits. In words of their own they could be cleared by one that notified
/// earlier, after a waiter had read the count and found the flag still set: the next to notify
/// would see no flag and do nothing, and that waiter would sleep on an unchanged count. Here a flag
/// goes only together with the count that waiters compare.
///
/// **Nothing is missed between unlocking and sleeping.** A waiter sets `WAITING` and takes its
/// ticket while it holds the mutex; who changes what it waits for does so under the same mutex
/// later, so its load of this word is ordered after that by the mutex's release and acquire. It sees
/// the flag, or a later state of the word, which has another count. And the kernel compares the
/// word with the ticket when it puts the waiter to sleep. So there is no fence here beyond those
/// of the mutex.
///
/// Whoever looks and finds another count than that of its ticket is done. So a notification that one
/// waiter takes to its grave, or that its sender died before sending on, lets all those go on that
/// waited when it was counted, after their slice: at most 40 ms.
#[repr(transparent)]
#[derive(Debug, Default)]
pub(super) struct RawCondvar(AtomicU32);

/// The word as a waiter found it while it held the mutex.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ticket(u32);

impl Ticket {
    const fn is_called(self, word: u32) -> bool {
        (self.0 ^ word) & !FLAGS != 0
    }
}

impl RawCondvar {
    /// Says that the caller waits from now on, while it holds the mutex.
    pub(super) fn register(&self) -> Ticket {
        // Relaxed: the mutex orders it (see above).
        let word = self.0.load(Ordering::Relaxed);
        if word & WAITING != 0 {
            return Ticket(word);
        }
        Ticket(self.0.fetch_or(WAITING, Ordering::Relaxed))
    }

    /// Waits, without the mutex, until somebody notifies or `look`, asked before each sleep, says that
    /// it is time to look; `false` when the deadline has passed.
    pub(super) fn wait(
        &self,
        members: &Members<'_>,
        ticket: Ticket,
        spin: &mut Spin,
        deadline: Deadline,
        mut look: impl FnMut() -> bool,
    ) -> bool {
        loop {
            // Acquire pairs with the Release of who notifies, for what it wrote outside any mutex.
            let word = self.0.load(Ordering::Acquire);
            if ticket.is_called(word) {
                return true;
            }
            if spin.pass() {
                continue;
            }
            if look() {
                return true;
            }
            let Some(slice) = deadline.slice() else { return false };
            let asleep = word | FLAGS;
            // Relaxed: the system call compares the word once more, under the kernel's lock for it.
            if word == asleep
                || self
                    .0
                    .compare_exchange(word, asleep, Ordering::Relaxed, Ordering::Relaxed)
                    .is_ok()
            {
                members.sleep(&self.0, asleep, slice);
            }
        }
    }

    /// Lets one that waits go on at least. One load where nobody waits.
    #[inline]
    pub(super) fn notify_one(&self, members: &Members<'_>) {
        if self.anybody() {
            self.notify(members, |word| if word & SLEEPING == 0 { 0 } else { FLAGS });
        }
    }

    /// Lets all that wait go on. One load where nobody waits.
    #[inline]
    pub(super) fn notify_all(&self, members: &Members<'_>) {
        if self.anybody() {
            self.notify(members, |_| 0);
        }
    }

    /// Whether somebody waits, or has waited since the last notification.
    #[inline]
    pub(super) fn anybody(&self) -> bool {
        // Relaxed: the mutex orders it (see above).
        self.0.load(Ordering::Relaxed) & WAITING != 0
    }

    pub(super) fn has_sleepers(&self) -> bool {
        self.0.load(Ordering::Relaxed) & SLEEPING != 0
    }

    /// Counts, leaves the flags that `keep` says, and wakes: one where it left some, else all.
    #[cold]
    fn notify(&self, members: &Members<'_>, keep: impl Fn(u32) -> u32) {
        let mut word = self.0.load(Ordering::Relaxed);
        let next = loop {
            if word & WAITING == 0 {
                return; // Another has notified all since; it also speaks for this one.
            }
            let next = (word & !FLAGS).wrapping_add(ONE) | keep(word);
            match self.replace(word, next) {
                Ok(()) => break next,
                Err(now) => word = now,
            }
        };
        if word & SLEEPING == 0 {
            return;
        }
        if next & SLEEPING == 0 {
            members.wake(&self.0, Members::ALL);
        } else if members.wake(&self.0, 1) == 0 {
            // Those who were about to sleep see another count. Should one with a newer ticket have
            // begun to in this moment, it looks once more: the flags go only with the count.
            if self.replace(next, (next & !FLAGS).wrapping_add(ONE)).is_ok() {
                members.wake(&self.0, Members::ALL);
            }
        }
    }

    fn replace(&self, from: u32, to: u32) -> Result<(), u32> {
        // Release pairs with the Acquire in `wait`.
        self.0.compare_exchange(from, to, Ordering::Release, Ordering::Relaxed).map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_do_not_count() {
        let ticket = Ticket(7 * ONE + WAITING);
        assert!(!ticket.is_called(7 * ONE) && !ticket.is_called(7 * ONE + FLAGS));
        assert!(ticket.is_called(8 * ONE) && ticket.is_called(6 * ONE + FLAGS));
        let last = Ticket(u32::MAX);
        assert!(last.is_called(0) && last.is_called(FLAGS) && !last.is_called(!FLAGS));
    }
}
