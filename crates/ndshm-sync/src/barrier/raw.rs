//! The words of a barrier, and how they change.

use std::ops::Range;

use super::error::Absence;
use crate::atomic::{AtomicU64, Ordering};
use crate::layout::Place;
use crate::member::{MemberId, Members};
use crate::park::{Look, Sleepers};
use crate::wait::{Deadline, Spin};

/// This attempt at the phase was given up: somebody will not come.
const BROKEN: u64 = 1;
/// Where the attempt begins: the number of the phase, then how often the barrier was reset.
const ATTEMPT_SHIFT: u32 = 2;
const ATTEMPT: u64 = (1 << 38) - 1;
const PHASE: u64 = (1 << 14) - 1;
const ONE_RESET: u64 = PHASE + 1;
/// Behind the attempt: how often anybody has joined.
const ONE_JOIN: u64 = 1 << 40;
const JOINS: u64 = !(ONE_JOIN - 1);

/// In the owner's word of a party: 0, or why it will not come.
const ABSENCE_SHIFT: u32 = 16;
pub(crate) const ABSENCE: u64 = 7 << ABSENCE_SHIFT;
/// In the place of an absence: it has departed, and no phase waits for it.
const DEPARTED: u64 = 5;

/// How many parties have their arrivals beside the phase word.
const FIRST: usize = 5;

/// After how many one of many parties asks before it sleeps: a system call each, that itself takes the longer the more
/// members there are. Were all to ask after all, a thousand would do nothing else for half a second a phase.
const QUESTIONS: usize = 4;

/// The head of a barrier in shared memory, followed by one cell of 64 bytes for each party. Valid
/// when zeroed.
///
/// # Layout
///
/// | offset | size | what |
/// |---|---|---|
/// | 0 | 8 | what lies here, written once by [`Layout`](crate::Layout) |
/// | 8 | 8 | the phase word, below |
/// | 16 | 4 | odd while somebody sleeps, or slept and has not been missed yet; counts; the futex |
/// | 20 | 4 | zero |
/// | 24 | 8 x 5 | for each of the ranks 0 to 4: the attempt it has arrived in, plus 1; written by the party, and by its heir on joining |
///
/// then for the party of rank *r*, at 64 x (*r* + 1):
///
/// | offset | size | what | written by |
/// |---|---|---|---|
/// | 0 | 8 | who it is: slot in bits 0-15, generation in bits 32-63, 0 before it joined; in bits 16-18 0, or why it will not come ([`Absence`]), or 5: it has departed | the party, its launcher, its heir; by compare-and-swap |
/// | 8 | 8 | from rank 5 on: the attempt it has arrived in, plus 1 | the party; its heir, on joining |
/// | 16 | 8 | the attempt it gave up when its time was over, plus 1 | the same |
/// | 24 | 40 | zero | |
///
/// The first arrivals stand beside the phase word because few parties, each on a processor, spend
/// their time on moving cache lines: one that sees the phase end has with that line the arrivals in
/// the next, and the line in which it arrives is the one in which it ends the phase.
///
/// The phase word:
///
/// | bits | what |
/// |---|---|
/// | 0 | `BROKEN` |
/// | 1 | zero |
/// | 2-15 | the phase, modulo 2^14: no party is ever more than one behind |
/// | 16-39 | how often the barrier was reset, modulo 2^24 |
/// | 40-63 | how often anybody has joined, modulo 2^24 |
///
/// Phase and resets together number the *attempt*:
///
/// | state | next, each by one compare-and-swap of the phase word |
/// |---|---|
/// | attempt (*p*, *b*) | (*p* + 1, *b*): by any party that sees that all have arrived or departed. (*p*, *b*) broken: by any that sees that one which has not arrived is dead or absent, or whose time is up |
/// | (*p*, *b*) broken | (*p*, *b* + 1): by `reset` |
/// | any | one join more: by one that has become a party |
///
/// So an attempt ends exactly once, complete or broken, and a party that looks late can tell for
/// ever which it was: the phase has moved on only if it was complete, since the next cannot be
/// without this party. A party that dies after it has arrived takes nothing from the phase; one
/// that dies after it saw that all had arrived, before it said so, is made up for by any other
/// that looks (all do before they sleep, and after each slice).
///
/// **Vacating** takes the same steps for nobody: it ends as it began, waited for.
///
/// **Departing** is one compare-and-swap of the owner's word, after which the rank counts as
/// arrived in every attempt; whoever departs then completes the attempt it was the last to be
/// missing from. A death after that is nobody's loss, and a launcher can say nothing more of the
/// rank until it is joined anew.
///
/// **Joining** takes the rank by one compare-and-swap of the owner's word, then takes back what
/// the one before left in the cell, then counts itself in the phase word. An attempt is completed
/// only from the very word that was read before all were looked at: a scan that still met the one
/// before (departed, or arrived and then dead) fails where the join came in between, and is done
/// again. So from the moment that `join` returns, no phase is completed without the new party. If
/// it dies on the way there, it is a dead party that has not arrived.
///
/// ```
/// use ndshm_sync::BarrierCell;
///
/// assert_eq!(size_of::<BarrierCell>(), 64); // the head; 64 bytes more for each party
/// assert_eq!(align_of::<BarrierCell>(), 64);
/// ```
#[repr(C, align(64))]
#[derive(Debug)]
pub struct BarrierCell {
    pub(super) place: Place,
    word: AtomicU64,
    sleepers: Sleepers,
    reserved: u32,
    arrived: [AtomicU64; FIRST],
}

