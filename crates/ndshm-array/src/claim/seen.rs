//! The table of claims, looked at by one who claims nothing.

use std::ptr;

use ndshm_sync::{MemberId, RawMutex};

use super::rows::Rows;
use super::table::{ClaimTable, EXCLUSIVE, PANICKED, POISONED};

/// An entry that is not free.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    pub(crate) by: MemberId,
    pub(crate) rows: Rows,
    pub(crate) exclusive: bool,
    /// It stands for rows that somebody left half-changed.
    pub(crate) poisoned: bool,
    /// By a panic; otherwise by its death.
    pub(crate) panicked: bool,
}

impl ClaimTable {
    /// A private copy of a table, of its bytes.
    pub(crate) fn copy_of(bytes: &[u8; size_of::<Self>()]) -> Box<Self> {
        // SAFETY: as many bytes as a table has, in private memory; it is made of atomics, valid for
        // any of them.
        Box::new(unsafe { ptr::read_unaligned(bytes.as_ptr().cast::<Self>()) })
    }

    /// All that is claimed or poisoned.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        let entries = self.used().iter().filter_map(|entry| {
            let (state, by) = entry.state()?;
            Some(Seen {
                by,
                rows: entry.rows(),
                exclusive: state & EXCLUSIVE != 0,
                poisoned: state & POISONED != 0,
                panicked: state & PANICKED != 0,
            })
        });
        entries.collect()
    }

    /// The lock of the table.
    pub(crate) const fn lock(&self) -> &RawMutex {
        &self.lock
    }

    /// Whether anybody waits for a claim, or waited and has not been missed yet.
    pub(crate) fn has_waiters(&self) -> bool {
        self.released.has_sleepers()
    }

    /// How many claims were released, wrapping.
    pub(crate) fn releases(&self) -> u32 {
        self.released.read()
    }
}
