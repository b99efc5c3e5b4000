//! What a player says of itself: words that outlive it, and tell where the kill hit.

use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicU32, AtomicU64};

/// What a player is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// Joins, lays out.
    Starting,
    /// At the gate, between two rounds.
    Gate,
    /// Between two turns.
    Out,
    /// In the call that takes, or waits, or on an instruction beside it.
    Wanting,
    /// Has what a dead one left, and mends it.
    Mending,
    /// Has it, and has changed nothing.
    Inside,
    /// Has said what it will change, and has made that many of the changes.
    Changing(u8),
    /// Has made all changes.
    Changed,
    /// In the call that releases, or wakes, or on an instruction beside it.
    Releasing,
    /// Was told of a death, and waits for the next round.
    Told,
    /// Has a share, and changes nothing.
    Sharing,
}

impl At {
    const fn bits(self) -> u64 {
        match self {
            Self::Starting => 0,
            Self::Gate => 1,
            Self::Out => 2,
            Self::Wanting => 3,
            Self::Mending => 4,
            Self::Inside => 5,
            Self::Changed => 6,
            Self::Releasing => 7,
            Self::Told => 8,
            Self::Sharing => 9,
            Self::Changing(k) => 16 + k as u64,
        }
    }

    fn from_bits(bits: u64) -> Self {
        match bits {
            1 => Self::Gate,
            2 => Self::Out,
            3 => Self::Wanting,
            4 => Self::Mending,
            5 => Self::Inside,
            6 => Self::Changed,
            7 => Self::Releasing,
            8 => Self::Told,
            9 => Self::Sharing,
            0..16 => Self::Starting,
            k => Self::Changing(u8::try_from(k - 16).unwrap_or(u8::MAX)),
        }
    }

    /// Whether it has what the primitive guards, for certain.
    #[must_use]
    pub const fn is_inside(self) -> bool {
        matches!(self, Self::Mending | Self::Inside | Self::Changing(_) | Self::Changed)
    }
}

/// The words of a seat.
#[repr(C, align(128))]
#[derive(Debug)]
pub struct Seat {
    /// Turns done, and in the low byte what it is doing: one word, so that a kill cuts them apart
    /// nowhere.
    state: AtomicU64,
    /// Who it is in the primitive's words; 0 for nobody.
    pub(crate) member: AtomicU64,
    /// The value of the gate that it went through last.
    pub(crate) passed: AtomicU32,
    /// 1 while it plays; kept by the survivor.
    pub(crate) plays: AtomicU32,
    /// How often others were told that this one died with what it had.
    pub told: AtomicU64,
    /// Signals that it took.
    pub(crate) signals: AtomicU64,
    /// For the primitive's own use.
    pub notes: [AtomicU64; 8],
}

impl Seat {
    /// For another player, which goes on counting turns where the one before has ended.
    pub(crate) fn clear(&self) {
        self.say(self.read().0, At::Starting);
        self.member.store(0, SeqCst);
        self.told.store(0, SeqCst);
        for note in &self.notes {
            note.store(0, SeqCst);
        }
        self.passed.store(0, SeqCst);
    }

    /// Says what it does now, after `done` turns.
    pub fn say(&self, done: u64, at: At) {
        self.state.store(done << 8 | at.bits(), SeqCst);
    }

    /// Turns done, and what it does.
    #[must_use]
    pub fn read(&self) -> (u64, At) {
        let word = self.state.load(SeqCst);
        (word >> 8, At::from_bits(word & 0xff))
    }

    /// Whether there is a living player in it.
    #[must_use]
    pub fn plays(&self) -> bool {
        self.plays.load(SeqCst) != 0
    }

    /// What it does.
    #[must_use]
    pub fn at(&self) -> At {
        self.read().1
    }
}
