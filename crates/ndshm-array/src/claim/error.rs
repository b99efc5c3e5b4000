//! Why a part was not had, or was had with a warning.

use std::error::Error;
use std::fmt;
use std::ops::Range;

use ndarray::Array;
use ndshm_sync::{Member, Members};

use super::guard::{ReadGuard, WriteGuard};
use super::part::Part;
use super::request::{Poison, Refused, Want};
use super::table::ENTRIES;
use crate::atomic::AtomicGuard;

/// Why [`read`](crate::SharedArray::read), [`claim_mut`](crate::SharedArray::claim_mut) and their
/// kin did not simply return a guard.
///
/// ```
/// use ndshm_array::{ClaimError, SharedArray1};
///
/// let a = SharedArray1::<f64>::zeros(10)?;
/// match a.claim_mut(2..12) {
///     Ok(mut rows) => rows.fill(1.0),
///     Err(ClaimError::Overlap { held, by, .. }) => println!("{by} has {held}"),
///     Err(ClaimError::OutOfBounds { len, .. }) => assert_eq!(len, 10),
///     Err(e) => return Err(e.into()),
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[non_exhaustive]
pub enum ClaimError<G> {
    /// The part was had, but a claimant of some of it died or panicked: that may be half-changed.
    Poisoned(PoisonedClaim<G>),
    /// Somebody else has claimed a part that overlaps, or has waited for it for longer; with a time-out,
    /// until the time was up.
    Overlap {
        /// The part asked for.
        part: Part,
        /// The part that is taken.
        held: Part,
        /// By whom.
        by: Member,
        /// Whether that one only waits for it, too: then it comes first.
        waits: bool,
    },
    /// The calling thread itself has claimed a part that overlaps: it would wait for itself. Or two of the
    /// parts asked for at once overlap.
    Own {
        /// The part asked for.
        part: Part,
        /// The part that it holds.
        held: Part,
    },
    /// The one that has a part that overlaps waits, perhaps by way of others, for one that this thread
    /// holds: both would wait for ever. Let go of that, and try again; or claim both at once.
    Deadlock {
        /// The part asked for.
        part: Part,
        /// The part that is taken.
        held: Part,
        /// By whom.
        by: Member,
    },
    /// There are no such indices.
    OutOfBounds {
        /// Along which axis.
        axis: usize,
        /// The indices asked for, as they were said: negative ones of a slice count from the end.
        asked: Range<isize>,
        /// How many there are.
        len: usize,
    },
    /// The table of claims has no free entry.
    Full {
        /// How many it has.
        most: usize,
    },
    /// The lock of the table of claims was not to be had in the time there was, or (without a
    /// time-out) within a second. It is held for some microseconds: its holder was stopped.
    Busy {
        /// The part asked for.
        part: Part,
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
///         let left: Vec<_> = poisoned.parts().iter().map(|part| part.row_range()).collect();
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
/// assert_eq!((part.row_range(), part.panicked), (3..5, true));
/// assert_eq!(part.member.pid, Some(std::process::id()));
/// # Ok::<(), ndshm_array::CreateError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoisonedPart {
    /// What it had claimed.
    pub part: Part,
    /// Who that was.
    pub member: Member,
    /// Whether it panicked; otherwise it died, or left, with the rows claimed.
    pub panicked: bool,
}

impl PoisonedPart {
    /// Along the first axis, from the first row that it has any of to the one after the last.
    ///
    /// ```
    /// # use ndshm_array::{ClaimError, SharedArray1};
    /// # let a = SharedArray1::<f64>::zeros(10)?;
    /// # ndshm_testkit::panic_holding(|| a.claim_mut(3..5));
    /// let Err(ClaimError::Poisoned(poisoned)) = a.read() else { unreachable!() };
    /// assert_eq!(poisoned.parts()[0].row_range(), 3..5);
    /// # Ok::<(), ndshm_array::CreateError>(())
    /// ```
    #[must_use]
    pub fn row_range(&self) -> Range<usize> {
        self.part.row_range()
    }
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
    /// let rows: Vec<_> = poisoned.parts().iter().map(|part| part.row_range()).collect();
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
        self.map(drop)
    }

