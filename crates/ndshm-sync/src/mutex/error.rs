//! Why a lock was not had, or was had with a warning.

use std::error::Error;
use std::fmt;

use super::guard::MutexGuard;
use super::outcome::{Culprit, NotAcquired};
use crate::member::{Member, Members};

/// Why [`Mutex::lock`](super::Mutex::lock) and its kin did not simply return a guard.
///
/// ```
/// use std::time::Duration;
/// use ndshm_sync::LockError;
///
/// # let members = ndshm_testkit::members!();
/// # let total = members.layout().mutex(0_u64)?;
/// match total.lock_timeout(Duration::from_secs(1)) {
///     Ok(mut guard) => *guard += 1,
///     Err(LockError::Poisoned(poisoned)) => println!("{} left it", poisoned.member()),
///     Err(e) => println!("not had: {e}"),
/// }
/// # assert_eq!(*total.lock()?, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[non_exhaustive]
pub enum LockError<G> {
    /// The lock was had, but a holder died or panicked: what it guards may be half-changed.
    Poisoned(Poisoned<G>),
    /// The time was up while this member held the lock.
    TimedOut {
        /// Who held it; `None` where it had just been released, or a corrupted word named nobody.
        owner: Option<Member>,
    },
    /// `try_lock` found that this member held the lock.
    WouldBlock {
        /// As for `TimedOut`.
        owner: Option<Member>,
    },
    /// This process was forked from the one that joined: it has to join anew.
    Forked,
}

/// A guard that was had in spite of a death or a panic, and who that was.
///
/// ```
/// # use std::os::fd::AsFd;
/// # use ndshm_sync::{LockError, Members, Region};
/// # let (base, file) = ndshm_testkit::map_memfd(1 << 16);
/// # // SAFETY: fresh zeroed memory, used for nothing else.
/// # let region = unsafe { Region::new(base, 1 << 16, file.as_fd()) };
/// # let members = Members::join(region)?;
/// let total = members.layout().mutex(0_u64)?;
/// let _ = std::panic::catch_unwind(|| {
///     let _guard = total.lock().unwrap();
///     panic!("half-way");
/// });
/// let mut guard = match total.lock() {
///     Ok(guard) => guard,
///     Err(LockError::Poisoned(poisoned)) => {
///         assert!(poisoned.to_string().contains("panicked"));
///         let mut guard = poisoned.into_inner();
///         *guard = 0; // mend it, and say so
///         guard.clear_poison();
///         guard
///     }
///     Err(e) => return Err(e.to_string().into()),
/// };
/// *guard += 1;
/// drop(guard);
/// assert_eq!(*total.lock()?, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Poisoned<G> {
    guard: G,
    member: Member,
    panicked: bool,
}

impl<G> Poisoned<G> {
    pub(crate) fn new(guard: G, by: Culprit, members: &Members<'_>) -> Self {
        let (id, panicked) = match by {
            Culprit::Died(id) => (id, false),
            Culprit::Panicked(id) => (id, true),
        };
        Self { guard, member: members.describe(id), panicked }
    }

    /// The guard, to look at what is there, mend it, and clear the poison.
    ///
    /// ```
    /// # use ndshm_sync::LockError;
    /// # let members = ndshm_testkit::members!();
    /// # let total = members.layout().mutex(0_u64)?;
    /// # ndshm_testkit::panic_holding(|| total.lock());
    /// let Err(LockError::Poisoned(poisoned)) = total.lock() else { unreachable!() };
    /// let mut guard = poisoned.into_inner();
    /// *guard = 0;
    /// guard.clear_poison();
    /// assert!(!total.is_poisoned());
    /// # Ok::<(), ndshm_sync::LayoutError>(())
    /// ```
    #[must_use]
    pub fn into_inner(self) -> G {
        self.guard
    }

    /// The guard, borrowed.
    ///
    /// ```
    /// # use ndshm_sync::LockError;
    /// # let members = ndshm_testkit::members!();
    /// # let total = members.layout().mutex(0_u64)?;
    /// # ndshm_testkit::panic_holding(|| total.lock());
    /// let Err(LockError::Poisoned(poisoned)) = total.lock() else { unreachable!() };
    /// assert_eq!(**poisoned.get_ref(), 0); // the guard, and the value behind it
    /// # Ok::<(), ndshm_sync::LayoutError>(())
    /// ```
    #[must_use]
    pub const fn get_ref(&self) -> &G {
        &self.guard
    }

    /// The guard, borrowed mutably.
    ///
    /// ```
    /// # use ndshm_sync::LockError;
    /// # let members = ndshm_testkit::members!();
    /// # let total = members.layout().mutex(0_u64)?;
    /// # ndshm_testkit::panic_holding(|| total.lock());
    /// let Err(LockError::Poisoned(mut poisoned)) = total.lock() else { unreachable!() };
    /// **poisoned.get_mut() = 5;
    /// assert_eq!(**poisoned.get_ref(), 5);
    /// # Ok::<(), ndshm_sync::LayoutError>(())
    /// ```
    #[must_use]
    pub const fn get_mut(&mut self) -> &mut G {
        &mut self.guard
    }

    /// Who died or panicked.
    ///
    /// ```
    /// # use ndshm_sync::LockError;
    /// # let members = ndshm_testkit::members!();
    /// # let total = members.layout().mutex(0_u64)?;
    /// # ndshm_testkit::panic_holding(|| total.lock());
    /// let Err(LockError::Poisoned(poisoned)) = total.lock() else { unreachable!() };
    /// assert_eq!(poisoned.member().pid, Some(std::process::id()));
    /// # Ok::<(), ndshm_sync::LayoutError>(())
    /// ```
    #[must_use]
    pub const fn member(&self) -> Member {
        self.member
    }