#[repr(C, align(64))]
#[derive(Debug)]
pub(super) struct PartyCell {
    pub(super) owner: AtomicU64,
    arrived: AtomicU64,
    gave_up: AtomicU64,
    reserved: [u64; 5],
}

/// One try of all parties to end a phase together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Attempt(u64);

impl Attempt {
    const fn of(word: u64) -> Self {
        Self(word >> ATTEMPT_SHIFT & ATTEMPT)
    }

    const fn phase(self) -> u64 {
        self.0 & PHASE
    }

    /// The attempt after this one, once it is complete: at the next phase.
    const fn completed(self) -> Self {
        Self(self.0 & !PHASE | (self.0 + 1) & PHASE)
    }

    /// Another attempt at the same phase.
    const fn renewed(self) -> Self {
        Self((self.0 + ONE_RESET) & ATTEMPT)
    }

    /// `word`, whole, with this attempt in it.
    const fn within(self, word: u64) -> u64 {
        word & JOINS | self.0 << ATTEMPT_SHIFT
    }

    /// What stands in the cell of a party that has arrived in it, or given it up.
    const fn mark(self) -> u64 {
        self.0 + 1
    }
}

/// How a wait ended without the phase being complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotMet {
    Broken(Attempt),
    TimedOut(Attempt),
}

impl PartyCell {
    /// Why it will not come, as was said, or as its process's end tells. `None` while it may, and
    /// where it need not.
    pub(super) fn absence(&self, members: &Members<'_>, attempt: Attempt) -> Option<Absence> {
        let owner = self.owner.load(Ordering::SeqCst);
        absence(owner)
            .or_else(|| self.has_given_up(attempt).then_some(Absence::TimedOut))
            .or_else(|| (!departed(owner) && is_dead(owner, members)).then_some(Absence::Died))
    }

    pub(super) fn has_departed(&self) -> bool {
        departed(self.owner.load(Ordering::SeqCst))
    }

    fn has_given_up(&self, attempt: Attempt) -> bool {
        self.gave_up.load(Ordering::SeqCst) == attempt.mark()
    }

    /// One compare-and-swap of the owner's word; what it was where that failed.
    fn mark(&self, owner: u64, what: u64) -> Result<(), u64> {
        let marked = marked(owner, what);
        // SeqCst: a waiter that looked before this store and then sleeps did so in an attempt that
        // the load of the phase word after it sees. Release is part of it: who completes a phase
        // without one that has departed has seen what that one wrote before.
        self.owner.compare_exchange(owner, marked, Ordering::SeqCst, Ordering::SeqCst).map(|_| ())
    }
}

