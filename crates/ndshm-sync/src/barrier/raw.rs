//! The words of a barrier, and how they change.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use super::error::Absence;
use crate::layout::Place;
use crate::member::{MemberId, Members};
use crate::mutex::{low, low_half};
use crate::sys;
use crate::wait::{Deadline, Spin};

/// This phase was given up: somebody will not come.
const BROKEN: u64 = 1;
/// The phase before this one was given up, and the barrier reset.
const AFTER_BREAK: u64 = 1 << 1;
/// Somebody sleeps: whoever ends the phase wakes all.
const SLEEPERS: u64 = 1 << 2;
const PHASE_SHIFT: u32 = 3;

/// The head of a barrier in shared memory, followed by one cell of 64 bytes for each party. Valid
/// when zeroed.
///
/// # Layout
///
/// | offset | size | what |
/// |---|---|---|
/// | 0 | 8 | what lies here, written once by [`Layout`](crate::Layout) |
/// | 8 | 8 | the phase word, below |
/// | 16 | 48 | zero |
///
/// then for the party of rank *r*, at 64 x (*r* + 1):
///
/// | offset | size | what | written by |
/// |---|---|---|---|
/// | 0 | 8 | who it is: slot in bits 0-15, generation in bits 32-63; 0 before it joined | the party |
/// | 8 | 8 | the number of the phase it has arrived in, plus 1 | the party |
/// | 16 | 4 | 0, or why it will not come ([`Absence`]) | the party, its launcher |
/// | 20 | 44 | zero | |
///
/// The phase word (its low half is the futex): bit 0 `BROKEN`, bit 1 `AFTER_BREAK`, bit 2
/// `SLEEPERS`, from bit 3 the number of the phase.
///
/// | state | next, each by one compare-and-swap of the phase word |
/// |---|---|
/// | phase *p* | phase *p* + 1: by any party that sees that all have arrived. *p* broken: by any that sees that one which has not arrived is dead or absent, or whose time is up |
/// | *p* broken | phase *p* + 1 after a break: by `reset` |
///
/// So a phase ends exactly once, complete or broken. A party that dies after it has arrived takes
/// nothing from the phase; one that dies after it saw that all had arrived, before it said so, is
/// made up for by any other that looks (all do before they sleep, and after each slice).
#[repr(C, align(64))]
#[derive(Debug)]
pub struct BarrierCell {
    pub(super) place: Place,
    word: AtomicU64,
    reserved: [AtomicU64; 6],
}

#[repr(C, align(64))]
#[derive(Debug)]
pub(super) struct PartyCell {
    pub(super) owner: AtomicU64,
    arrived: AtomicU64,
    pub(super) absence: AtomicU32,
    reserved: [AtomicU32; 11],
}

