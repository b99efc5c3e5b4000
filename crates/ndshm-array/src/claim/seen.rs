//! The table of claims, looked at by one who claims nothing.

use std::ptr;
use std::sync::atomic::AtomicU64;

use ndshm_sync::RawMutex;

use super::entry::{Mode, State};
use super::part::Selection;
use super::table::{ClaimTable, Head, table_len};

/// A private copy of a table.
#[derive(Debug)]
pub(crate) struct TableCopy {
    head: Head,
    words: Vec<AtomicU64>,
}

/// An entry that is not free.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    pub(crate) by: ndshm_sync::MemberId,
    pub(crate) part: Selection,
    pub(crate) mode: Mode,
    pub(crate) waiting: bool,
    /// It stands for a part that somebody left half-changed.
    pub(crate) poisoned: bool,
    /// By a panic; otherwise by its death.
    pub(crate) panicked: bool,
}

impl TableCopy {
    /// Of the bytes of a table for that many axes; `None` where they are too few.
    pub(crate) fn new(bytes: &[u8], axes: usize) -> Option<Self> {
        let (head, words) = bytes.get(..table_len(axes))?.split_at(size_of::<Head>());
        // SAFETY: as many bytes as a head has, in private memory; it is made of atomics, valid for any
        // of them.
        let head = unsafe { ptr::read_unaligned(head.as_ptr().cast::<Head>()) };
        let words = words.as_chunks().0;
        Some(Self { head, words: words.iter().map(|&w| u64::from_le_bytes(w).into()).collect() })
    }

    /// All that is claimed, waited for or poisoned, in an array of that shape.
    pub(crate) fn seen(&self, shape: &[usize]) -> Vec<Seen> {
        let entries = ClaimTable::new(&self.head, &self.words, shape).entries();
        let seen = entries.map(|(entry, state, by)| {
            let (mode, waiting) = match state {
                State::Held(mode) => (mode, false),
                State::Waiting(mode, _) => (mode, true),
                State::Poisoned { .. } => (Mode::Exclusive, false),
            };
            Seen {
                by: by.member,
                part: entry.part(shape),
                mode,
                waiting,
                poisoned: matches!(state, State::Poisoned { .. }),
                panicked: state == State::Poisoned { panicked: true },
            }
        });
        seen.collect()
    }

    /// The lock of the table.
    pub(crate) const fn lock(&self) -> &RawMutex {
        &self.head.lock
    }

    /// Whether anybody waits for a claim, or waited and has not been missed yet.
    pub(crate) fn has_waiters(&self) -> bool {
        self.head.released.has_sleepers()
    }

    /// How many claims were released, wrapping.
    pub(crate) fn releases(&self) -> u32 {
        self.head.released.read()
    }
}
