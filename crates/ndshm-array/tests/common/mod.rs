//! Names that parallel runs do not share, and what several test files ask of errors and of NumPy.
#![allow(dead_code, reason = "each test binary uses a part")]

use std::collections::hash_map::RandomState;
use std::ffi::OsStr;
use std::fmt::Display;
use std::fs;
use std::hash::{BuildHasher, Hasher};
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A name in the default directory; whatever has it at the end loses it.
pub(crate) struct Name(String);

impl Name {
    pub(crate) fn new(tag: &str) -> Self {
        let random = RandomState::new().build_hasher().finish();
        Self(format!("test-{tag}-{}-{random:016x}", std::process::id()))
    }

    pub(crate) fn file(&self) -> PathBuf {
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
pub(crate) fn scratch() -> tempfile::TempDir {
    tempfile::Builder::new().prefix("ndshm-test-").tempdir_in("/dev/shm").unwrap()
}

pub(crate) fn is_empty(dir: &Path) -> bool {
    fs::read_dir(dir).unwrap().next().is_none()
}

/// Errors are one line that names what it is about and says what is wrong. Gives the text.
pub(crate) fn one_line(error: &impl Display, needles: &[&str]) -> String {
    let text = error.to_string();
    assert!(!text.contains('\n') && text.len() < 500, "not one line: {text}");
    for needle in needles {
        assert!(text.contains(needle), "does not say {needle:?}: {text}");
    }
    text
}

/// A python3 that has NumPy, if there is one; says so aloud if not.
pub(crate) fn numpy() -> Option<&'static str> {
    let found = ["python3", "python"].into_iter().find(|python| {
        let output = Command::new(python).args(["-c", "import numpy"]).output();
        output.is_ok_and(|output| output.status.success())
    });
    if found.is_none() {
        ndshm_testkit::skip("what NumPy makes of it", "no python3 with NumPy here");
    }
    found
}

/// Runs a script, which has to succeed; gives what it prints.
pub(crate) fn python<S: AsRef<OsStr>>(python: &str, script: &str, arguments: &[S]) -> String {
    let output =
        Command::new(python).args(["-W", "error", "-c", script]).args(arguments).output().unwrap();
    assert!(output.status.success(), "{script}\n{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
