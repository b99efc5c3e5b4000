//! The words of a semaphore, and how they change.

use crate::atomic::{AtomicU64, Ordering};
use crate::member::{MemberId, Members};
use crate::park::{Look, Sleepers};
use crate::wait::{Deadline, Spin};

/// The permits of a semaphore, one word each: 0 for a free one, else its owner
/// ([`MemberId::to_bits`]).
///
/// | state | next |
/// |---|---|
/// | free: 0 | held: compare-and-swap by an acquirer, to itself |
/// | held | free: one plain store by the owner, which then wakes one that sleeps. Held by another: compare-and-swap by an acquirer that found the owner dead |
///
/// An owner is a process's membership: threads of one process hold permits apart from each other, and
/// any of them may release any.
#[derive(Clone, Copy, Debug)]
pub(super) struct RawSemaphore<'m> {
    pub(super) permits: &'m [AtomicU64],
    pub(super) sleepers: &'m Sleepers,
    pub(super) members: &'m Members<'m>,
}

/// A permit that was had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Taken {
    pub(super) permit: usize,
    /// Who died with it.
    pub(super) from: Option<MemberId>,
}

impl RawSemaphore<'_> {
    /// Takes a free permit, if there is one: by one compare-and-swap where nobody else wants it.
    #[inline]
    pub(super) fn take_free(&self) -> Option<Taken> {
        self.all_from_here().find_map(|permit| {
            // Relaxed: only the compare-and-swap decides.
            if self.permits[permit].load(Ordering::Relaxed) != 0 {
                return None;
            }
            self.replace(permit, 0).ok().map(|()| Taken { permit, from: None })
        })
    }

    /// Waits for a permit, as long as those who hold them live; `None` when the deadline has passed.
    #[cold]
    pub(super) fn wait(&self, spin: &mut Spin, deadline: Deadline) -> Option<Taken> {
        self.sleepers.wait(self.members, spin, deadline, |look| match look {
            Look::Quick => self.take_free(),
            Look::Thorough => self.take_any(),
        })
    }

    /// Takes a free permit, or one that a dead member holds: a system call for each other member that
    /// holds some in a row.
    fn take_any(&self) -> Option<Taken> {
        let mut lives = None;
        self.all_from_here().find_map(|permit| {
            // Acquire: with an owner comes the stamp that it joined with (see `replace`).
            let word = self.permits[permit].load(Ordering::Acquire);
            let owner = MemberId::from_bits(word);
            if word != 0 && owner.is_some() && owner == lives {
                return None;
            }
            if owner.is_some_and(|owner| self.members.is_alive(owner)) {
                lives = owner;
                return None;
            }
            self.replace(permit, word).ok()?;
            // A word that names nobody was corrupted; then this member is as good a name as any.
            let from = (word != 0).then(|| owner.unwrap_or(self.members.me()));
            Some(Taken { permit, from })
        })
    }

    /// Each member begins at another permit, so that they do not all try for the same.
    fn all_from_here(&self) -> impl Iterator<Item = usize> {
        let (all, here) = (self.permits.len(), usize::from(self.members.me().slot()));
        let here = here % all;
        (here..all).chain(0..here)
    }

    fn replace(&self, permit: usize, from: u64) -> Result<(), u64> {
        let mine = self.members.me().to_bits();
        // Acquire: what the last owner wrote before its Release, or before it died, is seen from here
        // on. Release: who reads this owner sees its stamp, and so cannot take an older generation
        // there for proof of its death.
        self.permits[permit]
            .compare_exchange(from, mine, Ordering::AcqRel, Ordering::Relaxed)
            .map(|_| ())
    }

    /// Gives a permit back, which this membership holds.
    #[inline]
    pub(super) fn release(&self, permit: usize) {
        // Only its owner changes the word while it lives. Release: the next owner sees what was written
        // with the permit.
        self.permits[permit].store(0, Ordering::Release);
        self.sleepers.wake_one(self.members);
    }

    /// Who holds the permits, one entry for each that is held. A word that names nobody counts as
    /// held by `None`.
    pub(super) fn owners(&self) -> impl Iterator<Item = Option<MemberId>> {
        // Acquire: as in `take_any`.
        let words = self.permits.iter().map(|permit| permit.load(Ordering::Acquire));
        words.filter(|&word| word != 0).map(MemberId::from_bits)
    }
}
