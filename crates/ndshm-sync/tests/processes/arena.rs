//! The shared memory of a test: a region with locks, and behind it pages of plain words in which
//! processes say how far they have come.

use std::fs::File;
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::atomic::AtomicU64;

use ndshm_sync::{Members, Region};
use ndshm_testkit::{Role, SharedMemory};

const REGION: usize = 64 * 1024;
const PAGE: usize = 4096;
const PAGES: usize = 16;

pub(crate) struct Arena {
    memory: SharedMemory,
}

impl Arena {
    pub(crate) fn create() -> Self {
        Self { memory: SharedMemory::create(REGION + PAGES * PAGE) }
    }

    /// In a file of that name, which is not there yet.
    pub(crate) fn named(name: &Path) -> Self {
        let file = File::options().read(true).write(true).create_new(true).open(name);
        let file = file.expect("cannot make the file");
        file.set_len((REGION + PAGES * PAGE) as u64).expect("cannot size the file");
        Self { memory: SharedMemory::of(file) }
    }

    /// In a child.
    pub(crate) fn inherited() -> Self {
        Self { memory: SharedMemory::inherited() }
    }

    pub(crate) fn region(&self) -> Region<'_> {
        // SAFETY: a fresh memfd, mapped for the rest of the process's life; the first `REGION`
        // bytes are used through this crate only (or spoilt on purpose, by atomic stores).
        unsafe { Region::new(self.memory.base(), REGION, self.memory.file().as_fd()) }
    }

    pub(crate) fn join(&self) -> Members<'_> {
        Members::join(self.region()).expect("cannot join the arena")
    }

    /// Word `word` of page `page`, behind the region.
    pub(crate) fn word(&self, page: usize, word: usize) -> &'static AtomicU64 {
        assert!(page < PAGES && word < PAGE / 8);
        self.memory.word(REGION + page * PAGE + word * 8)
    }

    /// A word inside the region, to be looked at or spoilt.
    pub(crate) fn inside(&self, offset: usize) -> &'static AtomicU64 {
        assert!(offset < REGION);
        self.memory.word(offset)
    }

    /// A child that inherits this arena.
    pub(crate) fn role(&self, name: &str) -> Role {
        Role::new(name).shared(self.memory.file())
    }
}
