//! The table of claims, in the control area of an array.

use std::cell::Cell;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use ndshm_sync::{EventCount, MemberId, Members, RawMutex};

use super::lock::Locked;
use super::rows::Rows;

/// Claims that can be outstanding at once, poisoned parts included.
pub(crate) const ENTRIES: usize = 1024;

/// The entry stands for a claim of the member that the word names.
const HELD: u64 = 1 << 31;
/// The claim is exclusive.
pub(super) const EXCLUSIVE: u64 = 1 << 30;
/// The entry stands for a part that the member left half-changed.
pub(super) const POISONED: u64 = 1 << 29;
/// It panicked; otherwise it died.
pub(super) const PANICKED: u64 = 1 << 28;
const OWNER: u64 = 0xffff_ffff_0000_ffff;

/// The table of claims. Valid when zeroed.
///
/// # Layout
///
/// | offset | size | what | written by |
/// |---|---|---|---|
/// | 0 | 24 | the lock of the table | |
/// | 24 | 8 | counts releases, for those who wait ([`EventCount`]) | whoever releases |
/// | 32 | 4 | entries from here on were never used | holder of the lock |
/// | 36 | 28 | zero | |
/// | 64 | 32 x 1024 | the entries | |
///
/// An entry:
///
/// | offset | size | what | written by |
/// |---|---|---|---|
/// | 0 | 8 | the state word: slot in bits 0-15, generation in bits 32-63, `PANICKED` bit 28, `POISONED` bit 29, `EXCLUSIVE` bit 30, `HELD` bit 31; 0 when free | see below |
/// | 8 | 8 | first row | holder of the lock, while the entry is free |
/// | 16 | 8 | row after the last | the same |
/// | 24 | 8 | which thread of the owner | the same |
///
/// | state | next |
/// |---|---|
/// | free | held: store by the holder of the lock, after the other fields |
/// | held | free: store by its owner, which needs no lock. Poisoned: store by its owner (after a panic), or by a holder of the lock that found the owner dead (exclusive claims); free: by the same (shared ones) |
/// | poisoned | free: store by the holder of the lock, for a claimant that covers it, or (in a full table) where another poisoned part does |
///
/// Each transition is one store, so the table is whole at every instant: a holder of the lock that
/// dies leaves nothing to mend.
#[repr(C, align(64))]
#[derive(Debug)]
pub(crate) struct ClaimTable {
    pub(super) lock: RawMutex,
    pub(super) released: EventCount,
    used: AtomicU32,
    reserved: [u32; 7],
    entries: [Entry; ENTRIES],
}

#[repr(C)]
#[derive(Debug)]
pub(super) struct Entry {
    state: AtomicU64,
    start: AtomicU64,
    end: AtomicU64,
    thread: AtomicU64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Shared,
    Exclusive,
}

/// What to do about rows that somebody else has claimed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Patience {
    /// Return at once.
    Refuse,
    /// Wait: until then, or for ever.
    Until(Option<Instant>),
}

impl Patience {
    pub(crate) fn timeout(timeout: Duration) -> Self {
        Self::Until(Instant::now().checked_add(timeout))
    }
}

/// A claim that this process holds; dropping it releases.
#[derive(Debug)]
pub(crate) struct Claim<'a> {
    table: &'a ClaimTable,
    members: &'a Members<'static>,
    /// # Invariants
    ///
    /// 1. The entry of this index is held by `members` until this value is dropped.
    index: usize,
    rows: Rows,
    mode: Mode,
    panicking: bool,
}

/// A part that somebody left half-changed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Poison {
    pub(crate) by: MemberId,
    pub(crate) panicked: bool,
    pub(crate) rows: Rows,
}

/// A claim, and all that is poisoned among its rows.
pub(crate) type Claimed<'a> = (Claim<'a>, Vec<Poison>);

/// Why there is no claim.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Refused {
    /// This member holds rows that overlap, and time is up.
    Overlap {
        by: MemberId,
        rows: Rows,
    },
    /// This very thread does, and would wait for itself.
    Own {
        rows: Rows,
    },
    Full,
    /// The lock of the table was not to be had.
    Busy {
        by: Option<MemberId>,
    },
    Forked,
}

