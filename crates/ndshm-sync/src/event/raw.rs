//! The words of an event, and how they change.

use crate::atomic::{AtomicU64, Ordering};
use crate::member::Members;
use crate::park::{Look, Sleepers};
use crate::wait::{Deadline, Spin};

/// What those who set an event write.
#[repr(C)]
#[derive(Debug)]
pub(super) struct Sets {
    count: AtomicU64,
    pub(super) sleepers: Sleepers,
}

/// What those who take it back write.
#[repr(transparent)]
#[derive(Debug)]
pub(super) struct Undone(AtomicU64);

/// Two counts in shared memory, on a cache line each: how often it was set, and how many of these
/// are over. The event is set while they differ. Valid when zeroed, no owner, nothing to mend after a
/// death.
///
/// | change | by | how |
/// |---|---|---|
/// | sets + 1 | who sets | an addition |
/// | undone = sets, as it was read | a waiter that an auto-reset event lets go | compare-and-swap |
/// | the same | who resets | compare-and-swap |
///
/// **Why not a flag.** One flag that the waiter has to take back would go from cache to cache twice
/// as often: here the setter's line is written by setters alone, and the waiter takes an event back
/// on a line that it has to itself. (Measured between two pinned processors: a flag and these counts
/// are equally fast while both spin, and both as fast as a bare atomic.) What the counts bring is
/// that nothing is lost: one that waits for a manual event sees that it *was* set, even where it is
/// reset before that waiter comes to look. And since a set is an addition, one that is let go has
/// what *all* earlier setters wrote, not only the last; a plain store of a flag would cut the
/// others' release sequence off.
#[derive(Clone, Copy, Debug)]
pub(super) struct RawEvent<'m> {
    pub(super) sets: &'m Sets,
    pub(super) undone: &'m Undone,
    pub(super) auto: bool,
}

impl RawEvent<'_> {
    #[inline]
    pub(super) fn set(&self, members: &Members<'_>) {
        // Release pairs with the Acquire in `sets_so_far`.
        self.sets.count.fetch_add(1, Ordering::Release);
        if self.auto {
            self.sets.sleepers.wake_one(members);
        } else {
            self.sets.sleepers.wake_all(members);
        }
    }

    pub(super) fn reset(&self) {
        self.undo();
    }

    /// Takes back what was set; whether anything was. Of several that try, one does.
    fn undo(&self) -> bool {
        let sets = self.sets_so_far();
        let mut undone = self.undone.0.load(Ordering::Relaxed);
        // Another that was quicker may have read an older count of sets than this one did, and left
        // some. Counts that are behind `undone` have been undone by one that read a newer.
        while undone < sets {
            // Relaxed: says who takes it; what was written before it was set came with `sets`.
            let (ok, now) = (Ordering::Relaxed, Ordering::Relaxed);
            match self.undone.0.compare_exchange(undone, sets, ok, now) {
                Ok(_) => return true,
                Err(now) => undone = now,
            }
        }
        false
    }

    /// How often it was set: for one that begins to wait.
    #[inline]
    pub(super) fn sets_so_far(&self) -> u64 {
        self.sets.count.load(Ordering::Acquire)
    }

    #[inline]
    pub(super) fn is_set(&self) -> bool {
        self.sets_so_far() > self.undone.0.load(Ordering::Relaxed)
    }

    /// Whether one that has waited since then may go on; takes an auto-reset event back.
    #[inline]
    pub(super) fn pass(&self, since: u64) -> bool {
        if self.auto {
            return self.undo();
        }
        let sets = self.sets_so_far();
        sets != since || sets > self.undone.0.load(Ordering::Relaxed)
    }

    /// Waits until it may go on; `false` when the deadline has passed.
    #[cold]
    pub(super) fn wait(
        &self,
        since: u64,
        members: &Members<'_>,
        spin: &mut Spin,
        deadline: Deadline,
    ) -> bool {
        // Nobody is waited for in particular, so there is nobody whose life to ask for.
        let look = |_: Look| self.pass(since).then_some(());
        self.sets.sleepers.wait(members, spin, deadline, look).is_some()
    }
}
