//! The word of a mutex, from production, with its guard.

#[path = "../../ndshm-sync/src/mutex/error.rs"]
mod error;
#[path = "../../ndshm-sync/src/mutex/guard.rs"]
mod guard;
#[path = "../../ndshm-sync/src/mutex/outcome.rs"]
mod outcome;
#[path = "../../ndshm-sync/src/mutex/outside.rs"]
mod outside;
#[path = "../../ndshm-sync/src/mutex/raw.rs"]
mod raw;

pub use error::{LockError, Poisoned};
pub use guard::MutexGuard;
pub(crate) use guard::Unlocked;
pub use outcome::{Acquired, Culprit, NotAcquired};
pub(crate) use outside::Seen;
pub use raw::RawMutex;
