//! Linux: a byte lock of an open file description tells who lives, futexes sleep, `membarrier` fences.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use crate::member::error::JoinError;
use crate::member::options::Backend;
use crate::member::table::{SLOTS, Table};
use crate::region::Region;
use crate::sys::{self, Listed};

/// The file whose bytes are locked.
#[derive(Debug)]
pub(in crate::member) struct Plan<'a>(BorrowedFd<'a>);

impl<'a> Plan<'a> {
    pub(in crate::member) fn new(_: &Backend, region: &Region<'a>) -> Result<Self, JoinError> {
        region.fd().map(Self).ok_or(JoinError::NoFile)
    }

    pub(in crate::member) fn take(self, table: &Table) -> Result<(u16, Seat), JoinError> {
        let liveness = sys::reopen(self.0).map_err(JoinError::Reopen)?;
        let listed = Listed::new(&liveness).map_err(JoinError::System)?;
        let lock = |slot, _| Ok(sys::try_lock_slot(liveness.as_fd(), slot)?.then_some(()));
        let taken = table.take_slot(lock).map_err(JoinError::System)?;
        let (slot, ()) = taken.ok_or(JoinError::Full { most: SLOTS })?;
        Ok((slot, Seat { liveness, listed }))
    }
}

/// The lock on the byte of a slot.
#[derive(Debug)]
pub(in crate::member) struct Seat {
    /// # Invariants
    ///
    /// 1. Holds the lock on the byte of the slot that [`Plan::take`] gave, and is not
    ///    mapped, duplicated or sent.
    liveness: OwnedFd,
    /// The same, as the fork handlers know it.
    listed: Listed,
}

impl Seat {
    pub(in crate::member) fn listed(&self) -> Listed {
        self.listed
    }

    pub(in crate::member) fn is_held(&self, slot: u16) -> io::Result<bool> {
        sys::slot_is_locked(self.liveness.as_fd(), slot)
    }

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
