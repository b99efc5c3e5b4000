//! One entry of the table of claims.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};

use ndshm_sync::{MemberId, Members};

use super::part::Selection;
use super::progression::Progression;

const HELD: u64 = 1 << 31;
const EXCLUSIVE: u64 = 1 << 30;
const POISONED: u64 = 1 << 29;
const PANICKED: u64 = 1 << 28;
const WAITING: u64 = 1 << 27;
const ATOMIC: u64 = 1 << 26;

/// Words before those of the axes: state, ticket, thread, and one that is zero.
const FIRST_AXIS: usize = 4;

/// Words of an entry that tells that many axes apart.
pub(crate) const fn words(axes: usize) -> usize {
    FIRST_AXIS + 3 * axes
}

/// What a claim lets its owner, and others, do with a part.
///
/// ```
/// use ndshm_array::{Mode, SharedArray1, inspect::SegmentFile};
///
/// # let dir = tempfile::tempdir()?;
/// let a = SharedArray1::<u64>::options().dir(dir.path()).name("a").zeros(10)?;
/// let _counts = a.claim_atomic(..)?;
/// let report = SegmentFile::open(a.path().unwrap())?.report()?;
/// assert_eq!(report.claims[0].mode, Mode::Atomic);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mode {
    /// All read it.
    Shared,
    /// Its owner reads and writes it.
    Exclusive,
    /// All read and write it, element by element, with atomic operations.
    Atomic,
}

impl Mode {
    /// Whether one of this kind and one of that may not be at the same time.
    pub(crate) const fn excludes(self, other: Self) -> bool {
        !matches!((self, other), (Self::Shared, Self::Shared) | (Self::Atomic, Self::Atomic))
    }

    const fn bits(self) -> u64 {
        match self {
            Self::Shared => 0,
            Self::Exclusive => EXCLUSIVE,
            Self::Atomic => ATOMIC,
        }
    }
}

/// One that claims: a thread of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Party {
    pub(crate) member: MemberId,
    pub(crate) thread: u64,
}

impl Party {
    /// The calling thread.
    pub(super) fn here(members: &Members<'_>) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        // A number that no other thread of this process has.
        thread_local!(static THIS: Cell<u64> = const { Cell::new(0) });
        let thread = THIS.with(|this| {
            if this.get() == 0 {
                this.set(NEXT.fetch_add(1, Ordering::Relaxed));
            }
            this.get()
        });
        Self { member: members.me(), thread }
    }
}

/// What an entry is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Held(Mode),
    /// Wanted since that ticket was drawn.
    Waiting(Mode, u64),
    Poisoned {
        panicked: bool,
    },
}

impl State {
    const fn bits(self) -> u64 {
        match self {
            Self::Held(mode) => HELD | mode.bits(),
            Self::Waiting(mode, _) => WAITING | mode.bits(),
            Self::Poisoned { panicked: true } => POISONED | PANICKED,
            Self::Poisoned { panicked: false } => POISONED,
        }
    }
}

/// An entry in the segment.
///
/// # Invariants
///
/// 1. The words are those of one entry: [`words`] of the axes of the table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry<'a>(pub(super) &'a [AtomicU64]);

