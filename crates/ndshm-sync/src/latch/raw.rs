//! The words of a latch, and how they change.

use crate::atomic::{AtomicU64, Ordering, fence};
use crate::barrier::{ABSENCE, Absence, absence, absent};
use crate::member::{MemberId, Members};
use crate::park::{Look, Sleepers};
use crate::wait::{Deadline, Spin};

/// In the word of a party: it has counted down.
const DONE: u64 = 1 << 31;

/// The parties of a latch, one word each:
///
/// | bits | what |
/// |---|---|
/// | 0-15, 32-63 | who it is: slot and generation; 0 before anybody joined |
/// | 16-18 | 0, or why it will not come ([`Absence`]) |
/// | 31 | `DONE`: it has counted down |
///
/// | from | to | by | when |
/// |---|---|---|---|
/// | free; joined and absent, or dead | joined | another, or the same anew | it joins |
/// | joined, absent or not | done | the party | it counts down |
/// | joined or free | absent | the party, or its launcher | it leaves, or will not come |
///
/// Each by one compare-and-swap. Nothing leaves *done*, so a latch opens once and stays open: it is
/// open when all are done, which every waiter reads from these words alone. No death after that, and
/// none between a count-down and its wake-up, can take it back or hide it.
#[derive(Clone, Copy, Debug)]
pub(super) struct RawLatch<'m> {
    pub(super) parties: &'m [AtomicU64],
    pub(super) sleepers: &'m Sleepers,
    pub(super) members: &'m Members<'m>,
}

/// What a party's word says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Party(u64);

impl Party {
    pub(super) const fn owner(self) -> Option<MemberId> {
        MemberId::from_bits(self.0)
    }

    pub(super) const fn is_done(self) -> bool {
        self.0 & DONE != 0
    }

    fn is_owned_by(self, id: MemberId) -> bool {
        self.0 & !(DONE | ABSENCE) == id.to_bits()
    }
}

/// Why a rank was not had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotJoined {
    Taken(MemberId),
    Done(MemberId),
}

impl RawLatch<'_> {
    pub(super) fn party(&self, rank: usize) -> Party {
        // Acquire pairs with the Release of `replace`: who finds a party done sees what it wrote before;
        // and with an owner comes the stamp that it joined with.
        Party(self.parties[rank].load(Ordering::Acquire))
    }

    pub(super) fn join(&self, rank: usize) -> Result<(), NotJoined> {
        loop {
            let party = self.party(rank);
            if let Some(id) = party.owner() {
                if party.is_done() {
                    return Err(NotJoined::Done(id));
                }
                if absence(party.0).is_none() && self.members.is_alive(id) {
                    return Err(NotJoined::Taken(id));
                }
            }
            // One step: the old owner and what was said of it go together.
            if self.replace(rank, party, self.members.me().to_bits()) {
                return Ok(());
            }
        }
    }

    /// Does the part of the party that this membership joined as.
    pub(super) fn count_down(&self, rank: usize) {
        let me = self.members.me();
        loop {
            let party = self.party(rank);
            if !party.is_owned_by(me) {
                return; // It was withdrawn, and another does its part.
            }
            if self.replace(rank, party, me.to_bits() | DONE) {
                break;
            }
        }
        // SeqCst, as a fence between this store and the look at the others' words: of parties that count
        // down at the same time at least one sees all others done, and wakes. (Were none to, the
        // sleepers would see for themselves after their slice.)
        fence(Ordering::SeqCst);
        if self.is_open_from(&mut 0) {
            self.sleepers.wake_all(self.members);
        }
    }

    /// Says that the party will not come, unless it is done.
    pub(super) fn withdraw(&self, rank: usize, why: Absence) {
        loop {
            let party = self.party(rank);
            if party.is_done() {
                return;
            }
            if self.replace(rank, party, absent(party.0, why)) {
                break;
            }
        }
        self.sleepers.wake_all(self.members);
    }

    /// The same, by a party that leaves; unless another has become that party since.
    pub(super) fn leave(&self, rank: usize, why: Absence) {
        let party = self.party(rank);
        let mine = party.is_owned_by(self.members.me()) && absence(party.0).is_none();
        if mine && !party.is_done() && self.replace(rank, party, absent(party.0, why)) {
            self.sleepers.wake_all(self.members);
        }
    }

    /// Waits until all are done. `Some(false)` where one will not come, `None` when the deadline has
    /// passed.
    pub(super) fn wait(&self, spin: &mut Spin, deadline: Deadline) -> Option<bool> {
        // Nothing leaves `done`, so those at the front that are done need not be looked at again.
        let mut done = 0;
        self.sleepers.wait(self.members, spin, deadline, |look| {
            if self.is_open_from(&mut done) {
                return Some(true);
            }
            let lost = |rank| self.lost(rank).is_some();
            (look == Look::Thorough && (done..self.parties.len()).any(lost)).then_some(false)
        })
    }

    fn is_open_from(&self, done: &mut usize) -> bool {
        while *done < self.parties.len() && self.party(*done).is_done() {
            *done += 1;
        }
        *done == self.parties.len()
    }

    /// Why that party will not come and who it was, as was said, or as its process's end tells.
    /// `None` while it may, or is done; one that has not joined yet is waited for.
    pub(super) fn lost(&self, rank: usize) -> Option<(Absence, Option<MemberId>)> {
        let party = self.party(rank);
        if party.is_done() {
            return None;
        }
        if let Some(why) = absence(party.0) {
            return Some((why, party.owner()));
        }
        let owner = party.owner()?;
        if self.members.is_alive(owner) {
            return None;
        }
        // It may have counted down between that look and its death, which came before this one.
        (self.party(rank) == party).then_some((Absence::Died, Some(owner)))
    }

    fn replace(&self, rank: usize, from: Party, to: u64) -> bool {
        // Release: see `party`. Acquire: an heir sees what the last owner wrote.
        self.parties[rank].compare_exchange(from.0, to, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_word_says_does_not_overlap() {
        let id = MemberId::from_bits(u64::MAX).unwrap();
        assert_eq!(id.to_bits() & (DONE | ABSENCE), 0);
        assert_eq!(DONE & ABSENCE, 0);
        let left = Party(absent(id.to_bits(), Absence::Left));
        assert!(left.is_owned_by(id) && !left.is_done());
        let done = Party(id.to_bits() | DONE);
        assert!(done.is_owned_by(id) && done.is_done() && absence(done.0).is_none());
        assert_eq!(Party(0).owner(), None);
    }
}
