//! Names and directories that parallel runs do not share, and that are gone afterwards.

use std::collections::hash_map::RandomState;
use std::fs;
use std::hash::{BuildHasher, Hasher};
use std::ops::Deref;
use std::path::{Path, PathBuf};

/// A name for a segment in the default directory; whatever has it at the end loses it.
#[derive(Debug)]
pub struct Name(String);

impl Name {
    /// One that nobody else has: it holds the process id and a random number.
    #[must_use]
    pub fn new(tag: &str) -> Self {
        let random = RandomState::new().build_hasher().finish();
        Self(format!("test-{tag}-{}-{random:016x}", std::process::id()))
    }

    /// The file of the segment that has it.
    #[must_use]
    pub fn file(&self) -> PathBuf {
        Path::new("/dev/shm").join(format!("ndshm.{}", self.0))
    }
}

impl Deref for Name {
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
///
/// # Panics
///
/// When it cannot be made.
#[must_use]
pub fn scratch() -> tempfile::TempDir {
    let made = tempfile::Builder::new().prefix("ndshm-test-").tempdir_in("/dev/shm");
    made.expect("cannot make a directory in /dev/shm")
}

/// What an error text has to be: one line, not too long, that names what it is about and says what
/// to do. Gives the text.
///
/// # Panics
///
/// When it is not, or lacks one of `needles`.
pub fn one_line(error: &impl std::fmt::Display, needles: &[&str]) -> String {
    let text = error.to_string();
    assert!(!text.contains('\n') && text.len() < 500, "not one line: {text}");
    for needle in needles {
        assert!(text.contains(needle), "does not say {needle:?}: {text}");
    }
    text
}
