//! Reader-writer locks: readers together, writers alone, and the deaths of both.

pub(crate) mod deaths;
pub(crate) mod kills;
pub(crate) mod meeting;
