//! Why rows were not had, or were had with a warning.

use std::error::Error;
use std::fmt;
use std::ops::Range;

use ndshm_sync::{Member, Members};

use super::guard::{ReadGuard, WriteGuard};
use super::rows::Rows;
use super::table::{ENTRIES, Poison, Refused};

/// Why [`read`](crate::SharedArray::read), [`claim_mut`](crate::SharedArray::claim_mut) and their
/// kin did not simply return a guard.
///
/// ```
/// use ndshm_array::{ClaimError, SharedArray1};
///
/// let a = SharedArray1::<f64>::zeros(10)?;
/// match a.claim_mut(2..12) {
///     Ok(mut rows) => rows.fill(1.0),
///     Err(ClaimError::Overlap { held, by, .. }) => println!("{by} has rows {held:?}"),
///     Err(ClaimError::OutOfBounds { nrows, .. }) => assert_eq!(nrows, 10),
///     Err(e) => return Err(e.into()),
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[non_exhaustive]
pub enum ClaimError<G> {
    /// The rows were had, but a claimant of some of them died or panicked: they may be
    /// half-changed.
    Poisoned(PoisonedClaim<G>),
    /// Somebody else has claimed rows that overlap; with a time-out, until the time was up.
    Overlap {
        /// The rows asked for.
        rows: Range<usize>,
        /// The rows that are taken.
        held: Range<usize>,
        /// By whom.
        by: Member,
    },
    /// The calling thread itself has claimed rows that overlap: it would wait for itself.
    Own {
        /// The rows asked for.
        rows: Range<usize>,
        /// The rows that it holds.
        held: Range<usize>,
    },
    /// There are no such rows.
    OutOfBounds {
        /// The rows asked for.
        rows: Range<usize>,
        /// How many there are.
        nrows: usize,
    },
    /// The table of claims has no free entry.
    Full {
        /// How many it has.
        most: usize,
    },
    /// The lock of the table of claims was not to be had in the time there was, or (without a
    /// time-out) within a second. It is held for some microseconds: its holder was stopped.
    Busy {
        /// The rows asked for.
        rows: Range<usize>,
        /// Who holds the lock, as far as known.
        by: Option<Member>,
    },
    /// The array was opened read-only: a claim is written into it.
    ReadOnly,
    /// This process was forked from the one that opened the array.
    Forked,
}

/// A guard that was had in spite of deaths or panics, who that was, and which rows each left.
///
/// ```
/// use ndshm_array::{ClaimError, SharedArray2};
///
/// let a = SharedArray2::<f64>::zeros((10, 2))?;
/// let _ = std::panic::catch_unwind(|| {
///     let _rows = a.claim_mut(3..5).unwrap();
///     panic!("half-way");
/// });
/// assert_eq!(a.claim_mut(5..10)?.row_range(), 5..10); // the rest of the array goes on
/// match a.write() {
///     Err(ClaimError::Poisoned(poisoned)) => {
///         let left: Vec<_> = poisoned.parts().iter().map(|part| part.rows.clone()).collect();
///         assert_eq!(left, [3..5]);
///         let mut guard = poisoned.into_inner();
///         for rows in left {
///             guard.slice_mut(ndarray::s![rows, ..]).fill(0.0); // mend it, and say so
///         }
///         assert!(guard.clear_poison()?);
///     }
///     _ => unreachable!(),
/// }
/// assert!(a.read().is_ok());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct PoisonedClaim<G> {
    guard: G,
    parts: Vec<PoisonedPart>,
}

/// Rows that somebody left half-changed.
///
/// ```
/// # use ndshm_array::{ClaimError, SharedArray1};
/// # let a = SharedArray1::<f64>::zeros(10)?;
/// # ndshm_testkit::panic_holding(|| a.claim_mut(3..5));
/// let Err(ClaimError::Poisoned(poisoned)) = a.write() else { unreachable!() };
/// let part = &poisoned.parts()[0];
/// assert_eq!((part.rows.clone(), part.panicked), (3..5, true));
/// assert_eq!(part.member.pid, Some(std::process::id()));
/// # Ok::<(), ndshm_array::CreateError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoisonedPart {
    /// The rows that it had claimed to write, counted in the whole array.
    pub rows: Range<usize>,
    /// Who that was.
    pub member: Member,
    /// Whether it panicked; otherwise it died, or left, with the rows claimed.
    pub panicked: bool,
}

