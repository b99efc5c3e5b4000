//! What a membership asks of its platform, and nothing else here does: a slot that comes free at
//! death, whether another's has, sleeping on a word, and the barrier for both sides of that.
//!
//! The modules `native` and `portable` have the same items. One that is not compiled is `absent`,
//! which has them without a value, so that nothing is left of it here: with one backend compiled
//! there is nothing to choose at run time.

#[cfg(not(any(feature = "portable", all(target_os = "linux", not(ndshm_portable_only)))))]
compile_error!(
    "ndshm-sync has a native backend for Linux only: enable the cargo feature `portable` here"
);

#[cfg(not(all(target_os = "linux", not(ndshm_portable_only))))]
#[path = "absent.rs"]
mod native;
#[cfg(all(target_os = "linux", not(ndshm_portable_only)))]
mod native;

#[cfg(not(feature = "portable"))]
#[path = "absent.rs"]
mod portable;
#[cfg(feature = "portable")]
mod portable;

use std::io;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use super::error::JoinError;
use super::fork::ForkLock;
use super::options::{Backend, BackendKind, JoinOptions};
use super::table::Table;
use crate::region::Region;
use crate::sys::Listed;

/// What the portable backend takes of a region, behind the table.
pub(super) const PORTABLE_SIZE: usize = 16 * 1024;

/// A join that can be tried: what it takes is there, and nothing has been touched.
#[derive(Debug)]
pub(super) enum Plan<'a> {
    Native(native::Plan<'a>),
    Portable(portable::Plan<'a>),
}

/// A slot held for as long as the process lives and this is not dropped.
#[derive(Debug)]
pub(super) enum Seat {
    Native(native::Seat),
    Portable(portable::Seat),
}

impl<'a> Plan<'a> {
    pub(super) fn new(options: &JoinOptions, region: &Region<'a>) -> Result<Self, JoinError> {
        match options.backend {
            Backend::Native => native::Plan::new(options, region).map(Self::Native),
            Backend::Portable { .. } => portable::Plan::new(options, region).map(Self::Portable),
        }
    }

    /// Bytes that the backend takes behind the table.
    pub(super) const fn size(&self) -> usize {
        match self {
            Self::Native(_) => 0,
            Self::Portable(_) => PORTABLE_SIZE,
        }
    }

    pub(super) const fn kind(&self) -> BackendKind {
        match self {
            Self::Native(_) => BackendKind::Native,
            Self::Portable(_) => BackendKind::Portable,
        }
    }

    /// Locks a slot that no living process holds. No fork may come between this and the entry of
    /// [`Seat::listed`] in the list.
    pub(super) fn take(self, table: &Table, list: &ForkLock) -> Result<(u16, Seat), JoinError> {
        match self {
            Self::Native(plan) => {
                plan.take(table, list).map(|(slot, seat)| (slot, Seat::Native(seat)))
            }
            Self::Portable(plan) => {
                plan.take(table, list).map(|(slot, seat)| (slot, Seat::Portable(seat)))
            }
        }
    }
}

impl Seat {
    /// The descriptor that must not outlive a fork in the child.
    pub(super) fn listed(&self) -> Listed {
        match self {
            Self::Native(seat) => seat.listed(),
            Self::Portable(seat) => seat.listed(),
        }
    }

    /// Gives the slot up, and takes its descriptor off the list.
    pub(super) fn leave(self, list: &mut ForkLock) {
        let last = list.remove(self.listed());
        if let Self::Native(seat) = self {
            seat.leave(last);
        }
    }

    /// Whether a process holds that slot, which is not this seat's own.
    pub(super) fn is_held(&self, slot: u16) -> io::Result<bool> {
        match self {
            Self::Native(seat) => seat.is_held(slot),
            Self::Portable(seat) => seat.is_held(slot),
        }
    }

    /// Asks that [`heavy_fence`](Self::heavy_fence) of any process reach this one too; whether it will.
    pub(super) fn register_for_fences(&self) -> bool {
        match self {
            Self::Native(seat) => seat.register_for_fences(),
            Self::Portable(seat) => seat.register_for_fences(),
        }
    }

    pub(super) fn heavy_fence(&self) -> bool {
        match self {
            Self::Native(seat) => seat.heavy_fence(),
            Self::Portable(seat) => seat.heavy_fence(),
        }
    }

    /// Sleeps while `*word` is `expected`, for at most `most`; may return early.
    pub(super) fn sleep(&self, word: &AtomicU32, expected: u32, most: Duration) {
        match self {
            Self::Native(seat) => seat.sleep(word, expected, most),
            Self::Portable(seat) => seat.sleep(word, expected, most),
        }
    }

    /// Wakes those who sleep on `word`, at most `most` where the backend can tell; how many it were
    /// at least.
    pub(super) fn wake(&self, word: &AtomicU32, most: u32) -> usize {
        match self {
            Self::Native(seat) => seat.wake(word, most),
            Self::Portable(seat) => seat.wake(word, most),
        }
    }
}
