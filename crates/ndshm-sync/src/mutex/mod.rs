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

#[cfg(test)]
mod tests {
    // Here, since the models have the other files without a table of members.
    use super::outcome::Acquired;
    use super::raw::RawMutex;

    /// Who asks may come late: the writer that it saw has gone meanwhile.
    #[test]
    fn what_nobody_or_the_living_have_is_left_alone() {
        let members = ndshm_testkit::members!();
        let lock = RawMutex::new();
        assert!(!lock.free_from_the_dead(&members));
        assert!(!lock.is_poisoned());
        assert_eq!(lock.lock(&members), Ok(Acquired::Clean));
        assert!(!lock.free_from_the_dead(&members));
        assert_eq!(lock.owner(), Some(members.me()));
    }
}
