//! What several test files of this crate ask for, of NumPy too.
#![allow(dead_code, unused_imports, reason = "each test binary uses a part")]

use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::Command;

use ndshm_array::{PoisonedClaim, PoisonedPart};

pub(crate) use ndshm_testkit::{Name, one_line, scratch};

pub(crate) fn is_empty(dir: &Path) -> bool {
    fs::read_dir(dir).unwrap().next().is_none()
}

/// The one part that is poisoned among the rows of a claim.
pub(crate) fn only<G>(claim: &PoisonedClaim<G>) -> PoisonedPart {
    let [part] = claim.parts() else { panic!("not one part: {:?}", claim.parts()) };
    part.clone()
}

/// A python3 that has NumPy, if there is one; says so aloud if not.
pub(crate) fn numpy() -> Option<&'static str> {
    ndshm_testkit::numpy("what NumPy makes of it")
}

/// Runs a script, which has to succeed; gives what it prints.
pub(crate) fn python<S: AsRef<OsStr>>(python: &str, script: &str, arguments: &[S]) -> String {
    let output =
        Command::new(python).args(["-W", "error", "-c", script]).args(arguments).output().unwrap();
    assert!(output.status.success(), "{script}\n{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
