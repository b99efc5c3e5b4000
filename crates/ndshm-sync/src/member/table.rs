//! The table of members, at the start of a region.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use super::error::JoinError;
use super::options::BackendKind;
use super::slot::Slot;

/// Slots in the table: what fills 16 KiB.
pub(super) const SLOTS: usize = 1020;

/// Written into the first word by whoever joins first: "ndsync", the version of this layout, and the
/// backend in the last byte, so that one compare-and-swap settles both, and a build that knows no
/// other than the native one refuses the rest.
pub(super) const VERSION: u64 = u64::from_le_bytes(*b"ndsync\x01\x00");

/// Where the backend stands in the first word.
const BACKEND: u32 = 56;

/// # Layout
///
/// | offset | size | what |
/// |---|---|---|
/// | 0 | 7 | 0 before anybody joined, then "ndsync" and the version of this layout, 1 |
/// | 7 | 1 | how the members of this region join: 0 native, 1 portable |
/// | 8 | 8 | the slot taken last: behind it the search goes on; only a hint |
/// | 16 | 48 | zero, reserved |
/// | 64 | 16 x 1020 | the slots |
#[repr(C, align(64))]
#[derive(Debug)]
pub(super) struct Table {
    version: AtomicU64,
    taken: AtomicU64,
    reserved: [AtomicU64; 6],
    slots: [Slot; SLOTS],
}

const _: () = assert!(size_of::<Table>() == 16 * 1024);

impl Table {
    /// Claims fresh memory for this version and `backend`.
    pub(super) fn settle(&self, backend: BackendKind) -> Result<(), JoinError> {
        let known = VERSION | u64::from(backend.to_byte()) << BACKEND;
        // Relaxed: a constant, which guards nothing else.
        let Err(found) =
            self.version.compare_exchange(0, known, Ordering::Relaxed, Ordering::Relaxed)
        else {
            return Ok(());
        };
        let [.., byte] = found.to_le_bytes();
        match BackendKind::from_byte(byte) {
            _ if found == known => Ok(()),
            Some(made) if found == VERSION | u64::from(byte) << BACKEND => {
                Err(JoinError::Backend { made, asked: backend })
            }
            _ => Err(JoinError::Version { found, known }),
        }
    }

    /// The first word.
    #[cfg(all(target_os = "linux", not(ndshm_portable_only)))]
    pub(super) fn version(&self) -> u64 {
        self.version.load(Ordering::Relaxed)
    }

    /// Where that slot lies in the table.
    #[cfg(all(target_os = "linux", not(ndshm_portable_only)))]
    pub(super) const fn offset_of_slot(slot: u16) -> usize {
        std::mem::offset_of!(Table, slots) + slot as usize * size_of::<Slot>()
    }

    /// `None` where there is no such slot (a corrupted word).
    pub(super) fn slot(&self, slot: u16) -> Option<&Slot> {
        self.slots.get(usize::from(slot))
    }

    /// Has `lock` take a slot that no living process holds, and gives what it returned for that.
    ///
    /// `is_locked` tells whether anybody holds that slot. `lock` is told the slot, and whether nobody has
    /// ever had it; it returns `None` where it cannot have it. The whole ends with the first error.
    pub(super) fn take_slot<L>(
        &self,
        mut is_locked: impl FnMut(u16) -> io::Result<bool>,
        mut lock: impl FnMut(u16, bool) -> io::Result<Option<L>>,
    ) -> io::Result<Option<(u16, L)>> {
        // Slots never used come first: one look in memory finds them, where a used one must be
        // tried with a system call; and the dead stay nameable for as long as possible.
        let unused = |slot: &usize| self.slots[*slot].stamp().generation == 0;
        // They are taken in order, so once the last was used there are none, or few that a kill left and that are
        // found among the used.
        let fresh = if unused(&(SLOTS - 1)) { 0..SLOTS } else { 0..0 };
        let fresh = fresh.filter(unused);
        // Among the used, from behind the one taken last: those before it are most likely held.
        let last = self.taken.load(Ordering::Relaxed);
        let last = usize::try_from(last).map_or(0, |slot| slot % SLOTS);
        let used = (last + 1..SLOTS).chain(0..=last);
        for at in fresh.chain(used) {
            let slot = u16::try_from(at).expect("the table has fewer than 65,536 slots");
            let unused = unused(&at);
            if self.slots[at].retire(|| is_locked(slot))?
                && let Some(lock) = lock(slot, unused)?
            {
                self.taken.store(slot.into(), Ordering::Relaxed);
                return Ok(Some((slot, lock)));
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
        assert_eq!(offset_of!(Table, taken), 8);
        assert_eq!(offset_of!(Table, slots), 64);
    }
}
