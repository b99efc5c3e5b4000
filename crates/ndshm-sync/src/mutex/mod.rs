//! Mutual exclusion: the word ([`RawMutex`]) apart from the typed handle ([`Mutex`]).

mod error;
mod guard;
mod outcome;
mod outside;
mod raw;
mod typed;

pub use error::{LockError, Poisoned};
pub use guard::MutexGuard;
pub(crate) use guard::Unlocked;
pub use outcome::{Acquired, Culprit, NotAcquired};
pub(crate) use outside::Seen;
pub use raw::RawMutex;
pub use typed::{Mutex, MutexCell};