/// What the owner's word says of why that party will not come; nothing of one that has departed.
pub(crate) const fn absence(owner: u64) -> Option<Absence> {
    if departed(owner) { None } else { Absence::from_bits((owner & ABSENCE) >> ABSENCE_SHIFT) }
}

/// Whether the party that the owner's word names has departed.
pub(super) const fn departed(owner: u64) -> bool {
    (owner & ABSENCE) >> ABSENCE_SHIFT == DEPARTED && MemberId::from_bits(owner).is_some()
}

/// The owner's word of a party that will not come.
pub(crate) const fn absent(owner: u64, why: Absence) -> u64 {
    marked(owner, why as u64)
}

const fn marked(owner: u64, what: u64) -> u64 {
    owner & !ABSENCE | what << ABSENCE_SHIFT
}

/// One that has not joined yet is waited for: its launcher knows whether it will come.
fn is_dead(owner: u64, members: &Members<'_>) -> bool {
    MemberId::from_bits(owner).is_some_and(|id| !members.is_alive(id))
}

/// A barrier and its parties, as one process sees them.
#[derive(Clone, Copy, Debug)]
pub(super) struct RawBarrier<'m> {
    pub(super) head: &'m BarrierCell,
    pub(super) parties: &'m [PartyCell],
    pub(super) members: &'m Members<'m>,
}

