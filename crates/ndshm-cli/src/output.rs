//! Printing to a reader that may have gone.

use std::fmt::Display;
use std::io::{ErrorKind, Write, stderr, stdout};

use serde::Serialize;

use crate::outcome::Failure;

/// Prints a text, as a whole.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    print_bytes(text.as_bytes())
}

pub(crate) fn print_bytes(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Ok(()) => Ok(()),
        Err(e) if e.kind() == ErrorKind::BrokenPipe => Err(Failure::ReaderGone),
        Err(e) => Err(Failure::new(format_args!("standard output cannot be written: {e}"))),
    }
}

/// Prints one JSON object on a line.
pub(crate) fn print_json(value: &impl Serialize) -> Result<(), Failure> {
    let mut line = serde_json::to_string(value)?;
    line.push('\n');
    print(&line)
}

/// Says what went wrong.
pub(crate) fn complain(error: impl Display) {
    // Where nobody listens there is nobody to tell.
    let _ = writeln!(stderr(), "error: {error}");
}

/// Says what should be known, and is no failure.
pub(crate) fn warn(text: impl Display) {
    let _ = writeln!(stderr(), "warning: {text}");
}