/// How a wait ended without the phase being complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotMet {
    Broken,
    TimedOut,
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
        self.head.word.load(Ordering::Acquire) & BROKEN != 0
    }

    /// Arrives as party `rank` and waits for the others; `true` for the one that ended the phase.
    pub(super) fn wait(&self, rank: usize, deadline: Deadline) -> Result<bool, NotMet> {
        let word = self.head.word.load(Ordering::Acquire);
        if word & BROKEN != 0 {
            return Err(NotMet::Broken);
        }
        let phase = word >> PHASE_SHIFT;
        // SeqCst, here and in `all_arrived`: of parties that arrive together at least the last, in
        // the single order of these operations, sees all the others. It also releases what this
        // party wrote before the barrier; the acquiring side is the phase word, whose value is
        // stored by one that has seen every arrival.
        self.parties[rank].arrived.store(phase + 1, Ordering::SeqCst);
        if self.all_arrived(phase)
            && let Some(ended) = self.complete(phase)
        {
            return ended;
        }
        let mut spin = Spin::for_parties(self.parties.len());
        loop {
            let word = self.head.word.load(Ordering::Acquire);
            if let Some(ended) = outcome(word, phase) {
                return ended;
            }
            if spin.pass() {
                continue;
            }
            // Before the first sleep and after each slice: is there still anybody to wait for?
            if self.all_arrived(phase) {
                if let Some(ended) = self.complete(phase) {
                    return ended;
                }
                continue;
            }
            if self.somebody_will_not_come(phase) {
                self.give_up(phase);
                continue;
            }
            let Some(slice) = deadline.slice() else {
                return self.time_out(rank, phase);
            };
            // Relaxed: it announces a sleeper, and orders nothing.
            let asleep = word | SLEEPERS;
            if word == asleep || self.replace(word, asleep, Ordering::Relaxed) {
                sys::futex_wait(low_half(&self.head.word), low(asleep), slice);
            }
        }
    }

    /// Whether that party has arrived in the phase that the word names now.
    pub(super) fn has_arrived(&self, rank: usize) -> bool {
        let phase = self.head.word.load(Ordering::Acquire) >> PHASE_SHIFT;
        self.parties[rank].arrived.load(Ordering::SeqCst) == phase + 1
    }

    fn all_arrived(&self, phase: u64) -> bool {
        self.parties.iter().all(|p| p.arrived.load(Ordering::SeqCst) == phase + 1)
    }

    /// Only those who have not arrived are asked after: the others have done their part.
    fn somebody_will_not_come(&self, phase: u64) -> bool {
        self.parties
            .iter()
            .filter(|p| p.arrived.load(Ordering::SeqCst) != phase + 1)
            .any(|p| p.absence.load(Ordering::SeqCst) != 0 || self.is_dead(p))
    }

    pub(super) fn is_dead(&self, party: &PartyCell) -> bool {
        // One that has not joined yet is waited for: its launcher knows whether it will come.
        MemberId::from_bits(party.owner.load(Ordering::Acquire))
            .is_some_and(|id| !self.members.is_alive(id))
    }

    /// Ends `phase` complete, unless it has ended; `None` where the word changed meanwhile and
    /// the phase goes on (a sleeper announced itself, and the caller looks again).
    fn complete(&self, phase: u64) -> Option<Result<bool, NotMet>> {
        loop {
            let word = self.head.word.load(Ordering::Acquire);
            if let Some(ended) = outcome(word, phase) {
                return Some(ended);
            }
            // Release: whoever sees the next phase sees what all wrote before they arrived, since
            // `all_arrived` has acquired it from each of them.
            if self.replace(word, (phase + 1) << PHASE_SHIFT, Ordering::AcqRel) {
                self.wake(word);
                return Some(Ok(true));
            }
        }
    }

    /// Ends `phase` broken, unless it has ended.
    fn give_up(&self, phase: u64) -> bool {
        loop {
            let word = self.head.word.load(Ordering::Acquire);
            if word >> PHASE_SHIFT != phase || word & BROKEN != 0 {
                return false;
            }
            if self.replace(word, (word | BROKEN) & !SLEEPERS, Ordering::AcqRel) {
                self.wake(word);
                return true;
            }
        }
    }

    fn time_out(&self, rank: usize, phase: u64) -> Result<bool, NotMet> {
        // Said before the phase is broken, so that who finds it broken can read why.
        let absence = &self.parties[rank].absence;
        absence.store(Absence::TimedOut as u32, Ordering::SeqCst);
        if self.give_up(phase) {
            return Err(NotMet::TimedOut);
        }
        absence.store(0, Ordering::SeqCst);
        let word = self.head.word.load(Ordering::Acquire);
        outcome(word, phase).unwrap_or(Err(NotMet::Broken))
    }

    /// Says that `rank` will not come any more, and breaks the phase it was awaited in.
    pub(super) fn withdraw(&self, rank: usize, why: Absence) {
        let party = &self.parties[rank];
        // SeqCst: a waiter that looked before this store and then sleeps did so in a phase that
        // the load below sees.
        party.absence.store(why as u32, Ordering::SeqCst);
        loop {
            let word = self.head.word.load(Ordering::SeqCst);
            let phase = word >> PHASE_SHIFT;
            if word & BROKEN != 0 || party.arrived.load(Ordering::SeqCst) == phase + 1 {
                // Its part of this phase is done. Should others go on to the next, they find the
                // absence there, at the latest before they sleep.
                return;
            }
            if self.give_up(phase) {
                return;
            }
        }
    }

    /// Makes a broken barrier whole, for those who have a living owner. Nothing if it is whole.
    pub(super) fn reset(&self) {
        let word = self.head.word.load(Ordering::Acquire);
        if word & BROKEN == 0 {
            return;
        }
        for party in self.parties {
            let timed_out = Absence::TimedOut as u32;
            let _ =
                party.absence.compare_exchange(timed_out, 0, Ordering::SeqCst, Ordering::Relaxed);
        }
        let next = ((word >> PHASE_SHIFT) + 1) << PHASE_SHIFT | AFTER_BREAK;
        // Where this fails, another has reset it.
        if self.replace(word, next, Ordering::AcqRel) {
            self.wake(SLEEPERS);
        }
    }

    fn replace(&self, from: u64, to: u64, success: Ordering) -> bool {
        self.head.word.compare_exchange(from, to, success, Ordering::Relaxed).is_ok()
    }

    fn wake(&self, was: u64) {
        if was & SLEEPERS != 0 {
            sys::futex_wake(low_half(&self.head.word), i32::MAX.unsigned_abs());
        }
    }
}

/// How `phase` ended, as the word tells one of its parties; `None` while it goes on.
///
/// The word can be at most one phase further: the next cannot end without this party.
fn outcome(word: u64, phase: u64) -> Option<Result<bool, NotMet>> {
    if word >> PHASE_SHIFT == phase {
        (word & BROKEN != 0).then_some(Err(NotMet::Broken))
    } else if word & AFTER_BREAK != 0 {
        Some(Err(NotMet::Broken))
    } else {
        Some(Ok(false))
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
        assert_eq!((size_of::<BarrierCell>(), align_of::<BarrierCell>()), (64, 64));
        assert_eq!(offset_of!(PartyCell, owner), 0);
        assert_eq!(offset_of!(PartyCell, arrived), 8);
        assert_eq!(offset_of!(PartyCell, absence), 16);
        assert_eq!((size_of::<PartyCell>(), align_of::<PartyCell>()), (64, 64));
    }

    #[test]
    fn a_phase_that_ended_is_told_by_what_came_after() {
        assert_eq!(outcome(7 << PHASE_SHIFT, 7), None);
        assert_eq!(outcome(7 << PHASE_SHIFT | SLEEPERS, 7), None);
        assert_eq!(outcome(7 << PHASE_SHIFT | AFTER_BREAK, 7), None);
        assert_eq!(outcome(7 << PHASE_SHIFT | BROKEN, 7), Some(Err(NotMet::Broken)));
        assert_eq!(outcome(8 << PHASE_SHIFT, 7), Some(Ok(false)));
        // Complete, and the next broken meanwhile: this one was complete all the same.
        assert_eq!(outcome(8 << PHASE_SHIFT | BROKEN, 7), Some(Ok(false)));
        assert_eq!(outcome(8 << PHASE_SHIFT | AFTER_BREAK, 7), Some(Err(NotMet::Broken)));
    }
}
