//! Where a test has its segments, of the backend that it is run for.

use std::fs;
use std::path::{Path, PathBuf};

use ndshm_buffer::{Backend, BufferOptions, CreateError, SharedBuffer};
use ndshm_testkit::{Name, Role, arguments, scratch, skip};
use tempfile::TempDir;

/// A name that nobody else has, and what has it at the end is removed.
pub(crate) struct Arena {
    pub(crate) backend: Backend,
    name: String,
    /// Of the native backend.
    directory: Option<PathBuf>,
    _clean: Option<Clean>,
}

/// Of the process that made the arena.
struct Clean {
    name: Name,
    _directory: TempDir,
}

impl Drop for Clean {
    fn drop(&mut self) {
        // Those as well that a test made of it, and did not get to remove.
        let entries = fs::read_dir("/dev/shm").into_iter().flatten().flatten();
        let of_this_run = |name: &str| name.contains(&*self.name);
        for entry in entries.filter(|entry| entry.file_name().to_str().is_some_and(of_this_run)) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Where Linux has the portable segment of that name.
fn file_of(name: &str) -> PathBuf {
    Path::new("/dev/shm").join(format!("ndshm-p.{name}"))
}

/// Runs `test` for that backend, or says aloud that this build does not have it.
pub(crate) fn on(backend: Backend, test: fn(&Arena)) {
    let arena = Arena::new(backend);
    match arena.options().create(arena.name(), 1).map(drop) {
        Err(CreateError::Unsupported(refused)) => {
            skip(&format!("the {backend} backend"), &refused.to_string());
        }
        Err(error) => panic!("{error}"),
        Ok(()) => test(&arena),
    }
}

impl Arena {
    pub(crate) fn new(backend: Backend) -> Self {
        let clean = Clean { name: Name::new("c"), _directory: scratch() };
        let directory = clean._directory.path().to_owned();
        Self {
            backend,
            name: clean.name.to_string(),
            directory: (backend == Backend::Native).then_some(directory),
            _clean: Some(clean),
        }
    }

    /// In a child: what [`role`](Self::role) gave it.
    pub(crate) fn inherited() -> Self {
        let [backend, name, directory] = &arguments()[..3] else { panic!("three arguments") };
        let native = backend == "native";
        Self {
            backend: if native { Backend::Native } else { Backend::Portable },
            name: name.clone(),
            directory: native.then(|| directory.into()),
            _clean: None,
        }
    }

    /// A child that has this arena, with that word for it.
    pub(crate) fn role(&self, role: &str, word: impl ToString) -> Role {
        let directory = self.directory.as_deref().unwrap_or(Path::new("-"));
        let role = Role::new(role).arg(self.backend).arg(&self.name).arg(directory.display());
        role.arg(word.to_string())
    }

    pub(crate) fn is_native(&self) -> bool {
        self.backend == Backend::Native
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn options(&self) -> BufferOptions {
        let options = SharedBuffer::options().backend(self.backend);
        match &self.directory {
            Some(directory) => options.dir(directory),
            None => options,
        }
    }

    pub(crate) fn create(&self, len: usize) -> SharedBuffer {
        self.options().create(&self.name, len).unwrap()
    }

    pub(crate) fn open(&self) -> SharedBuffer {
        self.options().open(&self.name).unwrap()
    }

    /// What the name leads to, where systems have files for names.
    pub(crate) fn file(&self) -> PathBuf {
        match &self.directory {
            Some(directory) => directory.join(format!("ndshm.{}", self.name)),
            None => file_of(&self.name),
        }
    }
}

/// The word for this child.
pub(crate) fn word() -> String {
    arguments()[3].clone()
}
