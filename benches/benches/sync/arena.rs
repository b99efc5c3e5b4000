//! Where in the shared memory everything lies.

use std::os::fd::AsFd;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use ndshm_sync::Region;
use ndshm_testkit::SharedMemory;

const REGION: usize = 64 * 1024;
/// Rivals' things lie behind the region, each on cache lines of its own.
const RIVALS: usize = 64 * 1024;
/// Two lines, since processors fetch them in pairs.
const APART: usize = 128;

/// What may lie in shared memory: valid when zeroed, and changed by any process at any time.
///
/// # Safety
///
/// Zeroes are a valid value, and a shared reference lets nobody do what is not sound from several
/// processes at once.
pub(crate) unsafe trait Shared: Sync + 'static {}

// SAFETY: an atomic.
unsafe impl Shared for AtomicU64 {}

/// A memfd with a region for ndshm, and room for the rivals. Mapped for the rest of the process's
/// life, and in every process that is forked from this one, at the same address.
#[derive(Debug)]
pub(crate) struct Arena {
    memory: SharedMemory,
    used: AtomicUsize,
}

impl Arena {
    #[must_use]
    pub(crate) fn create() -> &'static Self {
        let memory = SharedMemory::create(REGION + RIVALS);
        Box::leak(Box::new(Self { memory, used: AtomicUsize::new(REGION) }))
    }

    /// The part that is for ndshm-sync.
    #[must_use]
    pub(crate) fn region(&'static self) -> Region<'static> {
        // SAFETY: mapped for the rest of the process's life; these bytes were zero, and are used
        // through ndshm-sync only, by all processes in the same way.
        unsafe { Region::new(self.memory.base(), REGION, self.memory.file().as_fd()) }
    }

    /// Zeroed memory that nobody else has.
    ///
    /// # Panics
    ///
    /// When the arena is full.
    #[must_use]
    pub(crate) fn take<T: Shared>(&self) -> &'static T {
        let place = self.take_bytes(size_of::<T>()).cast::<T>();
        assert!(align_of::<T>() <= APART);
        // SAFETY: in bounds, aligned, zeroed (all as `take_bytes` says), which is a valid value
        // (`Shared`), mapped for ever, and handed out once.
        unsafe { &*place }
    }

    /// The same, for rivals that take an address: aligned to two cache lines.
    ///
    /// # Panics
    ///
    /// When the arena is full.
    #[must_use]
    pub(crate) fn take_bytes(&self, size: usize) -> *mut u8 {
        let size = size.next_multiple_of(APART);
        let offset = self.used.fetch_add(size, Ordering::Relaxed);
        assert!(offset + size <= REGION + RIVALS, "the arena is full");
        // SAFETY: inside the mapping, as just asserted.
        unsafe { self.memory.base().add(offset) }.as_ptr()
    }
}
