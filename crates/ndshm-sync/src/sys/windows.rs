//! Windows: no fork, so nothing to close after one. Not compiled by its authors, let alone run.

use std::io;

/// Nothing: handles are not inherited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Listed;

impl Listed {
    #[allow(clippy::unnecessary_wraps, reason = "what it is elsewhere")]
    pub(crate) fn new(_: &std::fs::File) -> io::Result<Self> {
        Ok(Self)
    }
}

/// Processors that this process may use.
pub(crate) fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}