impl<G> PoisonedClaim<G> {
    pub(crate) const fn new(guard: G, parts: Vec<PoisonedPart>) -> Self {
        Self { guard, parts }
    }

    /// The guard, to look at what is there, mend it, and clear the poison.
    ///
    /// ```
    /// # use ndshm_array::{ClaimError, SharedArray1};
    /// # let a = SharedArray1::<f64>::zeros(10)?;
    /// # ndshm_testkit::panic_holding(|| a.claim_mut(3..5));
    /// let Err(ClaimError::Poisoned(poisoned)) = a.write() else { unreachable!() };
    /// let mut guard = poisoned.into_inner();
    /// guard.slice_mut(ndarray::s![3..5]).fill(0.0);
    /// assert!(guard.clear_poison()?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn into_inner(self) -> G {
        self.guard
    }

    /// The guard, borrowed.
    ///
    /// ```
    /// # use ndshm_array::{ClaimError, SharedArray1};
    /// # let a = SharedArray1::<f64>::zeros(10)?;
    /// # ndshm_testkit::panic_holding(|| a.claim_mut(3..5));
    /// let Err(ClaimError::Poisoned(poisoned)) = a.write() else { unreachable!() };
    /// assert_eq!(poisoned.get_ref().sum(), 0.0); // a look at what is there
    /// # Ok::<(), ndshm_array::CreateError>(())
    /// ```
    #[must_use]
    pub const fn get_ref(&self) -> &G {
        &self.guard
    }

    /// The guard, borrowed mutably.
    ///
    /// ```
    /// # use ndshm_array::{ClaimError, SharedArray1};
    /// # let a = SharedArray1::<f64>::zeros(10)?;
    /// # ndshm_testkit::panic_holding(|| a.claim_mut(3..5));
    /// let Err(ClaimError::Poisoned(mut poisoned)) = a.write() else { unreachable!() };
    /// poisoned.get_mut().fill(1.0);
    /// assert_eq!(poisoned.get_ref().sum(), 10.0);
    /// # Ok::<(), ndshm_array::CreateError>(())
    /// ```
    #[must_use]
    pub const fn get_mut(&mut self) -> &mut G {
        &mut self.guard
    }

    /// All that was left half-changed among the rows of the guard, and by whom; at least one.
    ///
    /// ```
    /// # use ndshm_array::{ClaimError, SharedArray1};
    /// # let a = SharedArray1::<f64>::zeros(10)?;
    /// # ndshm_testkit::panic_holding(|| a.claim_mut(3..5));
    /// # ndshm_testkit::panic_holding(|| a.claim_mut(7..9));
    /// let Err(ClaimError::Poisoned(poisoned)) = a.read() else { unreachable!() };
    /// let rows: Vec<_> = poisoned.parts().iter().map(|part| part.rows.clone()).collect();
    /// assert_eq!(rows, [3..5, 7..9]);
    /// # Ok::<(), ndshm_array::CreateError>(())
    /// ```
    #[must_use]
    pub fn parts(&self) -> &[PoisonedPart] {
        &self.parts
    }
}

impl<G> ClaimError<G> {
    /// The guard, where there is one: in [`Poisoned`](Self::Poisoned) only.
    ///
    /// ```
    /// # let a = ndshm_array::SharedArray1::<f64>::zeros(10)?;
    /// # ndshm_testkit::panic_holding(|| a.claim_mut(3..5));
    /// // All of it is written anew, so what was half-changed does not matter:
    /// let mut guard = a.write().or_else(|e| e.into_guard().ok_or("not had"))?;
    /// guard.fill(1.0);
    /// assert!(guard.clear_poison()?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn into_guard(self) -> Option<G> {
        match self {
            Self::Poisoned(p) => Some(p.guard),
            _ => None,
        }
    }

    /// The same error with the guard dropped, which borrows nothing, and is an [`Error`]. The
    /// conversion to a boxed error, as by `?`, does this.
    ///
    /// ```
    /// use ndshm_array::{ClaimError, SharedArray1};
    ///
    /// fn total(a: &SharedArray1<f64>) -> Result<f64, ClaimError<()>> {
    ///     Ok(a.read().map_err(ClaimError::without_guard)?.sum())
    /// }
    /// assert_eq!(total(&SharedArray1::from_elem(4, 0.5)?)?, 2.0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn without_guard(self) -> ClaimError<()> {
        match self {
            Self::Poisoned(PoisonedClaim { parts, .. }) => {
                ClaimError::Poisoned(PoisonedClaim { guard: (), parts })
            }
            Self::Overlap { rows, held, by } => ClaimError::Overlap { rows, held, by },
            Self::Own { rows, held } => ClaimError::Own { rows, held },
            Self::OutOfBounds { rows, nrows } => ClaimError::OutOfBounds { rows, nrows },
            Self::Full { most } => ClaimError::Full { most },
            Self::Busy { rows, by } => ClaimError::Busy { rows, by },
            Self::ReadOnly => ClaimError::ReadOnly,
            Self::Forked => ClaimError::Forked,
        }
    }
}

