//! Linux: a byte lock of an open file description tells who lives, futexes sleep, `membarrier` fences.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, IntoRawFd, OwnedFd};
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use crate::member::error::JoinError;
use crate::member::fork::ForkLock;
use crate::member::options::{JoinOptions, Reopening};
use crate::member::table::{SLOTS, Table};
use crate::region::Region;
use crate::sys::{self, Listed};

/// The file whose bytes are locked, and how to come by a description of it of one's own.
#[derive(Debug)]
pub(in crate::member) struct Plan<'a> {
    file: BorrowedFd<'a>,
    reopening: Reopening,
}

impl<'a> Plan<'a> {
    pub(in crate::member) fn new(
        options: &JoinOptions,
        region: &Region<'a>,
    ) -> Result<Self, JoinError> {
        let file = region.fd().ok_or(JoinError::NoFile)?;
        Ok(Self { file, reopening: options.reopening.clone() })
    }

    pub(in crate::member) fn take(
        self,
        table: &Table,
        list: &ForkLock,
    ) -> Result<(u16, Seat), JoinError> {
        let file = Listed::new(&self.file).map_err(JoinError::System)?;
        let (way, listed) = match list.of_file(file) {
            // Opened anew it would have to be closed, which would drop the locks of this process.
            Some(shared) if shared.is_shared() => (Way::Process, shared),
            other => match self.open(file) {
                Ok((own, listed)) => (Way::Own(own), listed),
                // The same, of the descriptor that another membership has for itself.
                Err(e) if other.is_some() || !self.reopening.process_lock => return Err(e),
                Err(_) => (Way::Process, self.share(file)?),
            },
        };
        // SAFETY: owned by `way`, or shared, which stays open while it is listed; if this is the
        // first to share it, until `give_up` below.
        let fd = unsafe { listed.borrow() };
        let is_locked = |slot| sys::slot_is_locked(fd, slot);
        let taken = table.take_slot(is_locked, |slot, _| {
            let locked = match way {
                Way::Own(_) => sys::try_lock_slot(fd, slot),
                Way::Process => sys::try_lock_slot_for_process(fd, slot),
            };
            Ok(locked?.then_some(()))
        });
        match taken {
            Ok(Some((slot, ()))) => Ok((slot, Seat { way, listed, slot })),
            refused => {
                if matches!(way, Way::Process) && list.of_file(file).is_none() {
                    listed.close();
                }
                Err(refused.map_or_else(JoinError::System, |_| JoinError::Full { most: SLOTS }))
            }
        }
    }

    /// An open file description of the file that nobody else has.
    fn open(&self, file: Listed) -> Result<(OwnedFd, Listed), JoinError> {
        let same = |own: OwnedFd| {
            let listed = Listed::new(&own)?;
            let other = || io::Error::other("this leads to another file");
            if listed.is_same_file(file) { Ok((own, listed)) } else { Err(other()) }
        };
        let refused = match sys::reopen(self.file).and_then(same) {
            Ok(own) => return Ok(own),
            Err(e) => e,
        };
        match &self.reopening.name {
            None => Err(JoinError::Reopen(refused)),
            Some(name) => sys::open(name)
                .and_then(same)
                .map_err(|source| JoinError::Name { name: name.clone(), source }),
        }
    }

    /// A descriptor for the locks of this process: of its own, and closed by `exec`, which so drops
    /// them with the memberships that they stand for.
    fn share(&self, file: Listed) -> Result<Listed, JoinError> {
        let copy = self.file.try_clone_to_owned().map_err(JoinError::System)?;
        let listed = Listed::new(&copy).map_err(JoinError::System)?;
        debug_assert!(listed.is_same_file(file), "a duplicate");
        let _ = copy.into_raw_fd(); // closed with the last membership that is listed with it
        Ok(listed.shared())
    }
}

/// For whom the byte of a slot is locked.
#[derive(Debug)]
enum Way {
    /// For an open file description of the membership's own.
    ///
    /// # Invariants
    ///
    /// 1. Not mapped, duplicated or sent.
    Own(OwnedFd),
    /// For the process, through a descriptor that all its memberships of this kind share, and that
    /// stays open while one of them is listed.
    Process,
}

/// The lock on the byte of a slot.
#[derive(Debug)]
pub(in crate::member) struct Seat {
    /// # Invariants
    ///
    /// 1. Holds the lock on the byte of `slot`, by the descriptor that is `listed`.
    way: Way,
    /// The descriptor, as the fork handlers know it.
    listed: Listed,
    slot: u16,
}

impl Seat {
    pub(in crate::member) fn listed(&self) -> Listed {
        self.listed
    }

    /// `last`: whether nobody else is listed with the same descriptor.
    pub(in crate::member) fn leave(self, last: bool) {
        if let Way::Process = self.way {
            // An error leaves the byte locked until the last one closes the descriptor.
            let _ = sys::unlock_slot_of_process(self.fd(), self.slot);
            if last {
                self.listed.close();
            }
        }
    }

    fn fd(&self) -> BorrowedFd<'_> {
        match &self.way {
            Way::Own(own) => own.as_fd(),
            // SAFETY: open until the last one that was listed with it has left, for good.
            Way::Process => unsafe { self.listed.borrow() },
        }
    }

    /// A lock of this process is another's for the one who asks: a description.
    pub(in crate::member) fn is_held(&self, slot: u16) -> io::Result<bool> {
        sys::slot_is_locked(self.fd(), slot)
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
