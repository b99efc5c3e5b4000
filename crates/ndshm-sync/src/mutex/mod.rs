//! Mutual exclusion: the word ([`RawMutex`]) apart from the typed handle ([`Mutex`]).

mod error;
mod guard;
#[cfg(feature = "lock_api")]
mod lock_api;
mod outcome;
mod outside;
mod raw;
mod typed;

pub(crate) use error::question_mark_drops;
pub use error::{LockError, Poisoned};
pub use guard::MutexGuard;
pub(crate) use guard::Unlocked;
#[cfg(feature = "lock_api")]
pub use lock_api::BoundMutex;
pub use outcome::{Acquired, Culprit, NotAcquired};
pub(crate) use outside::Seen;
pub use raw::RawMutex;
pub use typed::{Mutex, MutexCell};