impl Poison {
    pub(crate) fn explain(&self, members: &Members<'_>) -> PoisonedPart {
        PoisonedPart {
            rows: self.rows.range(),
            member: members.describe(self.by),
            panicked: self.panicked,
        }
    }
}

impl Refused {
    /// Why `rows` were not had, for people.
    pub(crate) fn explain<G>(self, rows: Rows, members: &Members<'_>) -> ClaimError<G> {
        let rows = rows.range();
        match self {
            Self::Overlap { by, rows: held } => {
                ClaimError::Overlap { rows, held: held.range(), by: members.describe(by) }
            }
            Self::Own { rows: held } => ClaimError::Own { rows, held: held.range() },
            Self::Full => ClaimError::Full { most: ENTRIES },
            Self::Busy { by } => ClaimError::Busy { rows, by: by.map(|by| members.describe(by)) },
            Self::Forked => ClaimError::Forked,
        }
    }
}

impl fmt::Display for PoisonedPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = if self.panicked { "panicked" } else { "died" };
        write!(f, "{} {how} with rows {:?} claimed", self.member, self.rows)
    }
}

/// Parts that an error text names one by one.
const SHOWN: usize = 4;

impl<G> fmt::Display for PoisonedClaim<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // There may be a thousand, and this is one line.
        for (i, part) in self.parts.iter().take(SHOWN).enumerate() {
            write!(f, "{}{part}", if i > 0 { ", " } else { "" })?;
        }
        if let Some(more) = self.parts.len().checked_sub(SHOWN).filter(|&more| more > 0) {
            write!(f, ", and {more} more such parts")?;
        }
        f.write_str(
            ": these rows may be half-changed; mend them and call clear_poison on a claim that \
             covers them",
        )
    }
}

impl<G> fmt::Display for ClaimError<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Poisoned(p) => p.fmt(f),
            Self::Overlap { rows, held, by } => {
                write!(f, "rows {rows:?} cannot be claimed: {by} has rows {held:?}")
            }
            Self::Own { rows, held } => write!(
                f,
                "rows {rows:?} cannot be claimed: this thread itself has rows {held:?}; drop that \
                 guard first"
            ),
            Self::OutOfBounds { rows, nrows } => {
                write!(f, "there are no rows {rows:?}: the array has {nrows} along its first axis")
            }
            Self::Full { most } => {
                write!(f, "all {most} entries of the array's table of claims are in use")
            }
            Self::Busy { rows, by: Some(by) } => write!(
                f,
                "rows {rows:?} cannot be claimed: {by} holds the lock of the array's table of \
                 claims and does not let go; see whether it was stopped"
            ),
            Self::Busy { rows, by: None } => write!(
                f,
                "rows {rows:?} cannot be claimed: the array's table of claims is in constant use; \
                 allow more time"
            ),
            Self::ReadOnly => f.write_str(
                "the array was opened read-only, and a claim is written into it: open it \
                 read-write, or use the unsafe view",
            ),
            Self::Forked => f.write_str(
                "this process was forked from the one that opened the array: open it anew in the \
                 child",
            ),
        }
    }
}

impl<G> fmt::Debug for PoisonedClaim<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PoisonedClaim").field("parts", &self.parts).finish_non_exhaustive()
    }
}

impl<G> fmt::Debug for ClaimError<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClaimError({self})")
    }
}

impl Error for ClaimError<()> {}

macro_rules! boxed {
    ($($guard:ident => $error:ty),+ $(,)?) => {$(
        /// Drops the guard: so `?` works where the function returns a boxed error.
        impl<T, D> From<ClaimError<$guard<'_, T, D>>> for Box<$error> {
            fn from(e: ClaimError<$guard<'_, T, D>>) -> Self {
                e.without_guard().into()
            }
        }
    )+};
}

boxed! {
    ReadGuard => dyn Error,
    ReadGuard => dyn Error + Send + Sync,
    WriteGuard => dyn Error,
    WriteGuard => dyn Error + Send + Sync,
}
