//! A slot of the table: who took it last, and whether that member still holds it.

use std::io;

use crate::atomic::{AtomicU64, Ordering};

/// # Layout
///
/// | offset | size | what |
/// |---|---|---|
/// | 0 | 8 | generation << 32, process id; written by the holder of the slot's lock; by one that is to become it, with process id 0, where the last holder is dead |
/// | 8 | 8 | rank + 1, or 0; written by the same, before the generation |
#[repr(C)]
#[derive(Debug, Default)]
pub(super) struct Slot {
    stamp: AtomicU64,
    rank: AtomicU64,
}

/// Who took a slot last.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stamp {
    /// 0 where nobody ever took it.
    pub(super) generation: u32,
    /// For reports; 0 where the slot was given up and not taken yet.
    pub(super) pid: u32,
}

impl Slot {
    pub(super) fn stamp(&self) -> Stamp {
        // Acquire pairs with the Release in `publish`: with the generation comes the rank.
        let word = self.stamp.load(Ordering::Acquire);
        #[allow(clippy::cast_possible_truncation, reason = "takes the fields out of the word")]
        Stamp { generation: (word >> 32) as u32, pid: word as u32 }
    }

    pub(super) fn rank(&self) -> Option<u32> {
        u32::try_from(self.rank.load(Ordering::Relaxed).checked_sub(1)?).ok()
    }

    /// Before its lock is taken: has the stamp name nobody any more where its member is dead, so that
    /// this one is never taken for alive again; `false` where it lives.
    pub(super) fn retire(&self, is_locked: impl FnOnce() -> io::Result<bool>) -> io::Result<bool> {
        let Stamp { generation, pid } = self.stamp();
        if generation != 0 {
            if is_locked()? {
                return Ok(false);
            }
            // Where this fails, another that joins has come first: then the lock decides. Relaxed: who
            // finds another generation needs to know no more.
            let [dead, nobody] = [word(generation, pid), word(after(generation), 0)];
            let _ = self.stamp.compare_exchange(dead, nobody, Ordering::Relaxed, Ordering::Relaxed);
        }
        Ok(true)
    }

    /// Writes the stamp of a slot whose lock the caller holds; returns the new generation.
    pub(super) fn publish(&self, pid: u32, rank: Option<u32>) -> u32 {
        let generation = after(self.stamp().generation);
        self.rank.store(rank.map_or(0, |r| u64::from(r) + 1), Ordering::Relaxed);
        // Release: who sees this generation sees the rank that goes with it.
        self.stamp.store(word(generation, pid), Ordering::Release);
        generation
    }

    /// Whether the member of that generation still takes part. `is_locked` asks the kernel for the
    /// slot's lock; one that cannot be asked after counts as alive: nobody is robbed on a doubt.
    pub(super) fn is_held(
        &self,
        generation: u32,
        is_locked: impl FnOnce() -> io::Result<bool>,
    ) -> bool {
        // The stamp is another's before the lock is (`retire`): so a lock that was held before this very
        // generation is seen once more is its own.
        self.stamp().generation == generation
            && is_locked().unwrap_or(true)
            && self.stamp().generation == generation
    }
}

fn word(generation: u32, pid: u32) -> u64 {
    u64::from(generation) << 32 | u64::from(pid)
}

/// Never 0, which means "never used". After 2^31 joins of one slot the count begins anew; a word would
/// have to name a dead member for that long to be taken for a living one.
fn after(generation: u32) -> u32 {
    generation.wrapping_add(1).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::mem::offset_of;

    #[test]
    fn the_layout_is_as_documented() {
        assert_eq!((size_of::<Slot>(), align_of::<Slot>()), (16, 8));
        assert_eq!(offset_of!(Slot, stamp), 0);
        assert_eq!(offset_of!(Slot, rank), 8);
    }
}