    pub(crate) fn map<H>(self, f: impl FnOnce(G) -> H) -> ClaimError<H> {
        match self {
            Self::Poisoned(PoisonedClaim { guard, parts }) => {
                ClaimError::Poisoned(PoisonedClaim { guard: f(guard), parts })
            }
            Self::Overlap { part, held, by, waits } => {
                ClaimError::Overlap { part, held, by, waits }
            }
            Self::Own { part, held } => ClaimError::Own { part, held },
            Self::Deadlock { part, held, by } => ClaimError::Deadlock { part, held, by },
            Self::OutOfBounds { axis, asked, len } => ClaimError::OutOfBounds { axis, asked, len },
            Self::Full { most } => ClaimError::Full { most },
            Self::Busy { part, by } => ClaimError::Busy { part, by },
            Self::ReadOnly => ClaimError::ReadOnly,
            Self::Forked => ClaimError::Forked,
        }
    }
}

impl Poison {
    pub(crate) fn explain(&self, members: &Members<'_>) -> PoisonedPart {
        let &Self { by, panicked, part } = self;
        PoisonedPart { part: part.into(), member: members.describe(by), panicked }
    }
}

impl Refused {
    /// Why `wants` were not had, for people.
    #[cold]
    pub(crate) fn explain<G>(self, wants: &[Want], members: &Members<'_>) -> ClaimError<G> {
        match self {
            Self::Overlap { part, held, by, waits } => {
                ClaimError::Overlap { part, held, by: members.describe(by), waits }
            }
            Self::Own { part, held } => ClaimError::Own { part, held },
            Self::Deadlock { part, held, by } => {
                ClaimError::Deadlock { part, held, by: members.describe(by) }
            }
            Self::Full => ClaimError::Full { most: ENTRIES },
            Self::Busy { by } => {
                ClaimError::Busy { part: wants[0].0.into(), by: by.map(|by| members.describe(by)) }
            }
            Self::Forked => ClaimError::Forked,
        }
    }
}

impl fmt::Display for PoisonedPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = if self.panicked { "panicked" } else { "died" };
        write!(f, "{} {how} with {} claimed", self.member, self.part)
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
            ": that may be half-changed; mend them and call clear_poison on a claim that \
             covers them",
        )
    }
}

impl<G> fmt::Display for ClaimError<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Poisoned(p) => p.fmt(f),
            Self::Overlap { part, held, by, waits: false } => {
                write!(f, "{part} cannot be claimed: {by} has {held}")
            }
            Self::Overlap { part, held, by, waits: true } => {
                write!(f, "{part} cannot be claimed: {by} has waited for {held} for longer")
            }
            Self::Own { part, held } => write!(
                f,
                "{part} cannot be claimed: this thread itself has {held}; drop that guard first"
            ),
            Self::Deadlock { part, held, by } => write!(
                f,
                "{part} cannot be waited for: {by} has {held}, and waits for what this thread has; \
                 drop that guard first, or claim both at once"
            ),
            Self::OutOfBounds { axis, asked, len } => write!(
                f,
                "axis {axis} has no indices {}..{}: the array has {len} along it",
                asked.start, asked.end
            ),
            Self::Full { most } => {
                write!(
                    f,
                    "all {most} entries of the array's table of claims are in use; let some go, or claim \
                     fewer and larger parts"
                )
            }
            Self::Busy { part, by: Some(by) } => write!(
                f,
                "{part} cannot be claimed: {by} holds the lock of the array's table of \
                 claims and does not let go; see whether it was stopped"
            ),
            Self::Busy { part, by: None } => write!(
                f,
                "{part} cannot be claimed: the array's table of claims is in constant use; \
                 allow more time"
            ),
            Self::ReadOnly => f.write_str(
                "the array was opened read-only, and a claim is written into it: take a snapshot, or \
                 open it read-write",
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
    ($([$($generics:tt)*] $guard:ty),+ $(,)?) => {$(
        impl<$($generics)*> From<ClaimError<$guard>> for Box<dyn Error> {
            fn from(e: ClaimError<$guard>) -> Self {
                e.without_guard().into()
            }
        }

        impl<$($generics)*> From<ClaimError<$guard>> for Box<dyn Error + Send + Sync> {
            fn from(e: ClaimError<$guard>) -> Self {
                e.without_guard().into()
            }
        }
    )+};
}

boxed! {
    [T, D, W] ReadGuard<'_, T, D, W>,
    [T, D, W] WriteGuard<'_, T, D, W>,
    [T, D, W, const N: usize] [ReadGuard<'_, T, D, W>; N],
    [T, D, W, const N: usize] [WriteGuard<'_, T, D, W>; N],
    [T, D] AtomicGuard<'_, T, D>,
    [T, D] Array<T, D>,
    [] crate::dynamic::DynClaim,
    [] Vec<u8>,
}