impl RawBarrier<'_> {
    pub(super) fn is_broken(&self) -> bool {
        self.now().1
    }

    /// The attempt that is under way, and whether it is broken.
    pub(super) fn now(&self) -> (Attempt, bool) {
        let word = self.head.word.load(Ordering::Acquire);
        (Attempt::of(word), word & BROKEN != 0)
    }

    pub(super) fn has_sleepers(&self) -> bool {
        self.head.sleepers.any()
    }

    /// The attempt in which that party has arrived, plus 1.
    fn arrival(&self, rank: usize) -> &AtomicU64 {
        self.head.arrived.get(rank).unwrap_or(&self.parties[rank].arrived)
    }

    pub(super) fn has_arrived(&self, rank: usize, attempt: Attempt) -> bool {
        self.arrival(rank).load(Ordering::SeqCst) == attempt.mark()
    }

    /// Whether the attempt waits for it no more.
    pub(super) fn is_done(&self, rank: usize, attempt: Attempt) -> bool {
        self.has_arrived(rank, attempt) || self.parties[rank].has_departed()
    }

    /// Arrives as party `rank` and waits for the others; `true` for the one that ended the phase. Gives up where `goes_on`,
    /// asked before each sleep, says no.
    #[inline]
    pub(super) fn wait(
        &self,
        rank: usize,
        deadline: Deadline,
        goes_on: impl Fn() -> bool,
    ) -> Result<bool, NotMet> {
        let word = self.head.word.load(Ordering::Acquire);
        let attempt = Attempt::of(word);
        if word & BROKEN != 0 {
            return Err(NotMet::Broken(attempt));
        }
        // Attempts are numbered modulo 2^14 phases: what was given up long ago, by this party or the
        // one whose rank it took, must not be taken for this attempt when its number comes again.
        if self.parties[rank].gave_up.load(Ordering::Relaxed) != 0 {
            self.parties[rank].gave_up.store(0, Ordering::SeqCst);
        }
        // The arrival releases what this party wrote before the barrier; the acquiring side is the
        // phase word, whose value is stored by one that has seen every arrival. Of parties that
        // arrive together at least the last has to see all others:
        let few = self.parties.len() <= FIRST;
        if few {
            // All look at all arrivals whenever they look, and once more between the heavy fence and
            // their sleep. So a store may still be under way when its party looks for the first time.
            self.arrival(rank).store(attempt.mark(), Ordering::Release);
            self.members.light_fence();
        } else {
            // SeqCst, here and in the scan: the last in the single order of these operations.
            self.arrival(rank).store(attempt.mark(), Ordering::SeqCst);
        }
        if let Some(ended) = self.complete(attempt) {
            return ended;
        }
        let mut spin = Spin::for_parties(self.parties.len());
        let mut looks = 0;
        let ended = self.head.sleepers.wait(self.members, &mut spin, deadline, |look| {
            // Before the first sleep and after each slice the many look too: one that saw all arrive
            // may have died before it said so.
            let ended = if few || look == Look::Thorough {
                self.complete(attempt)
            } else {
                outcome(self.head.word.load(Ordering::Acquire), attempt)
            };
            if ended.is_some() || look == Look::Quick {
                return ended;
            }
            // Is there still anybody to wait for?
            if self.somebody_will_not_come(rank, attempt, looks) {
                self.give_up(attempt);
                return outcome(self.head.word.load(Ordering::Acquire), attempt);
            }
            looks += 1;
            (!goes_on()).then(|| self.time_out(rank, attempt))
        });
        ended.unwrap_or_else(|| self.time_out(rank, attempt))
    }

    /// Only those who have not arrived are asked after: the others have done their part.
    fn somebody_will_not_come(&self, rank: usize, attempt: Attempt, looks: usize) -> bool {
        let missing = || (0..self.parties.len()).filter(|&rank| !self.is_done(rank, attempt));
        let (from, most) = self.share(rank, attempt, looks);
        let mut asked = missing().skip(from).chain(missing().take(from)).take(most);
        // Of one found dead all that it wrote is seen: it may have arrived between the two looks.
        asked.any(|rank| {
            self.parties[rank].absence(self.members, attempt).is_some()
                && !self.is_done(rank, attempt)
        })
    }

    /// After which of the missing party `rank` asks at its `looks`-th look: from the how-manieth on, and after how many.
    /// After all where parties are few. Many share them, by their places among those who wait, so that after each slice
    /// all are asked after by somebody; and each goes on to the next, since one that waited may have died.
    fn share(&self, rank: usize, attempt: Attempt, looks: usize) -> (usize, usize) {
        let parties = self.parties.len();
        if parties <= FIRST {
            return (0, parties);
        }
        let waits =
            |&rank: &usize| self.has_arrived(rank, attempt) && !self.parties[rank].has_departed();
        let waiting = |ranks: Range<usize>| ranks.filter(waits).count();
        let missing = (0..parties).filter(|&rank| !self.is_done(rank, attempt)).count();
        if missing == 0 {
            return (0, 0);
        }
        let (before, all) = (waiting(0..rank), waiting(0..parties).max(1));
        let fair = if looks == 0 { 0 } else { missing.div_ceil(all) };
        let most = fair.max(QUESTIONS).min(missing);
        ((before * missing / all + looks.wrapping_mul(most)) % missing, most)
    }

    /// Ends the attempt complete if it waits for nobody; how it ended, where it has.
    #[inline]
    fn complete(&self, attempt: Attempt) -> Option<Result<bool, NotMet>> {
        loop {
            // Acquire: with the count of joins come the cells of those who joined. The word is read
            // before the cells, so that a join in between makes the swap below fail.
            let word = self.head.word.load(Ordering::Acquire);
            let ended = outcome(word, attempt);
            if ended.is_some() || !(0..self.parties.len()).all(|rank| self.is_done(rank, attempt)) {
                return ended;
            }
            // Release: whoever sees the next phase sees what all wrote before they arrived, since
            // the scan has acquired it from each of them.
            if self.replace(word, attempt.completed().within(word), Ordering::AcqRel) {
                self.head.sleepers.wake_all(self.members);
                return Some(Ok(true));
            }
        }
    }

    /// Ends the attempt broken, unless it has ended.
    fn give_up(&self, attempt: Attempt) -> bool {
        loop {
            let word = self.head.word.load(Ordering::Acquire);
            if outcome(word, attempt).is_some() {
                return false;
            }
            if self.replace(word, word | BROKEN, Ordering::AcqRel) {
                self.head.sleepers.wake_all(self.members);
                return true;
            }
        }
    }

    fn time_out(&self, rank: usize, attempt: Attempt) -> Result<bool, NotMet> {
        // Said before the attempt is broken, so that who finds it broken can read why; and of this
        // attempt only. Where it was not broken, the next arrival takes it back.
        self.parties[rank].gave_up.store(attempt.mark(), Ordering::SeqCst);
        if self.give_up(attempt) {
            return Err(NotMet::TimedOut(attempt));
        }
        let word = self.head.word.load(Ordering::Acquire);
        outcome(word, attempt).unwrap_or(Err(NotMet::Broken(attempt)))
    }

    /// Becomes the party of that rank; the living member that is, where there is one.
    pub(super) fn join(&self, rank: usize) -> Result<(), MemberId> {
        let (party, members) = (&self.parties[rank], self.members);
        let mut owner = party.owner.load(Ordering::Acquire);
        loop {
            if let Some(id) = MemberId::from_bits(owner)
                && absence(owner).is_none()
                && !departed(owner)
                && members.is_alive(id)
            {
                return Err(id);
            }
            // One step: the old owner and what was said of it go together.
            let me = members.me().to_bits();
            match party.owner.compare_exchange(owner, me, Ordering::SeqCst, Ordering::Acquire) {
                Ok(_) => break,
                Err(now) => owner = now,
            }
        }
        // What the one before did does not count for this party: neither an arrival in the attempt
        // that is under way, nor one of 2^14 phases ago, whose number is the same. Only then the
        // count, whose Release says so to whoever completes an attempt.
        self.arrival(rank).store(0, Ordering::SeqCst);
        party.gave_up.store(0, Ordering::SeqCst);
        self.head.word.fetch_add(ONE_JOIN, Ordering::AcqRel);
        Ok(())
    }

    /// Says that `rank` will not come any more, and breaks the attempt it was awaited in. Nothing of
    /// one that has departed: nobody waits for it.
    pub(super) fn withdraw(&self, rank: usize, why: Absence) {
        let party = &self.parties[rank];
        let mut owner = party.owner.load(Ordering::SeqCst);
        while !departed(owner) {
            match party.mark(owner, why as u64) {
                Ok(()) => return self.break_unless_arrived(rank),
                Err(now) => owner = now,
            }
        }
    }

    /// The same, unless somebody has said so before, or another has become that party since.
    pub(super) fn leave(&self, rank: usize, why: Absence) {
        let party = &self.parties[rank];
        if party.mark(self.members.me().to_bits(), why as u64).is_ok() {
            self.break_unless_arrived(rank);
        }
    }

    /// Says that nobody need wait for `rank`, unless something was said of it before, or another has
    /// become that party since; and completes the attempt if the others have arrived.
    pub(super) fn depart(&self, rank: usize) {
        if self.parties[rank].mark(self.members.me().to_bits(), DEPARTED).is_err() {
            return;
        }
        // Of this store and the arrivals at least the last, in the single order of all, sees all
        // others. A waiter makes up for a death here, as for one after an arrival.
        let attempt = Attempt::of(self.head.word.load(Ordering::SeqCst));
        // Where all have departed, there is nobody whose phase it would be.
        if (0..self.parties.len()).any(|rank| self.has_arrived(rank, attempt)) {
            self.complete(attempt);
        }
    }

    /// Makes it a rank that nobody has joined with.
    pub(super) fn vacate(&self, rank: usize) {
        let party = &self.parties[rank];
        // In the order of a join, so that no attempt is completed by what the one before left.
        party.owner.store(0, Ordering::SeqCst);
        self.arrival(rank).store(0, Ordering::SeqCst);
        party.gave_up.store(0, Ordering::SeqCst);
        self.head.word.fetch_add(ONE_JOIN, Ordering::AcqRel);
    }

    fn break_unless_arrived(&self, rank: usize) {
        loop {
            let word = self.head.word.load(Ordering::SeqCst);
            let attempt = Attempt::of(word);
            if word & BROKEN != 0 || self.has_arrived(rank, attempt) {
                // Its part of this phase is done. Should others go on to the next, they find the
                // absence there, at the latest before they sleep.
                return;
            }
            if self.give_up(attempt) {
                return;
            }
        }
    }

    /// Makes a broken barrier whole, for those who have a living owner. Nothing if it is whole.
    pub(super) fn reset(&self) {
        let mut word = self.head.word.load(Ordering::Acquire);
        let broken = Attempt::of(word);
        // Until it is, or another has reset it; a join changes the word too.
        while word & BROKEN != 0 && Attempt::of(word) == broken {
            if self.replace(word, broken.renewed().within(word), Ordering::AcqRel) {
                // For those whose breaker died before it woke them.
                self.head.sleepers.wake_all(self.members);
                return;
            }
            word = self.head.word.load(Ordering::Acquire);
        }
    }

    fn replace(&self, from: u64, to: u64, success: Ordering) -> bool {
        self.head.word.compare_exchange(from, to, success, Ordering::Relaxed).is_ok()
    }
}

