//! Linux: a byte lock of an open file description tells who lives, futexes sleep, `membarrier` fences.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use crate::member::error::JoinError;
use crate::member::table::{SLOTS, Table};
use crate::region::Region;
use crate::sys::{self, Listed};

/// The lock on the byte of a slot.
#[derive(Debug)]
pub(in crate::member) struct Seat {
    /// # Invariants
    ///
    /// 1. Holds the lock on the byte of the slot that [`take`](Self::take) gave, and is not
    ///    mapped, duplicated or sent.
    liveness: OwnedFd,
    /// The same, as the fork handlers know it.
    listed: Listed,
}

impl Seat {
    /// Locks a slot that no living process holds. No fork may come between this and the entry of
    /// [`listed`](Self::listed) in the list.
    pub(in crate::member) fn take(
        region: &Region<'_>,
        table: &Table,
    ) -> Result<(u16, Self), JoinError> {
        let liveness = sys::reopen(region.fd()).map_err(JoinError::Reopen)?;
        let listed = Listed::new(liveness.as_fd()).map_err(JoinError::System)?;
        let lock = |slot, _| Ok(sys::try_lock_slot(liveness.as_fd(), slot)?.then_some(()));
        let taken = table.take_slot(lock).map_err(JoinError::System)?;
        let (slot, ()) = taken.ok_or(JoinError::Full { most: SLOTS })?;
        Ok((slot, Self { liveness, listed }))
    }

    pub(in crate::member) fn listed(&self) -> Listed {
        self.listed
    }

    /// Whether somebody else's lock is on that slot. It does not see this seat's own.
    pub(in crate::member) fn is_held(&self, slot: u16) -> io::Result<bool> {
        sys::slot_is_locked(self.liveness.as_fd(), slot)
    }

    /// Asks that [`heavy_fence`](Self::heavy_fence) of any process reach this one too; whether it will.
    pub(in crate::member) fn register_for_fences(&self) -> bool {
        sys::register_for_fences()
    }

    pub(in crate::member) fn heavy_fence(&self) -> bool {
        sys::fence_all()
    }

    pub(in crate::member) fn sleep(&self, word: &AtomicU32, expected: u32, most: Duration) {
        sys::futex_wait(word, expected, most);
    }

    pub(in crate::member) fn wake(&self, word: &AtomicU32, most: u32) -> usize {
        sys::futex_wake(word, most)
    }
}
