//! Saying aloud what was not tested.

/// Says that a part of the tests cannot run here, and why. The caller returns.
pub fn skip(what: &str, why: &str) {
    println!("SKIPPED: {what}: {why}");
}
