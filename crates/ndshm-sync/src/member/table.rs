//! The table of members, at the start of a region.

use std::io;
use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicU64, Ordering};

use super::slot::Slot;
use crate::sys;

/// Slots in the table: what fills 16 KiB.
pub(super) const SLOTS: usize = 1020;

/// Written into the first word by whoever joins first: "ndsync" and the version of this layout.
pub(super) const VERSION: u64 = u64::from_le_bytes(*b"ndsync\x01\x00");

/// # Layout
///
/// | offset | size | what |
/// |---|---|---|
/// | 0 | 8 | 0 before anybody joined, then [`VERSION`] |
/// | 8 | 56 | zero, reserved |
/// | 64 | 16 x 1020 | the slots |
#[repr(C, align(64))]
#[derive(Debug)]
pub(super) struct Table {
    version: AtomicU64,
    reserved: [AtomicU64; 7],
    slots: [Slot; SLOTS],
}

const _: () = assert!(size_of::<Table>() == 16 * 1024);

impl Table {
    /// Claims fresh memory for this version; the version found, where it is another.
    pub(super) fn check_version(&self) -> Result<(), u64> {
        // Relaxed: a constant, which guards nothing else.
        match self.version.compare_exchange(0, VERSION, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) | Err(VERSION) => Ok(()),
            Err(found) => Err(found),
        }
    }

    /// `None` where there is no such slot (a corrupted word).
    pub(super) fn slot(&self, slot: u16) -> Option<&Slot> {
        self.slots.get(usize::from(slot))
    }

    /// Locks a slot that no living process holds, for the description behind `fd`.
    pub(super) fn take_slot(&self, fd: BorrowedFd<'_>) -> io::Result<Option<u16>> {
        // Slots never used come first: one look in memory finds them, where a used one must be
        // tried with a system call; and the dead stay nameable for as long as possible.
        let unused = |s: &Slot| s.stamp().generation == 0;
        let fresh = self.slots.iter().enumerate().filter(|(_, s)| unused(s));
        let used = self.slots.iter().enumerate();
        for (slot, _) in fresh.chain(used) {
            let slot = u16::try_from(slot).expect("the table has fewer than 65,536 slots");
            if sys::try_lock_slot(fd, slot)? {
                return Ok(Some(slot));
            }
        }
        Ok(None)
    }

    /// Writes the stamp of a slot whose lock the caller holds; returns the new generation.
    pub(super) fn publish(&self, slot: u16, pid: u32, rank: Option<u32>) -> u32 {
        self.slots[usize::from(slot)].publish(pid, rank)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::mem::offset_of;

    #[test]
    fn the_layout_is_as_documented() {
        assert_eq!(offset_of!(Table, version), 0);
        assert_eq!(offset_of!(Table, slots), 64);
    }
}