impl Entry<'_> {
    /// What it is about, and who made it; `None` where it is free.
    pub(crate) fn state(self) -> Option<(State, Party)> {
        // Acquire: who sees a state sees the fields that were written before it; and where it was
        // released, what its owner wrote to the part.
        let word = self.0[0].load(Ordering::Acquire);
        // A word that names nobody was corrupted; then nobody holds it.
        let member = MemberId::from_bits(word & !(0xffff << 16))?;
        let mode = match word & (EXCLUSIVE | ATOMIC) {
            0 => Mode::Shared,
            ATOMIC => Mode::Atomic,
            _ => Mode::Exclusive,
        };
        let state = match word & (HELD | POISONED | WAITING) {
            WAITING => State::Waiting(mode, self.0[1].load(Ordering::Relaxed)),
            POISONED => State::Poisoned { panicked: word & PANICKED != 0 },
            _ => State::Held(mode),
        };
        Some((state, Party { member, thread: self.0[2].load(Ordering::Relaxed) }))
    }

    /// Of an array of that shape.
    #[allow(clippy::cast_possible_truncation, reason = "written from a usize")]
    pub(crate) fn part(self, shape: &[usize]) -> Selection {
        let axes = self.0[FIRST_AXIS..].as_chunks::<3>().0;
        let axis = |words: &[AtomicU64; 3]| {
            Progression::from_words(words.each_ref().map(|w| w.load(Ordering::Relaxed) as usize))
        };
        Selection::new(shape, axes.iter().map(axis))
    }

    /// True where along some axis one ends before the other begins: most that are not in each other's way,
    /// told without reading all of the part.
    pub(crate) fn is_apart(self, from: &Selection) -> bool {
        let axes = self.0[FIRST_AXIS..].as_chunks::<3>().0;
        axes.iter().zip(from.axes()).any(|([first, last, _], indices)| {
            let [first, last] = [first, last].map(|word| word.load(Ordering::Relaxed));
            last < indices.first() as u64 || (indices.last() as u64) < first
        })
    }

    /// Makes it out, by the holder of the table's lock: fields first, then one store that counts.
    pub(crate) fn write(self, part: &Selection, state: State, by: Party) {
        self.0[2].store(by.thread, Ordering::Relaxed);
        if let State::Waiting(_, ticket) = state {
            self.0[1].store(ticket, Ordering::Relaxed);
        }
        for (axis, indices) in part.axes().iter().enumerate() {
            self.write_axis(axis, *indices);
        }
        self.set(state, by.member);
    }

    fn write_axis(self, axis: usize, indices: Progression) {
        let to = &self.0[FIRST_AXIS + 3 * axis..][..3];
        to.iter().zip(indices.to_words()).for_each(|(to, word)| {
            to.store(word as u64, Ordering::Relaxed);
        });
    }

    /// Another state for the same part; by its owner, or the holder of the table's lock.
    pub(crate) fn set(self, state: State, by: MemberId) {
        // Release: who sees the state sees the fields, and what the owner wrote to the part.
        self.0[0].store(state.bits() | by.to_bits(), Ordering::Release);
    }

    /// The same where it still is what it was seen to be, or `None` for free; whether it was.
    pub(crate) fn replace(self, seen: State, state: Option<State>, by: MemberId) -> bool {
        let word = |state: State| state.bits() | by.to_bits();
        let (old, new) = (word(seen), state.map_or(0, word));
        // Release as for `set`. Acquire: where the owner let go of it, what it wrote is seen.
        self.0[0].compare_exchange(old, new, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// Ends a claim that was seen to be held by an owner that is dead now; where that left its part poisoned,
    /// whether it had panicked.
    pub(super) fn bury(self, mode: Mode, owner: MemberId) -> Option<bool> {
        // Each step of an atomic claimant is whole.
        let left = (mode == Mode::Exclusive).then_some(State::Poisoned { panicked: false });
        if self.replace(State::Held(mode), left, owner) {
            return left.map(|_| false);
        }
        // Between the look and its death it let go of it, or panicked: what it stored last stands.
        match self.state() {
            Some((State::Poisoned { panicked }, _)) => Some(panicked),
            _ => None,
        }
    }

    pub(crate) fn free(self) {
        // Release: the next claimant sees what was written to the part.
        self.0[0].store(0, Ordering::Release);
    }

    /// Makes a poisoned part longer along one axis. In between it has all indices that it had and
    /// perhaps more, so a death forgets nothing.
    pub(crate) fn grow(self, axis: usize, indices: Progression) {
        self.0[FIRST_AXIS + 3 * axis + 2].store(1, Ordering::Relaxed);
        self.write_axis(axis, indices);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let words: Vec<AtomicU64> = (0..words(2)).map(|_| AtomicU64::new(0)).collect();
        let entry = Entry(&words);
        assert_eq!(entry.state(), None);
        let shape = [5, 6];
        let part = Selection::new(&shape, [Progression::new(1, 2, 2), Progression::new(0, 6, 1)]);
        let by = Party { member: MemberId::from_bits(3 << 32 | 1019).unwrap(), thread: 7 };
        for mode in [Mode::Shared, Mode::Exclusive, Mode::Atomic] {
            for state in
                [State::Held(mode), State::Waiting(mode, 9), State::Poisoned { panicked: true }]
            {
                entry.write(&part, state, by);
                assert_eq!((entry.state(), entry.part(&shape)), (Some((state, by)), part));
            }
        }
        for first in 0..5 {
            let other = Selection::new(&shape, [Progression::new(first, 1, 1)]);
            assert_eq!(entry.is_apart(&other), !(1..=3).contains(&first), "row {first}");
            assert!(!(entry.is_apart(&other) && part.overlaps(&other)));
        }
        entry.grow(0, Progression::new(0, 5, 1));
        let grown = Selection::new(&shape, [Progression::new(0, 5, 1), Progression::new(0, 6, 1)]);
        assert_eq!(entry.part(&shape), grown);
        assert_eq!(entry.state(), Some((State::Poisoned { panicked: true }, by)));
        entry.free();
        assert_eq!(entry.state(), None);
    }

    #[test]
    fn what_was_let_go_before_a_death_is_not_poisoned() {
        let words: Vec<AtomicU64> = (0..words(1)).map(|_| AtomicU64::new(0)).collect();
        let entry = Entry(&words);
        let owner = MemberId::from_bits(1 << 32 | 5).unwrap();
        let held = State::Held(Mode::Exclusive);
        let part = Selection::whole(&[3]);
        // Seen as held, and then:
        for (done_since, left) in
            [(None, Some(false)), (Some(State::Poisoned { panicked: true }), Some(true))]
        {
            entry.write(&part, held, Party { member: owner, thread: 1 });
            done_since.into_iter().for_each(|state| entry.set(state, owner));
            assert_eq!(entry.bury(Mode::Exclusive, owner), left);
            assert!(matches!(entry.state(), Some((State::Poisoned { .. }, _))));
        }
        entry.free();
        assert_eq!(entry.bury(Mode::Exclusive, owner), None);
        assert_eq!(entry.state(), None);
    }

    #[test]
    fn the_bits_do_not_overlap() {
        let bits = [HELD, EXCLUSIVE, POISONED, PANICKED, WAITING, ATOMIC];
        assert_eq!(bits.iter().fold(0, |all, bit| all ^ bit).count_ones(), 6);
        assert!(bits.iter().all(|bit| bit & !(0xffff << 16) == 0));
    }
}
