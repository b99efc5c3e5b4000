//! The table of claims, in the control area of an array.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use ndshm_sync::{EventCount, MemberId, Members, RawMutex};

use super::entry::{self, Entry, Mode, Party, State};
use super::part::{MOST_AXES, Selection};

/// Claims that can be outstanding at once, those who wait and poisoned parts included.
pub(crate) const ENTRIES: usize = 1024;

/// What stands before the entries. Valid when zeroed; `axes` are those of the array, at most 6.
///
/// # Layout
///
/// | offset | size | what | written by |
/// |---|---|---|---|
/// | 0 | 24 | the lock of the table | |
/// | 24 | 8 | counts releases and versions, for those who wait ([`EventCount`]) | whoever releases or publishes |
/// | 32 | 4 | entries from here on are free | holder of the lock |
/// | 36 | 4 | zero | |
/// | 40 | 8 | tickets drawn by those who wait | holder of the lock |
/// | 48 | 8 | exclusive and atomic claims that were granted | holder of the lock |
/// | 56 | 8 | the version: how often the contents were published | whoever publishes |
/// | 64 | (32 + 24 x axes) x 1024 | the entries | |
///
/// An entry:
///
/// | offset | size | what | written by |
/// |---|---|---|---|
/// | 0 | 8 | the state word: slot in bits 0-15, generation in bits 32-63, `ATOMIC` bit 26, `WAITING` bit 27, `PANICKED` bit 28, `POISONED` bit 29, `EXCLUSIVE` bit 30, `HELD` bit 31; 0 when free | see below |
/// | 8 | 8 | ticket of one who waits | holder of the lock, while the entry is free |
/// | 16 | 8 | which thread of the owner | the same |
/// | 24 | 8 | zero | |
/// | 32 | 24 x axes | along each axis: first index, last index, step | the same |
///
/// | state | next |
/// |---|---|
/// | free | held, waiting: store by the holder of the lock, after the other fields |
/// | waiting | held: store by its owner, holding the lock. Free: the same, when it gives up; or by a holder of the lock that found the owner dead |
/// | held | free: store by its owner, which needs no lock. Poisoned: store by its owner (after a panic), or compare-and-swap by a holder of the lock that found the owner dead (exclusive claims), since that may have let go last of all; free: by the same (others) |
/// | poisoned | free: store by the holder of the lock, for a claimant that covers it, or (in a full table) where another poisoned part does |
///
/// Each transition is one store or compare-and-swap, so the table is whole at every instant: a holder of the lock that
/// dies leaves nothing to mend.
#[repr(C, align(64))]
#[derive(Debug)]
pub(crate) struct Head {
    pub(super) lock: RawMutex,
    pub(super) released: EventCount,
    pub(super) used: AtomicU32,
    reserved: u32,
    pub(super) tickets: AtomicU64,
    pub(super) granted: AtomicU64,
    version: AtomicU64,
}

/// Bytes of a table for an array of that many axes.
pub(crate) const fn table_len(axes: usize) -> usize {
    size_of::<Head>() + 8 * table_words(axes)
}

/// Words of its entries.
pub(crate) const fn table_words(axes: usize) -> usize {
    let told_apart = if axes < MOST_AXES { axes } else { MOST_AXES };
    ENTRIES * entry::words(told_apart)
}

/// The table of an array of that shape.
///
/// # Invariants
///
/// 1. `words` is [`table_words`] of its axes long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ClaimTable<'a> {
    pub(super) head: &'a Head,
    words: &'a [AtomicU64],
    pub(super) shape: &'a [usize],
}

#[cfg(test)]
impl Head {
    /// As it is in a segment that was just made.
    pub(super) const fn zeroed() -> Self {
        Self {
            lock: RawMutex::new(),
            released: EventCount::new(),
            used: AtomicU32::new(0),
            reserved: 0,
            tickets: AtomicU64::new(0),
            granted: AtomicU64::new(0),
            version: AtomicU64::new(0),
        }
    }
}

impl<'a> ClaimTable<'a> {
    /// `shape` is the array's, `words` what follows `head`.
    pub(crate) fn new(head: &'a Head, words: &'a [AtomicU64], shape: &'a [usize]) -> Self {
        Self { head, words, shape }
    }

    /// Whether the calling thread holds a claim of this array.
    pub(crate) fn held_by_this_thread(self, members: &Members<'_>) -> bool {
        let me = Party::here(members);
        self.entries().any(|(_, state, by)| matches!(state, State::Held(_)) && by == me)
    }

    /// How often the contents were published.
    pub(crate) fn version(self) -> &'a AtomicU64 {
        &self.head.version
    }

    /// What is slept on by those who wait.
    pub(crate) fn released(self) -> &'a EventCount {
        &self.head.released
    }

    /// The number of exclusive and atomic claims that were granted until now. Where it is the same
    /// after a copy as before, and [`written`](Self::written) found nobody in between, nobody has written.
    pub(crate) fn granted(self) -> u64 {
        self.head.granted.load(Ordering::Acquire)
    }

    /// All that is claimed to be written, or poisoned; for one that cannot write a claim. A claim of the
    /// dead is poison that nobody has met yet.
    pub(crate) fn written(self) -> impl Iterator<Item = (Selection, State, MemberId)> {
        self.entries().filter_map(|(entry, state, by)| {
            let writes = match state {
                State::Held(mode) => mode != Mode::Shared,
                State::Poisoned { .. } => true,
                State::Waiting(..) => false,
            };
            writes.then(|| (entry.part(self.shape), state, by.member))
        })
    }

    /// All entries that are not free.
    pub(crate) fn entries(self) -> impl Iterator<Item = (Entry<'a>, State, Party)> + Clone {
        (0..self.used()).filter_map(move |index| {
            let entry = self.entry(index);
            entry.state().map(|(state, by)| (entry, state, by))
        })
    }

    pub(super) fn entry(self, index: usize) -> Entry<'a> {
        let len = self.words.len() / ENTRIES;
        Entry(&self.words[index * len..][..len])
    }

    pub(super) fn used(self) -> usize {
        // A corrupted count is cut to what there is.
        (self.head.used.load(Ordering::Acquire) as usize).min(ENTRIES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::mem::offset_of;

    #[test]
    fn the_layout_is_as_documented() {
        assert_eq!(offset_of!(Head, lock), 0);
        assert_eq!(offset_of!(Head, released), 24);
        assert_eq!(offset_of!(Head, used), 32);
        assert_eq!(offset_of!(Head, tickets), 40);
        assert_eq!(offset_of!(Head, granted), 48);
        assert_eq!(offset_of!(Head, version), 56);
        assert_eq!(size_of::<Head>(), 64);
        assert_eq!(table_len(2) - 64, (32 + 24 * 2) * 1024);
        assert_eq!(table_len(9), table_len(6));
    }
}