/// How `attempt` ended, as the word tells one of its parties; `None` while it goes on.
///
/// The phase can be at most one further: the next cannot be completed without this party.
fn outcome(word: u64, attempt: Attempt) -> Option<Result<bool, NotMet>> {
    let now = Attempt::of(word);
    if now.phase() != attempt.phase() {
        Some(Ok(false))
    } else if now != attempt || word & BROKEN != 0 {
        Some(Err(NotMet::Broken(attempt)))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::mem::offset_of;

    #[test]
    fn the_layout_is_as_documented() {
        assert_eq!(offset_of!(BarrierCell, place), 0);
        assert_eq!(offset_of!(BarrierCell, word), 8);
        assert_eq!(offset_of!(BarrierCell, sleepers), 16);
        assert_eq!(offset_of!(BarrierCell, arrived), 24);
        assert_eq!((size_of::<BarrierCell>(), align_of::<BarrierCell>()), (64, 64));
        assert_eq!(offset_of!(PartyCell, owner), 0);
        assert_eq!(offset_of!(PartyCell, arrived), 8);
        assert_eq!(offset_of!(PartyCell, gave_up), 16);
        assert_eq!((size_of::<PartyCell>(), align_of::<PartyCell>()), (64, 64));
    }

    #[test]
    fn an_attempt_that_ended_is_told_by_what_came_after() {
        for first in [0, 7, PHASE, 3 * ONE_RESET + 7, 3 * ONE_RESET + PHASE, ATTEMPT] {
            for joins in [0, ONE_JOIN, JOINS] {
                let attempt = Attempt(first);
                let broken = Some(Err(NotMet::Broken(attempt)));
                let word = attempt.within(joins | BROKEN);
                assert_eq!((word & JOINS, word & BROKEN), (joins, 0));
                assert_eq!(Attempt::of(word), attempt);
                assert_eq!(outcome(word, attempt), None);
                assert_eq!(outcome(word.wrapping_add(ONE_JOIN), attempt), None);
                assert_eq!(outcome(word | BROKEN, attempt), broken);
                // Reset, once and again, and broken again.
                let again = attempt.renewed();
                for word in [again.within(word), again.within(word) | BROKEN] {
                    assert_eq!(outcome(word, attempt), broken);
                }
                assert_eq!(outcome(again.renewed().within(word), attempt), broken);
                // Complete, whatever becomes of the next.
                let next = attempt.completed();
                let word = next.within(word);
                for word in [word, word | BROKEN, next.renewed().within(word)] {
                    assert_eq!(outcome(word, attempt), Some(Ok(false)));
                }
            }
        }
    }

    #[test]
    fn an_owner_and_its_absence_do_not_overlap() {
        let id = MemberId::from_bits(u64::MAX).unwrap();
        assert_eq!(id.to_bits() & ABSENCE, 0);
        for why in [Absence::Died, Absence::Left, Absence::TimedOut, Absence::Failed] {
            assert_eq!(absence(id.to_bits() | (why as u64) << ABSENCE_SHIFT), Some(why));
            assert_eq!(absence((why as u64) << ABSENCE_SHIFT), Some(why));
        }
        assert_eq!(absence(id.to_bits()), None);
        let gone = DEPARTED << ABSENCE_SHIFT;
        assert!(departed(id.to_bits() | gone) && absence(id.to_bits() | gone).is_none());
        assert!(!departed(gone) && absence(gone).is_some(), "nobody cannot have departed");
    }
}
