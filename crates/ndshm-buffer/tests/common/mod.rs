//! Names and directories that parallel runs do not share, and that are gone afterwards.
#![allow(dead_code, reason = "each test binary uses a part")]

use std::collections::hash_map::RandomState;
use std::fs;
use std::hash::{BuildHasher, Hasher};
use std::path::{Path, PathBuf};

use ndshm_buffer::{BufferOptions, SharedBuffer};

/// A name in the default directory; whatever has it at the end loses it.
pub(crate) struct Name(String);

impl Name {
    pub(crate) fn new(tag: &str) -> Self {
        Self(format!("test-{tag}-{}-{:016x}", std::process::id(), random()))
    }

    pub(crate) fn file(&self) -> PathBuf {
        Path::new("/dev/shm").join(format!("ndshm.{}", self.0))
    }
}

impl std::ops::Deref for Name {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl Drop for Name {
    fn drop(&mut self) {
        let _ = fs::remove_file(self.file());
    }
}

/// A directory on the shm filesystem, removed with all that is in it.
pub(crate) fn scratch() -> tempfile::TempDir {
    tempfile::Builder::new().prefix("ndshm-test-").tempdir_in("/dev/shm").unwrap()
}

/// Options for segments in that directory.
pub(crate) fn within(dir: &Path) -> BufferOptions {
    SharedBuffer::options().dir(dir)
}

/// What lies in a directory.
pub(crate) fn listing(dir: &Path) -> Vec<PathBuf> {
    fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect()
}

/// All the bytes of a buffer, at one time or another.
pub(crate) fn bytes(buffer: &SharedBuffer) -> Vec<u8> {
    let mut bytes = vec![0; buffer.len()];
    buffer.read_at(0, &mut bytes).unwrap();
    bytes
}

/// Errors are one line that names the segment and says what to do.
pub(crate) fn one_line(error: &impl std::fmt::Display, names: &str, remedy: &str) {
    let text = error.to_string();
    assert!(!text.contains('\n'), "more than one line: {text}");
    assert!(text.contains(names), "does not name {names}: {text}");
    assert!(text.contains(remedy), "does not say {remedy}: {text}");
}

fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}
