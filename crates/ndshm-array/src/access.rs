//! Getting at the elements of an array: claims, and the raw tier.

use std::ops::RangeBounds;
use std::time::Duration;

use ndarray::{ArrayView, ArrayViewMut, Axis, Dimension, RawArrayViewMut, ShapeBuilder, Slice};

use crate::array::SharedArray;
use crate::claim::{
    Claim, ClaimError, ENTRIES, Mode, Patience, Poison, PoisonedClaim, ReadGuard, Refused, Rows,
    WriteGuard, resolve,
};
use crate::element::Element;
use crate::npy::Order;

/// What a claim gives: the guard, or why not.
pub type ClaimResult<G> = Result<G, ClaimError<G>>;

impl<T: Element, D: Dimension> SharedArray<T, D> {
    /// Claims the whole array to read, and waits for writers as long as they live. Any number of
    /// readers at once.
    ///
    /// # Errors
    ///
    /// [`ClaimError`]: `Poisoned` with the guard inside, `Own`, `Full`, `ReadOnly`, `Forked`.
    pub fn read(&self) -> ClaimResult<ReadGuard<'_, T, D>> {
        self.shared(self.all(), Patience::Until(None))
    }

    /// As [`read`](Self::read), for at most `timeout` on the monotonic clock.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read), and `Overlap` when the time is up.
    pub fn read_timeout(&self, timeout: Duration) -> ClaimResult<ReadGuard<'_, T, D>> {
        self.shared(self.all(), Patience::timeout(timeout))
    }

    /// Claims the whole array to write, and waits for all others as long as they live.
    ///
    /// # Errors
    ///
    /// [`ClaimError`]: `Poisoned` with the guard inside, `Own`, `Full`, `ReadOnly`, `Forked`.
    pub fn write(&self) -> ClaimResult<WriteGuard<'_, T, D>> {
        self.exclusive(self.all(), Patience::Until(None))
    }

    /// As [`write`](Self::write), for at most `timeout` on the monotonic clock.
    ///
    /// # Errors
    ///
    /// As [`write`](Self::write), and `Overlap` when the time is up.
    pub fn write_timeout(&self, timeout: Duration) -> ClaimResult<WriteGuard<'_, T, D>> {
        self.exclusive(self.all(), Patience::timeout(timeout))
    }

    /// Claims rows to read: refused where somebody else writes any of them. Does not wait.
    ///
    /// # Errors
    ///
    /// [`ClaimError`], any of them.
    pub fn claim(&self, rows: impl RangeBounds<usize>) -> ClaimResult<ReadGuard<'_, T, D>> {
        self.shared(self.rows(&rows)?, Patience::Refuse)
    }

    /// As [`claim`](Self::claim), but waits for at most `timeout`.
    ///
    /// # Errors
    ///
    /// [`ClaimError`], any of them.
    pub fn claim_timeout(
        &self,
        rows: impl RangeBounds<usize>,
        timeout: Duration,
    ) -> ClaimResult<ReadGuard<'_, T, D>> {
        self.shared(self.rows(&rows)?, Patience::timeout(timeout))
    }

    /// Claims rows to write: refused where somebody else, in whatever process or thread, has any of
    /// them. Does not wait. Several claims may be held at once.
    ///
    /// # Errors
    ///
    /// [`ClaimError`], any of them.
    pub fn claim_mut(&self, rows: impl RangeBounds<usize>) -> ClaimResult<WriteGuard<'_, T, D>> {
        self.exclusive(self.rows(&rows)?, Patience::Refuse)
    }

    /// As [`claim_mut`](Self::claim_mut), but waits for at most `timeout`.
    ///
    /// # Errors
    ///
    /// [`ClaimError`], any of them.
    pub fn claim_mut_timeout(
        &self,
        rows: impl RangeBounds<usize>,
        timeout: Duration,
    ) -> ClaimResult<WriteGuard<'_, T, D>> {
        self.exclusive(self.rows(&rows)?, Patience::timeout(timeout))
    }

    /// All elements, unchecked.
    ///
    /// # Safety
    ///
    /// As long as the view lives, nobody writes to the elements: no process, no thread, by whatever
    /// means; nobody truncates the file.
    #[must_use]
    pub unsafe fn view(&self) -> ArrayView<'_, T, D> {
        // SAFETY: the caller's promise; all else as for `raw_view`.
        unsafe { self.raw_view().deref_into_view() }
    }

    /// All elements to write, unchecked.
    ///
    /// # Safety
    ///
    /// The array is not read-only; as long as the view lives, nobody else reads or writes the
    /// elements: no process, no thread, by whatever means; nobody truncates the file.
    #[must_use]
    pub unsafe fn view_mut(&self) -> ArrayViewMut<'_, T, D> {
        // SAFETY: the caller's promise; all else as for `raw_view`.
        unsafe { self.raw_view().deref_into_view_mut() }
    }

    /// All elements as pointers: for code that has a protocol of its own. Making it is safe, using
    /// it is not. Writing through it when the array is read-only is a fault (SIGSEGV).
    #[must_use]
    pub fn raw_view(&self) -> RawArrayViewMut<T, D> {
        let shape = self.raw_dim().set_f(self.order() == Order::F);
        let data = self.segment().data().cast::<T>().as_ptr();
        // SAFETY: the shape fits the data (dim invariant 1), which is mapped as long as the
        // segment, and aligned to a page.
        unsafe { RawArrayViewMut::from_shape_ptr(shape, data) }
    }

    fn all(&self) -> Rows {
        Rows { start: 0, end: self.nrows() }
    }

    fn rows<G>(&self, rows: &impl RangeBounds<usize>) -> Result<Rows, ClaimError<G>> {
        let nrows = self.nrows();
        resolve(rows, nrows).map_err(|rows| ClaimError::OutOfBounds { rows, nrows })
    }

    fn shared(&self, rows: Rows, patience: Patience) -> ClaimResult<ReadGuard<'_, T, D>> {
        self.guarded(rows, Mode::Shared, patience, |claim| {
            // SAFETY: shared claims on `rows` exclude writers as long as the guard lives, and the
            // view shows just those rows.
            let mut view = unsafe { self.view() };
            if D::NDIM != Some(0) && view.ndim() > 0 {
                view.slice_axis_inplace(Axis(0), Slice::from(rows.range()));
            }
            ReadGuard::new(view, claim)
        })
    }

    fn exclusive(&self, rows: Rows, patience: Patience) -> ClaimResult<WriteGuard<'_, T, D>> {
        self.guarded(rows, Mode::Exclusive, patience, |claim| {
            let mut raw = self.raw_view();
            if raw.ndim() > 0 {
                raw.slice_axis_inplace(Axis(0), Slice::from(rows.range()));
            }
            // SAFETY: the raw view shows just `rows`, mapped read-write (only then is there a
            // claim), and an exclusive claim on them excludes all others as long as the guard lives.
            WriteGuard::new(unsafe { raw.deref_into_view_mut() }, claim)
        })
    }

    fn guarded<'a, G>(
        &'a self,
        rows: Rows,
        mode: Mode,
        patience: Patience,
        guard: impl FnOnce(Claim<'a>) -> G,
    ) -> ClaimResult<G> {
        let (table, members) = self.segment().claims().ok_or(ClaimError::ReadOnly)?;
        match table.claim(members, rows, mode, patience) {
            Ok((claim, None)) => Ok(guard(claim)),
            Ok((claim, Some(Poison { by, panicked, rows }))) => {
                let member = members.describe(by);
                let poisoned = PoisonedClaim::new(guard(claim), member, rows.range(), panicked);
                Err(ClaimError::Poisoned(poisoned))
            }
            Err(refused) => Err(match refused {
                Refused::Overlap { by, rows: held } => ClaimError::Overlap {
                    rows: rows.range(),
                    held: held.range(),
                    by: members.describe(by),
                },
                Refused::Own { rows: held } => {
                    ClaimError::Own { rows: rows.range(), held: held.range() }
                }
                Refused::Full => ClaimError::Full { most: ENTRIES },
                Refused::Forked => ClaimError::Forked,
            }),
        }
    }
}
