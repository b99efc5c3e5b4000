//! NumPy, where there is one to compare with.

use std::process::Command;
use std::sync::OnceLock;

use crate::skip;

/// A Python on the PATH that has NumPy; where there is none, says aloud that `what` is not tested.
#[must_use]
pub fn numpy(what: &str) -> Option<&'static str> {
    static FOUND: OnceLock<Option<&str>> = OnceLock::new();
    let has = |python: &&'static str| {
        let output = Command::new(python).args(["-c", "import numpy"]).output();
        output.is_ok_and(|output| output.status.success())
    };
    let found = *FOUND.get_or_init(|| ["python3", "python"].into_iter().find(has));
    if found.is_none() {
        skip(what, "no python3 with NumPy here");
    }
    found
}