impl ClaimTable {
    /// Claims `rows`. With the claim comes what is poisoned among them.
    pub(crate) fn claim<'a>(
        &'a self,
        members: &'a Members<'static>,
        rows: Rows,
        mode: Mode,
        patience: Patience,
    ) -> Result<Claimed<'a>, Refused> {
        loop {
            let seen = self.released.read();
            let refused = match self.try_claim(members, rows, mode, patience)? {
                Ok(claim) => return Ok(claim),
                Err(refused @ Refused::Overlap { .. }) => refused,
                Err(refused) => return Err(refused),
            };
            let left = match patience {
                Patience::Refuse => return Err(refused),
                Patience::Until(None) => Duration::MAX,
                Patience::Until(Some(at)) => at.saturating_duration_since(Instant::now()),
            };
            if left.is_zero() {
                return Err(refused);
            }
            self.released.wait(members, seen, left);
        }
    }

    /// The outer error ends the wait, the inner may not.
    fn try_claim<'a>(
        &'a self,
        members: &'a Members<'static>,
        rows: Rows,
        mode: Mode,
        patience: Patience,
    ) -> Result<Result<Claimed<'a>, Refused>, Refused> {
        let _locked = Locked::new(self, members, patience)?;
        let (mut poison, mut mends) = (Vec::new(), false);
        let mut refused = None;
        let (mut free, mut room) = (None, ENTRIES - self.used().len());
        for (index, entry) in self.used().iter().enumerate() {
            let Some((state, owner)) = entry.state() else {
                free = free.or(Some(index));
                room += 1;
                continue;
            };
            let other = entry.rows();
            if !rows.overlap(other) {
                continue;
            }
            if state & POISONED != 0 {
                let panicked = state & PANICKED != 0;
                poison.push(Poison { by: owner, panicked, rows: other });
                mends |= mode == Mode::Exclusive && rows.cover(other);
            } else if mode == Mode::Exclusive || state & EXCLUSIVE != 0 {
                let own =
                    owner == members.me() && entry.thread.load(Ordering::Relaxed) == this_thread();
                if own {
                    // Told before any other: that one might be waiting for this thread.
                    return Ok(Err(Refused::Own { rows: other }));
                }
                if refused.is_some() || members.is_alive(owner) {
                    refused = refused.or(Some(Refused::Overlap { by: owner, rows: other }));
                    continue;
                }
                if entry.bury(state, owner) {
                    poison.push(Poison { by: owner, panicked: false, rows: other });
                    mends |= mode == Mode::Exclusive && rows.cover(other);
                } else {
                    free = free.or(Some(index));
                    room += 1;
                }
            }
        }
        if let Some(refused) = refused {
            return Ok(Err(refused));
        }
        // The last entry is for who can mend: else a table full of poison could never be cleared.
        let kept = usize::from(!mends);
        if room <= kept {
            self.sweep(members);
            let all = || (0..self.used().len()).filter(|&i| self.entries[i].state().is_none());
            free = all().next();
            if all().count() + ENTRIES - self.used().len() <= kept {
                return Ok(Err(Refused::Full));
            }
        }
        let Some(index) = free.or_else(|| self.unused()) else { return Ok(Err(Refused::Full)) };
        let entry = &self.entries[index];
        entry.start.store(rows.start as u64, Ordering::Relaxed);
        entry.end.store(rows.end as u64, Ordering::Relaxed);
        entry.thread.store(this_thread(), Ordering::Relaxed);
        let exclusive = if mode == Mode::Exclusive { EXCLUSIVE } else { 0 };
        // Release: who sees the state sees the fields. This store is the claim.
        entry.state.store(HELD | exclusive | members.me().to_bits(), Ordering::Release);
        // What earlier claimants of these rows wrote is seen from here on: each released its
        // entry's word, and `Entry::state` acquired it; or the kernel took down its memory.
        let panicking = std::thread::panicking();
        Ok(Ok((Claim { table: self, members, index, rows, mode, panicking }, poison)))
    }

    /// Whether the calling thread holds a claim of this array.
    pub(crate) fn held_by_this_thread(&self, members: &Members<'_>) -> bool {
        self.used().iter().any(|entry| {
            entry.state().is_some_and(|(state, owner)| {
                state & HELD != 0
                    && owner == members.me()
                    && entry.thread.load(Ordering::Relaxed) == this_thread()
            })
        })
    }

    /// Makes room in a full table, wherever it is: frees shared claims of the dead, and poisoned
    /// parts of no rows or within other poisoned parts. The caller holds the lock.
    fn sweep(&self, members: &Members<'_>) {
        let mut poisoned: Vec<(&Entry, Rows)> = Vec::new();
        for entry in self.used() {
            let Some((state, owner)) = entry.state() else { continue };
            if state & POISONED != 0 || !members.is_alive(owner) && entry.bury(state, owner) {
                poisoned.push((entry, entry.rows()));
            }
        }
        // What covers a part comes before it.
        poisoned.sort_by_key(|(_, rows)| (rows.start, std::cmp::Reverse(rows.end)));
        let mut reach = 0;
        for (entry, rows) in poisoned {
            if rows.end <= reach || rows.end <= rows.start {
                entry.state.store(0, Ordering::Release);
            } else {
                reach = rows.end;
            }
        }
    }

    pub(super) fn used(&self) -> &[Entry] {
        // A corrupted count is cut to what there is.
        let used = self.used.load(Ordering::Acquire) as usize;
        &self.entries[..used.min(ENTRIES)]
    }

    /// An entry never used before; the caller holds the lock.
    fn unused(&self) -> Option<usize> {
        let used = self.used.load(Ordering::Relaxed);
        if used as usize >= ENTRIES {
            return None;
        }
        // Release: who sees the count sees entries that were zero. A death before the entry is
        // published leaves it free.
        self.used.store(used + 1, Ordering::Release);
        Some(used as usize)
    }
}

