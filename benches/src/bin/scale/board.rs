//! Where orders are given and results are left, in memory that a crew shares.

use std::sync::atomic::{AtomicU32, AtomicU64};

use ndshm_testkit::SharedMemory;

/// The most of a crew: what a table of members has room for, less the one who measures and some that die.
pub(crate) const MOST: usize = 1000;

/// What is written by some and read by others, apart from the rest.
#[repr(C, align(128))]
#[derive(Debug)]
pub(crate) struct Line<T>(pub(crate) T);

/// Valid when zeroed.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct Board {
    /// What is to be done; written while all sleep.
    pub(crate) job: AtomicU32,
    pub(crate) active: AtomicU32,
    /// How often; 0 for until `stop`.
    pub(crate) count: AtomicU64,
    pub(crate) stop: Line<AtomicU32>,
    /// How many are prepared for jobs at all.
    pub(crate) prepared: Line<AtomicU32>,
    /// How many have read the order and wait for `go`.
    pub(crate) ready: Line<AtomicU32>,
    /// The number of the turn that may begin.
    pub(crate) go: Line<AtomicU32>,
    pub(crate) finished: Line<AtomicU32>,
    /// For what a part has to say besides.
    pub(crate) flag: Line<AtomicU32>,
    pub(crate) seats: [Seat; MOST],
}

/// The place of one of the crew.
#[repr(C, align(128))]
#[derive(Debug)]
pub(crate) struct Seat {
    /// The number of the turn that it is to take part in.
    pub(crate) order: AtomicU32,
    pub(crate) done: AtomicU64,
    pub(crate) began: AtomicU64,
    pub(crate) ended: AtomicU64,
}

impl Board {
    /// A new one, mapped for the rest of the process's life, and in all that are forked from it.
    pub(crate) fn create() -> &'static Self {
        let memory = SharedMemory::create(size_of::<Self>());
        // SAFETY: as long as a board, aligned to a page, zeroed, made of atomics, and mapped for ever.
        unsafe { memory.base().cast::<Self>().as_ref() }
    }
}
