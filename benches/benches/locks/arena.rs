//! Where in the shared memory the rivals' locks lie.

use std::os::fd::AsFd;
use std::ptr::NonNull;
use std::sync::atomic::AtomicU64;

use ndshm_sync::{Members, Region};
use ndshm_testkit::{Role, SharedMemory};

const REGION: usize = 64 * 1024;
/// One page for each thing that follows the region.
const PAGE: usize = 4096;
const PAGES: usize = 8;

/// A memfd with a region for ndshm, and a page for each rival. Never unmapped.
#[derive(Debug)]
pub(crate) struct Arena(SharedMemory);

impl Arena {
    /// A new one, for the rest of the process's life.
    #[must_use]
    pub(crate) fn create() -> &'static Self {
        Box::leak(Box::new(Self(SharedMemory::create(REGION + PAGES * PAGE))))
    }

    /// The one that the parent made.
    #[must_use]
    pub(crate) fn inherited() -> &'static Self {
        Box::leak(Box::new(Self(SharedMemory::inherited())))
    }

    /// Makes this process a member, for the rest of its life.
    ///
    /// # Panics
    ///
    /// When it cannot join.
    #[must_use]
    pub(crate) fn join(&'static self) -> &'static Members<'static> {
        // SAFETY: mapped for the rest of the process's life; these bytes were zero, and are used
        // through ndshm-sync only, by all processes in the same way.
        let region = unsafe { Region::new(self.0.base(), REGION, self.0.file().as_fd()) };
        Box::leak(Box::new(Members::join(region).expect("cannot join")))
    }

    /// The first byte of page `page` behind the region.
    ///
    /// # Panics
    ///
    /// When there is no such page.
    #[must_use]
    pub(crate) fn page(&self, page: usize) -> NonNull<u8> {
        assert!(page < PAGES);
        // SAFETY: inside the mapping, as just asserted.
        unsafe { self.0.base().add(REGION + page * PAGE) }
    }

    /// A word of the last page, by which parent and child command and answer. Each has a cache
    /// line of its own.
    #[must_use]
    pub(crate) fn order(&self, word: usize) -> &'static AtomicU64 {
        self.0.word(REGION + (PAGES - 1) * PAGE + word * 128)
    }

    /// A child that inherits it.
    #[must_use]
    pub(crate) fn role(&self, name: &str) -> Role {
        Role::new(name).shared(self.0.file())
    }
}