impl Entry {
    /// The state word and the owner in it; `None` for a free entry. Acquire: with the state come
    /// the fields, and what a former owner wrote to the rows.
    pub(super) fn state(&self) -> Option<(u64, MemberId)> {
        let state = self.state.load(Ordering::Acquire);
        // A word that names nobody was corrupted; then nobody holds it.
        MemberId::from_bits(state & OWNER).map(|owner| (state, owner))
    }

    /// Ends the claim of an owner that is dead; whether it left its rows poisoned.
    fn bury(&self, state: u64, owner: MemberId) -> bool {
        let poisoned = state & EXCLUSIVE != 0;
        self.state.store(if poisoned { POISONED | owner.to_bits() } else { 0 }, Ordering::Release);
        poisoned
    }

    #[allow(clippy::cast_possible_truncation, reason = "written from a usize")]
    pub(super) fn rows(&self) -> Rows {
        let [start, end] = [&self.start, &self.end].map(|n| n.load(Ordering::Relaxed) as usize);
        Rows { start, end }
    }
}

impl Claim<'_> {
    pub(crate) const fn rows(&self) -> Rows {
        self.rows
    }

    /// Clears the poison of the parts that these rows cover; whether that was all they overlap.
    pub(crate) fn clear_poison(&self) -> Result<bool, Refused> {
        let _locked = Locked::new(self.table, self.members, Patience::Until(None))?;
        let mut all = true;
        for entry in self.table.used() {
            let poisoned = entry.state().is_some_and(|(state, _)| state & POISONED != 0);
            if poisoned && self.rows.overlap(entry.rows()) {
                if self.rows.cover(entry.rows()) {
                    entry.state.store(0, Ordering::Release);
                } else {
                    all = false;
                }
            }
        }
        Ok(all)
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        if !self.members.is_mine() {
            return; // In a forked child: the claim is the parent's.
        }
        let entry = &self.table.entries[self.index];
        let harmed = self.mode == Mode::Exclusive && !self.panicking && std::thread::panicking();
        let me = self.members.me().to_bits();
        let next = if harmed { POISONED | PANICKED | me } else { 0 };
        // Release: the next claimant sees what was written to the rows. The entry is this claim's
        // own (index invariant 1), and nobody takes it from the living.
        entry.state.store(next, Ordering::Release);
        self.table.released.notify_all(self.members);
    }
}

/// A number for the calling thread that no other of this process has.
fn this_thread() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    thread_local!(static THIS: Cell<u64> = const { Cell::new(0) });
    THIS.with(|this| {
        if this.get() == 0 {
            this.set(NEXT.fetch_add(1, Ordering::Relaxed));
        }
        this.get()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::mem::offset_of;

    #[test]
    fn the_layout_is_as_documented() {
        assert_eq!(offset_of!(ClaimTable, lock), 0);
        assert_eq!(offset_of!(ClaimTable, released), 24);
        assert_eq!(offset_of!(ClaimTable, used), 32);
        assert_eq!(offset_of!(ClaimTable, entries), 64);
        assert_eq!(size_of::<Entry>(), 32);
        assert_eq!(offset_of!(Entry, start), 8);
        assert_eq!(offset_of!(Entry, end), 16);
        assert_eq!(offset_of!(Entry, thread), 24);
        assert_eq!(OWNER & (HELD | EXCLUSIVE | POISONED | PANICKED), 0);
    }
}
