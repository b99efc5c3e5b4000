//! What a subcommand comes to.

use std::fmt;

/// What it found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// All is well.
    Fine,
    /// Something was found, or the answer is no.
    Found,
    /// The exit status of a program that was run.
    Status(u8),
}

/// Why it could not be done: one line.
#[derive(Debug)]
pub(crate) enum Failure {
    Said(String),
    /// Nobody reads the output any more.
    ReaderGone,
}

pub(crate) type Outcome = Result<Verdict, Failure>;

impl Failure {
    pub(crate) fn new(text: impl fmt::Display) -> Self {
        Self::Said(text.to_string())
    }
}

/// Any error of the crates below is one line already.
impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::new(error)
    }
}
