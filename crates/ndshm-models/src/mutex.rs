//! The word of a mutex, from production.

#[path = "../../ndshm-sync/src/mutex/outcome.rs"]
mod outcome;
#[path = "../../ndshm-sync/src/mutex/raw.rs"]
mod raw;

pub use outcome::{Acquired, Culprit, NotAcquired};
pub use raw::RawMutex;
