//! Saying aloud what was not tested.

use std::io::Write;

/// Says that a part of the tests cannot run here, and why. The caller returns.
///
/// Written to the stream itself: what `println!` writes, the standard harness keeps to itself where
/// the test passes.
pub fn skip(what: &str, why: &str) {
    let _ = writeln!(std::io::stderr(), "SKIPPED: {what}: {why}");
}
