//! Locks behind one trait: lock, add one, unlock.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ndshm_sync::{Members, Mutex};
use raw_sync::locks::{LockImpl, LockInit};

use crate::arena::Arena;
use crate::pthread::PthreadMutex;

/// A lock around a number.
pub(crate) trait Lock {
    /// Locks, adds one, unlocks.
    fn increment(&self);
}

/// That many increments.
#[inline(never)]
pub(crate) fn increments<L: Lock + ?Sized>(lock: &L, count: u64) -> Duration {
    let start = Instant::now();
    for _ in 0..count {
        lock.increment();
    }
    start.elapsed()
}

/// Ours, in the arena's region.
#[derive(Debug)]
pub(crate) struct Ndshm(Mutex<'static, u64>);

impl Ndshm {
    /// The first mutex of the region.
    ///
    /// # Panics
    ///
    /// When the region is laid out in another way.
    #[must_use]
    pub(crate) fn new(members: &'static Members<'static>) -> Self {
        Self(members.layout().mutex(0).expect("the first thing of the region is this mutex"))
    }
}

impl Lock for Ndshm {
    #[inline]
    fn increment(&self) {
        *self.0.lock().expect("nobody died") += 1;
    }
}

/// The C library's, on a page of the arena.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pthread(&'static PthreadMutex);

impl Pthread {
    const fn page(robust: bool) -> usize {
        if robust { 1 } else { 0 }
    }

    /// Makes it. Once for an arena.
    #[must_use]
    pub(crate) fn create(arena: &'static Arena, robust: bool) -> Self {
        // SAFETY: that page is this mutex's; the arena is never unmapped.
        Self(unsafe { PthreadMutex::create(arena.page(Self::page(robust)), robust) })
    }

    /// The one that the parent made.
    #[must_use]
    pub(crate) fn existing(arena: &'static Arena, robust: bool) -> Self {
        // SAFETY: the parent made it there before it started this process.
        Self(unsafe { PthreadMutex::existing(arena.page(Self::page(robust))) })
    }
}

impl Lock for Pthread {
    #[inline]
    fn increment(&self) {
        self.0.increment();
    }
}

/// raw_sync's, on a page of the arena.
pub(crate) struct RawSync(Box<dyn LockImpl>);

impl RawSync {
    /// Makes it. Once for an arena.
    ///
    /// # Panics
    ///
    /// When raw_sync refuses.
    #[must_use]
    pub(crate) fn create(arena: &'static Arena) -> Self {
        let (mutex, value) = (arena.page(2).as_ptr(), arena.page(3).as_ptr());
        // SAFETY: these pages are this mutex's and its value's, zeroed and never unmapped.
        let made = unsafe { raw_sync::locks::Mutex::new(mutex, value) };
        Self(made.expect("raw_sync refuses").0)
    }

    /// The one that the parent made.
    ///
    /// # Panics
    ///
    /// When raw_sync refuses.
    #[must_use]
    pub(crate) fn existing(arena: &'static Arena) -> Self {
        let (mutex, value) = (arena.page(2).as_ptr(), arena.page(3).as_ptr());
        // SAFETY: the parent made it there before it started this process.
        let found = unsafe { raw_sync::locks::Mutex::from_existing(mutex, value) };
        Self(found.expect("raw_sync refuses").0)
    }
}

impl Lock for RawSync {
    #[inline]
    fn increment(&self) {
        let guard = self.0.lock().expect("raw_sync refuses");
        // SAFETY: the page of the value, aligned; the lock is held.
        unsafe { *guard.cast::<u64>() += 1 };
    }
}

impl fmt::Debug for RawSync {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RawSync")
    }
}

/// A lock between threads, on a cache line of its own.
#[repr(align(128))]
#[derive(Debug, Default)]
pub(crate) struct InProcess<L>(L);

/// parking_lot's.
pub(crate) type ParkingLot = Arc<InProcess<parking_lot::Mutex<u64>>>;

/// The standard library's.
pub(crate) type Std = Arc<InProcess<std::sync::Mutex<u64>>>;

impl Lock for ParkingLot {
    #[inline]
    fn increment(&self) {
        *self.0.lock() += 1;
    }
}

impl Lock for Std {
    #[inline]
    fn increment(&self) {
        *self.0.lock().expect("nobody panicked") += 1;
    }
}
