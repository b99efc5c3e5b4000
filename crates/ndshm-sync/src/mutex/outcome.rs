//! What came of trying to take a lock word.

use crate::member::MemberId;

/// A lock was had; this is what the holder must be told.
///
/// ```
/// use ndshm_sync::{Acquired, Culprit, RawMutex};
///
/// # let members = ndshm_testkit::members!();
/// # let lock = RawMutex::new();
/// match lock.lock(&members) {
///     Ok(Acquired::Clean) => {}
///     Ok(Acquired::Poisoned(Culprit::Died(who))) => println!("mend what {who} left"),
///     Ok(Acquired::Poisoned(Culprit::Panicked(who))) => println!("{who} panicked"),
///     Err(e) => panic!("not had: {e:?}"),
/// }
/// # assert_eq!(lock.owner(), Some(members.me()));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Acquired {
    /// Nothing is wrong with what the lock guards.
    Clean,
    /// What the lock guards may be half-changed.
    Poisoned(Culprit),
}

/// Who left a lock poisoned.
///
/// ```
/// use ndshm_sync::{Acquired, Culprit, Members, RawMutex};
///
/// # let members = ndshm_testkit::members!();
/// let lock = RawMutex::new();
/// let other = Members::join(members.region())?;
/// let id = other.me();
/// let _ = lock.lock(&other);
/// drop(other); // it leaves, or dies, with the lock held
/// assert_eq!(lock.lock(&members), Ok(Acquired::Poisoned(Culprit::Died(id))));
/// # Ok::<(), ndshm_sync::JoinError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Culprit {
    /// It died, or left, while it held the lock.
    Died(MemberId),
    /// A thread of it panicked while it held the lock.
    Panicked(MemberId),
}

impl Culprit {
    /// Who it was, however it came about.
    ///
    /// ```
    /// # let members = ndshm_testkit::members!();
    /// assert_eq!(ndshm_sync::Culprit::Died(members.me()).member(), members.me());
    /// ```
    #[must_use]
    pub const fn member(self) -> MemberId {
        match self {
            Self::Died(id) | Self::Panicked(id) => id,
        }
    }
}

/// Why a lock was not had.
///
/// ```
/// use ndshm_sync::{NotAcquired, RawMutex};
///
/// # let members = ndshm_testkit::members!();
/// let lock = RawMutex::new();
/// let _ = lock.lock(&members);
/// assert_eq!(lock.try_lock(&members), Err(NotAcquired::Held(Some(members.me()))));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotAcquired {
    /// The time was up, and this member (`None` for a word just released) held it.
    Held(Option<MemberId>),
    /// The membership is that of the process this one was forked from.
    Forked,
}
