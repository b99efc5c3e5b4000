//! Why a permit was not had, or was had with a warning.

use std::error::Error;
use std::fmt;

use super::permit::SemaphorePermit;
use crate::member::Member;

/// Why [`Semaphore::acquire`](super::Semaphore::acquire) and its kin did not simply return a permit.
///
/// ```
/// use std::time::Duration;
/// use ndshm_sync::{AcquireError, OnDeath};
///
/// # let members = ndshm_testkit::members!();
/// let gpus = members.layout().semaphore(2, OnDeath::Report)?;
/// let permit = match gpus.acquire_timeout(Duration::from_secs(1)) {
///     Ok(permit) => permit,
///     Err(AcquireError::Reclaimed(reclaimed)) => {
///         println!("{} died at it: clean up", reclaimed.member());
///         reclaimed.into_inner()
///     }
///     Err(e) => return Err(e.into()),
/// };
/// # drop(permit);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[non_exhaustive]
pub enum AcquireError<P> {
    /// A permit was had, but whoever held it last has died: only where the semaphore is
    /// [`OnDeath::Report`](super::OnDeath::Report).
    Reclaimed(Reclaimed<P>),
    /// The time was up, and living members held all permits.
    TimedOut {
        /// How many there are.
        permits: usize,
    },
    /// `try_acquire` found that living members held all permits.
    WouldBlock {
        /// How many there are.
        permits: usize,
    },
    /// This process was forked from the one that joined: it has to join anew.
    Forked,
}

/// A permit that was had from a member that died with it, and who that was.
///
/// This is told once: there is no poison that would stay until it is cleared. Who drops it, as by `?`,
/// gives the permit back as if all were cleaned up.
///
/// ```
/// # use ndshm_sync::{AcquireError, Members, OnDeath};
/// # let members = ndshm_testkit::members!();
/// let slots = members.layout().semaphore(1, OnDeath::Report)?;
/// let other = Members::join_as(members.region(), 3)?; // another process, say
/// std::mem::forget(other.layout().semaphore(1, OnDeath::Report)?.acquire());
/// drop(other); // it leaves, or dies, with the permit
/// match slots.acquire() {
///     Err(AcquireError::Reclaimed(reclaimed)) => {
///         assert_eq!(reclaimed.member().rank, Some(3));
///         drop(reclaimed.into_inner()); // cleaned up: from now on a permit like any
///     }
///     other => panic!("{other:?}"),
/// }
/// assert!(slots.acquire().is_ok());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Reclaimed<P> {
    pub(super) permit: P,
    pub(super) member: Member,
}

impl<P> Reclaimed<P> {
    /// The permit, to be used and dropped like any.
    ///
    /// ```
    /// # use ndshm_sync::{AcquireError, Members, OnDeath};
    /// # let members = ndshm_testkit::members!();
    /// # let slots = members.layout().semaphore(1, OnDeath::Report)?;
    /// # let other = Members::join(members.region())?;
    /// # std::mem::forget(other.layout().semaphore(1, OnDeath::Report)?.acquire());
    /// # drop(other);
    /// let Err(AcquireError::Reclaimed(reclaimed)) = slots.acquire() else { unreachable!() };
    /// let permit = reclaimed.into_inner();
    /// assert_eq!(slots.available(), 0);
    /// drop(permit);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn into_inner(self) -> P {
        self.permit
    }

    /// The permit, borrowed.
    ///
    /// ```
    /// # use ndshm_sync::{AcquireError, Members, OnDeath};
    /// # let members = ndshm_testkit::members!();
    /// # let slots = members.layout().semaphore(1, OnDeath::Report)?;
    /// # let other = Members::join(members.region())?;
    /// # std::mem::forget(other.layout().semaphore(1, OnDeath::Report)?.acquire());
    /// # drop(other);
    /// let Err(AcquireError::Reclaimed(reclaimed)) = slots.acquire() else { unreachable!() };
    /// assert_eq!(reclaimed.get_ref().index(), 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn get_ref(&self) -> &P {
        &self.permit
    }

    /// Who died with it.
    ///
    /// ```
    /// # use ndshm_sync::{AcquireError, Members, OnDeath};
    /// # let members = ndshm_testkit::members!();
    /// # let slots = members.layout().semaphore(1, OnDeath::Report)?;
    /// # let other = Members::join(members.region())?;
    /// # std::mem::forget(other.layout().semaphore(1, OnDeath::Report)?.acquire());
    /// # drop(other);
    /// let Err(AcquireError::Reclaimed(reclaimed)) = slots.acquire() else { unreachable!() };
    /// assert_eq!(reclaimed.member().pid, Some(std::process::id()));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn member(&self) -> Member {
        self.member
    }
}