    /// Whether it panicked; otherwise it died, or left, with the lock held.
    ///
    /// ```
    /// # use ndshm_sync::LockError;
    /// # let members = ndshm_testkit::members!();
    /// # let total = members.layout().mutex(0_u64)?;
    /// # ndshm_testkit::panic_holding(|| total.lock());
    /// let Err(LockError::Poisoned(poisoned)) = total.lock() else { unreachable!() };
    /// assert!(poisoned.panicked());
    /// # Ok::<(), ndshm_sync::LayoutError>(())
    /// ```
    #[must_use]
    pub const fn panicked(&self) -> bool {
        self.panicked
    }
}

impl<G> LockError<G> {
    /// Of a wait that has ended without the lock.
    pub(crate) fn of(not: NotAcquired, members: &Members<'_>) -> Self {
        match not {
            NotAcquired::Held(owner) => {
                Self::TimedOut { owner: owner.map(|owner| members.describe(owner)) }
            }
            NotAcquired::Forked => Self::Forked,
        }
    }

    /// The same, of one that did not mean to wait.
    pub(crate) fn of_a_try(self) -> Self {
        match self {
            Self::TimedOut { owner } => Self::WouldBlock { owner },
            e => e,
        }
    }

    /// The guard, where there is one: in [`Poisoned`](Self::Poisoned) only.
    ///
    /// ```
    /// # let members = ndshm_testkit::members!();
    /// # let total = members.layout().mutex(0_u64)?;
    /// # ndshm_testkit::panic_holding(|| total.lock());
    /// // The value is a plain count, which no death can leave half-changed:
    /// let mut guard = total.lock().or_else(|e| e.into_guard().ok_or("not had"))?;
    /// *guard += 1;
    /// assert_eq!(*guard, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn into_guard(self) -> Option<G> {
        match self {
            Self::Poisoned(p) => Some(p.guard),
            _ => None,
        }
    }

    /// The same error with the guard dropped, which borrows nothing, and is an [`Error`]. `?` does this
    /// where the function returns a `LockError<()>` or a boxed error; a conversion to an enum of one's
    /// own, or to `anyhow::Error`, starts from here.
    ///
    /// ```
    /// use ndshm_sync::{LockError, Mutex};
    ///
    /// fn add(total: &Mutex<'_, u64>) -> Result<(), LockError<()>> {
    ///     *total.lock()? += 1;
    ///     Ok(())
    /// }
    /// # let members = ndshm_testkit::members!();
    /// # let total = members.layout().mutex(0)?;
    /// # add(&total)?;
    /// # assert_eq!(*total.lock()?, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn without_guard(self) -> LockError<()> {
        self.map(drop)
    }

    /// The same error with something else in place of the guard.
    pub(crate) fn map<H>(self, f: impl FnOnce(G) -> H) -> LockError<H> {
        match self {
            Self::Poisoned(Poisoned { guard, member, panicked }) => {
                LockError::Poisoned(Poisoned { guard: f(guard), member, panicked })
            }
            Self::TimedOut { owner } => LockError::TimedOut { owner },
            Self::WouldBlock { owner } => LockError::WouldBlock { owner },
            Self::Forked => LockError::Forked,
        }
    }
}

impl<G> fmt::Display for Poisoned<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = if self.panicked { "panicked" } else { "died" };
        write!(
            f,
            "{} {how} while holding the lock: what it guards may be half-changed; mend it and \
             call clear_poison",
            self.member
        )
    }
}

impl<G> fmt::Display for LockError<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Poisoned(p) => p.fmt(f),
            Self::TimedOut { owner: Some(owner) } => {
                write!(f, "timed out waiting for a lock held by {owner}")
            }
            Self::TimedOut { owner: None } => f.write_str("timed out waiting for a lock"),
            Self::WouldBlock { owner: Some(owner) } => write!(f, "the lock is held by {owner}"),
            Self::WouldBlock { owner: None } => f.write_str("the lock is held"),
            Self::Forked => f.write_str(
                "this process was forked from a member of the shared memory and is not one \
                 itself: join anew in the child",
            ),
        }
    }
}

impl<G> fmt::Debug for Poisoned<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Poisoned")
            .field("member", &self.member)
            .field("panicked", &self.panicked)
            .finish_non_exhaustive()
    }
}

impl<G> fmt::Debug for LockError<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Poisoned(p) => p.fmt(f),
            Self::TimedOut { owner } => f.debug_struct("TimedOut").field("owner", owner).finish(),
            Self::WouldBlock { owner } => {
                f.debug_struct("WouldBlock").field("owner", owner).finish()
            }
            Self::Forked => f.write_str("Forked"),
        }
    }
}

impl Error for LockError<()> {}

/// What lets `?` return the error of a lock: the guard is dropped, since neither a boxed error nor
/// one that outlives the lock may borrow it.
macro_rules! question_mark_drops {
    ($guard:ty) => {
        /// Drops the guard: so `?` works where the function returns a boxed error.
        impl<T> From<LockError<$guard>> for Box<dyn std::error::Error> {
            fn from(e: LockError<$guard>) -> Self {
                e.without_guard().into()
            }
        }

        /// Drops the guard: so `?` works where the function returns a boxed error.
        impl<T> From<LockError<$guard>> for Box<dyn std::error::Error + Send + Sync> {
            fn from(e: LockError<$guard>) -> Self {
                e.without_guard().into()
            }
        }

        /// Drops the guard: so `?` works where the function returns a `LockError` without one.
        impl<T> From<LockError<$guard>> for LockError<()> {
            fn from(e: LockError<$guard>) -> Self {
                e.without_guard()
            }
        }
    };
}
pub(crate) use question_mark_drops;

question_mark_drops!(MutexGuard<'_, T>);
