//! The shared memory of a test, joined by the backend that the test is run for.

use std::os::fd::AsFd;
use std::path::PathBuf;
use std::sync::atomic::AtomicU64;

use ndshm_sync::{Backend, BackendKind, JoinError, JoinOptions, Members, Region};
use ndshm_testkit::{Role, SharedMemory, arguments, scratch, skip};
use tempfile::TempDir;

const REGION: usize = 256 * 1024;
const PAGE: usize = 4096;
const PAGES: usize = 16;

/// In a child's arguments, where the directory would stand.
const NATIVE: &str = "native";

/// A region, and behind it pages of plain words in which processes say how far they have come.
pub(crate) struct Arena {
    memory: SharedMemory,
    backend: Backend,
    /// Of the process that made it: removed at its end.
    _directory: Option<TempDir>,
}

/// Runs `test` for that backend, or says aloud that this build does not have it.
pub(crate) fn on(kind: BackendKind, test: fn(BackendKind)) {
    let arena = Arena::create(kind);
    let joined = arena.options().join(arena.region()).map(drop);
    match joined {
        Err(e @ JoinError::NotCompiled { .. }) => {
            skip(&format!("the {kind} backend"), &e.to_string())
        }
        Err(e) => panic!("{e}"),
        Ok(()) => test(kind),
    }
}

impl Arena {
    pub(crate) fn create(kind: BackendKind) -> Self {
        let memory = SharedMemory::create(REGION + PAGES * PAGE);
        match kind {
            BackendKind::Native => Self { memory, backend: Backend::Native, _directory: None },
            BackendKind::Portable => {
                let directory = scratch();
                let backend = Backend::portable(directory.path());
                Self { memory, backend, _directory: Some(directory) }
            }
        }
    }

    /// In a child: what [`role`](Self::role) gave it.
    pub(crate) fn inherited() -> Self {
        let directory = &arguments()[0];
        let backend = match directory.as_str() {
            NATIVE => Backend::Native,
            directory => Backend::portable(directory),
        };
        Self { memory: SharedMemory::inherited(), backend, _directory: None }
    }

    /// A child that inherits this arena. Its own arguments are the second and later ones.
    pub(crate) fn role(&self, name: &str) -> Role {
        let directory = self.directory().map(|d| d.to_str().expect("of letters"));
        Role::new(name).shared(self.memory.file()).arg(directory.unwrap_or(NATIVE))
    }

    pub(crate) fn directory(&self) -> Option<&PathBuf> {
        match &self.backend {
            Backend::Native => None,
            Backend::Portable { directory } => Some(directory),
        }
    }

    pub(crate) fn options(&self) -> JoinOptions {
        Members::options().backend(self.backend.clone())
    }

    /// The portable backend has to do without a file.
    pub(crate) fn region(&self) -> Region<'_> {
        self.part(0, REGION)
    }

    pub(crate) fn part(&self, offset: usize, len: usize) -> Region<'_> {
        assert!(offset + len <= REGION);
        // SAFETY: within the mapping, as just asserted.
        let base = unsafe { self.memory.base().add(offset) };
        match self.backend {
            // SAFETY: a fresh memfd, mapped for the rest of the process's life; the first `REGION`
            // bytes are used through this crate only.
            Backend::Native => unsafe { Region::new(base, len, self.memory.file().as_fd()) },
            // SAFETY: the same.
            Backend::Portable { .. } => unsafe { Region::without_file(base, len) },
        }
    }

    /// The region with its file, whatever the backend.
    pub(crate) fn region_with_file(&self) -> Region<'_> {
        // SAFETY: as in `part`.
        unsafe { Region::new(self.memory.base(), REGION, self.memory.file().as_fd()) }
    }

    pub(crate) fn join(&self) -> Members<'_> {
        self.options().join(self.region()).expect("cannot join the arena")
    }

    /// The first word of the table, to be spoilt.
    pub(crate) fn head(&self) -> &'static AtomicU64 {
        self.memory.word(0)
    }

    /// Word `word` of page `page`, behind the region.
    pub(crate) fn word(&self, page: usize, word: usize) -> &'static AtomicU64 {
        assert!(page < PAGES && word < PAGE / 8);
        self.memory.word(REGION + page * PAGE + word * 8)
    }
}
