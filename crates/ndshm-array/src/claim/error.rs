//! Why rows were not had, or were had with a warning.

use std::error::Error;
use std::fmt;
use std::ops::Range;

use ndshm_sync::Member;

use super::guard::{ReadGuard, WriteGuard};

/// Why [`read`](crate::SharedArray::read), [`claim_mut`](crate::SharedArray::claim_mut) and their
/// kin did not simply return a guard.
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
    /// The array was opened read-only: a claim is written into it.
    ReadOnly,
    /// This process was forked from the one that opened the array.
    Forked,
}

/// A guard that was had in spite of a death or a panic, who that was, and which rows it left.
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
///         assert_eq!(poisoned.row_range(), 3..5);
///         let mut guard = poisoned.into_inner();
///         guard.slice_mut(ndarray::s![3..5, ..]).fill(0.0); // mend it, and say so
///         assert!(guard.clear_poison()?);
///     }
///     _ => unreachable!(),
/// }
/// assert!(a.read().is_ok());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct PoisonedClaim<G> {
    guard: G,
    member: Member,
    rows: Range<usize>,
    panicked: bool,
}

impl<G> PoisonedClaim<G> {
    pub(crate) const fn new(guard: G, member: Member, rows: Range<usize>, panicked: bool) -> Self {
        Self { guard, member, rows, panicked }
    }

    /// The guard, to look at what is there, mend it, and clear the poison.
    #[must_use]
    pub fn into_inner(self) -> G {
        self.guard
    }

    /// The guard, borrowed.
    #[must_use]
    pub const fn get_ref(&self) -> &G {
        &self.guard
    }

    /// The guard, borrowed mutably.
    #[must_use]
    pub const fn get_mut(&mut self) -> &mut G {
        &mut self.guard
    }

    /// Who died or panicked: the first, where several did.
    #[must_use]
    pub const fn member(&self) -> Member {
        self.member
    }

    /// The rows that it had claimed.
    #[must_use]
    pub fn row_range(&self) -> Range<usize> {
        self.rows.clone()
    }

    /// Whether it panicked; otherwise it died, or left, with the rows claimed.
    #[must_use]
    pub const fn panicked(&self) -> bool {
        self.panicked
    }
}

impl<G> ClaimError<G> {
    /// The guard, where there is one.
    #[must_use]
    pub fn into_guard(self) -> Option<G> {
        match self {
            Self::Poisoned(p) => Some(p.guard),
            _ => None,
        }
    }

    /// The same error with the guard dropped, which borrows nothing, and is an [`Error`]. The
    /// conversion to a boxed error, as by `?`, does this.
    #[must_use]
    pub fn without_guard(self) -> ClaimError<()> {
        match self {
            Self::Poisoned(PoisonedClaim { member, rows, panicked, .. }) => {
                ClaimError::Poisoned(PoisonedClaim { guard: (), member, rows, panicked })
            }
            Self::Overlap { rows, held, by } => ClaimError::Overlap { rows, held, by },
            Self::Own { rows, held } => ClaimError::Own { rows, held },
            Self::OutOfBounds { rows, nrows } => ClaimError::OutOfBounds { rows, nrows },
            Self::Full { most } => ClaimError::Full { most },
            Self::ReadOnly => ClaimError::ReadOnly,
            Self::Forked => ClaimError::Forked,
        }
    }
}

impl<G> fmt::Display for PoisonedClaim<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = if self.panicked { "panicked" } else { "died" };
        write!(
            f,
            "{} {how} with rows {:?} claimed: they may be half-changed; mend them and call \
             clear_poison on a claim that covers them",
            self.member, self.rows
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
        f.debug_struct("PoisonedClaim")
            .field("member", &self.member)
            .field("rows", &self.rows)
            .field("panicked", &self.panicked)
            .finish_non_exhaustive()
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