impl<P> AcquireError<P> {
    /// The permit, where there is one: in [`Reclaimed`](Self::Reclaimed) only.
    ///
    /// ```
    /// # use ndshm_sync::OnDeath;
    /// # let members = ndshm_testkit::members!();
    /// let slots = members.layout().semaphore(1, OnDeath::Report)?;
    /// // There is nothing to clean up after the dead:
    /// let permit = slots.acquire().or_else(|e| e.into_permit().ok_or("not had"))?;
    /// # drop(permit);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn into_permit(self) -> Option<P> {
        match self {
            Self::Reclaimed(r) => Some(r.permit),
            _ => None,
        }
    }

    /// The same error with the permit dropped, which borrows nothing, and is an [`Error`]. The
    /// conversion to a boxed error, as by `?`, does this.
    ///
    /// ```
    /// use ndshm_sync::{AcquireError, OnDeath, Semaphore};
    ///
    /// fn run(slots: &Semaphore<'_>) -> Result<(), AcquireError<()>> {
    ///     let _permit = slots.acquire().map_err(AcquireError::without_permit)?;
    ///     Ok(())
    /// }
    /// # let members = ndshm_testkit::members!();
    /// # run(&members.layout().semaphore(1, OnDeath::Return)?)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn without_permit(self) -> AcquireError<()> {
        match self {
            Self::Reclaimed(Reclaimed { member, .. }) => {
                AcquireError::Reclaimed(Reclaimed { permit: (), member })
            }
            Self::TimedOut { permits } => AcquireError::TimedOut { permits },
            Self::WouldBlock { permits } => AcquireError::WouldBlock { permits },
            Self::Forked => AcquireError::Forked,
        }
    }
}

impl<P> fmt::Display for Reclaimed<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let who = self.member;
        write!(f, "{who} died with this permit: clean up what it was for; it is yours now")
    }
}

impl<P> fmt::Display for AcquireError<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reclaimed(r) => r.fmt(f),
            Self::TimedOut { permits } => {
                write!(f, "timed out waiting for one of {permits} permits; living members hold all")
            }
            Self::WouldBlock { permits } => {
                write!(f, "all {permits} permits are held by living members")
            }
            Self::Forked => f.write_str(
                "this process was forked from a member of the shared memory and is not one \
                 itself: join anew in the child",
            ),
        }
    }
}

impl<P> fmt::Debug for Reclaimed<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reclaimed").field("member", &self.member).finish_non_exhaustive()
    }
}

impl<P> fmt::Debug for AcquireError<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reclaimed(r) => r.fmt(f),
            Self::TimedOut { permits } => {
                f.debug_struct("TimedOut").field("permits", permits).finish()
            }
            Self::WouldBlock { permits } => {
                f.debug_struct("WouldBlock").field("permits", permits).finish()
            }
            Self::Forked => f.write_str("Forked"),
        }
    }
}

impl Error for AcquireError<()> {}

/// Drops the permit: so `?` works where the function returns a boxed error.
impl From<AcquireError<SemaphorePermit<'_>>> for Box<dyn Error> {
    fn from(e: AcquireError<SemaphorePermit<'_>>) -> Self {
        e.without_permit().into()
    }
}

/// Drops the permit: so `?` works where the function returns a boxed error.
impl From<AcquireError<SemaphorePermit<'_>>> for Box<dyn Error + Send + Sync> {
    fn from(e: AcquireError<SemaphorePermit<'_>>) -> Self {
        e.without_permit().into()
    }
}

/// Drops the permit: so `?` works where the function returns an `AcquireError` without one.
impl From<AcquireError<SemaphorePermit<'_>>> for AcquireError<()> {
    fn from(e: AcquireError<SemaphorePermit<'_>>) -> Self {
        e.without_permit()
    }
}
