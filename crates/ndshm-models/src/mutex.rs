//! The word of a mutex, from production, with its guard.

#[path = "sync/mutex/error.rs"]
mod error;
#[path = "sync/mutex/guard.rs"]
mod guard;
#[path = "sync/mutex/outcome.rs"]
mod outcome;
#[path = "sync/mutex/outside.rs"]
mod outside;
#[path = "sync/mutex/raw.rs"]
mod raw;

pub use error::{LockError, Poisoned};
pub use guard::MutexGuard;
pub(crate) use guard::Unlocked;
pub use outcome::{Acquired, Culprit, NotAcquired};
pub(crate) use outside::Seen;
pub use raw::RawMutex;
