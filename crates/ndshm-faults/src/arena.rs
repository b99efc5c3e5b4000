//! The memory that the processes of one campaign share: a region for the primitive, and beside it
//! the words by which they agree, which nothing under test ever touches.

use std::os::fd::AsFd;
use std::ptr::NonNull;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::atomic::{AtomicU32, AtomicU64};

use ndshm_sync::{EventCount, Region};
use ndshm_testkit::SharedMemory;

use crate::seat::Seat;
use crate::tally::Tally;
use crate::violation::Violations;

/// Bytes of the region: members and the primitive.
const REGION: usize = 64 * 1024;

/// Where in it something is made anew for each round.
const RENEWED: usize = 48 * 1024;

/// Seats: the first is the survivor's, the last that of those who orphan, the others the players'.
pub const SEATS: usize = 8;

/// The words by which the processes agree.
#[repr(C)]
#[derive(Debug)]
pub struct Control {
    /// Odd while players may take turns; a futex.
    pub(crate) gate: AtomicU32,
    /// Counts what players tell the survivor; a futex.
    pub(crate) arrivals: AtomicU32,
    /// The number of the seat that is inside; 0 for nobody.
    pub(crate) inside: AtomicU64,
    /// For the primitives' own use.
    pub notes: [AtomicU64; 8],
    /// For a primitive that is no part of `ndshm-sync`, and does not lie in the region.
    pub scratch: [AtomicU64; 32],
    /// Counts that the survivor is at work.
    pub(crate) beat: AtomicU64,
    pub(crate) violations: Violations,
    pub(crate) tally: Tally,
    pub(crate) seats: [Seat; SEATS],
    /// A primitive that has no place of its own in a region.
    pub events: EventCount,
}

/// Shared memory of one campaign, mapped for the rest of the process's life.
#[derive(Debug)]
pub struct Arena {
    memory: SharedMemory,
}

impl Arena {
    /// A new one, all zero.
    #[must_use]
    pub(crate) fn create() -> &'static Self {
        let len = REGION + size_of::<Control>().next_multiple_of(4096);
        Box::leak(Box::new(Self { memory: SharedMemory::create(len) }))
    }

    /// All zero again. Nobody else may be using it.
    pub(crate) fn clear(&self) {
        for offset in (0..self.memory.len()).step_by(8) {
            self.memory.word(offset).store(0, Relaxed);
        }
    }

    /// What the primitive under test lies in.
    #[must_use]
    pub fn region(&'static self) -> Region<'static> {
        // SAFETY: mapped for the rest of the process's life; zero before the first process joined
        // (`create`, `clear`); the words of `Control` lie behind it, and all who use the region
        // lay out the same primitive in it.
        unsafe { Region::new(self.memory.base(), REGION, self.memory.file().as_fd()) }
    }

    /// Where something lies that is made anew for each round, beyond what any layout has handed out:
    /// a page.
    #[must_use]
    pub fn renewed<T>(&self) -> NonNull<T> {
        const { assert!(align_of::<T>() <= 4096 && size_of::<T>() <= 4096, "it has a page") };
        // SAFETY: within the region.
        unsafe { self.memory.base().add(RENEWED) }.cast()
    }

    /// Makes it anew: all zero. Nobody else may be using it.
    pub fn renew(&self) {
        for offset in (RENEWED..RENEWED + 4096).step_by(8) {
            self.memory.word(offset).store(0, SeqCst);
        }
    }

    /// The words by which the processes agree.
    #[must_use]
    pub fn control(&self) -> &'static Control {
        // SAFETY: `create` made room for it behind the region.
        let at = unsafe { self.memory.base().add(REGION) }.cast::<Control>();
        // SAFETY: mapped for the rest of the process's life, aligned (a page's start), made of
        // atomics, and valid for any bytes.
        unsafe { at.as_ref() }
    }
}
