//! Getting at the elements of an array: claims, and the raw tier.

use std::ops::RangeBounds;
use std::time::Duration;

use ndarray::{ArrayView, ArrayViewMut, Axis, Dimension, RawArrayViewMut, ShapeBuilder, Slice};

use crate::array::SharedArray;
use crate::claim::{
    Claim, ClaimError, Mode, Patience, PoisonedClaim, ReadGuard, Rows, WriteGuard, resolve,
};
use crate::element::Element;
use crate::npy::Order;

/// What a claim gives: the guard, or why not.
///
/// ```
/// use ndarray::Ix1;
/// use ndshm_array::{ClaimResult, SharedArray1, WriteGuard};
///
/// fn zeroed(a: &SharedArray1<f64>) -> ClaimResult<WriteGuard<'_, f64, Ix1>> {
///     let mut guard = a.write()?;
///     guard.fill(0.0);
///     Ok(guard)
/// }
/// let a = SharedArray1::from_elem(4, 0.5)?;
/// assert_eq!(zeroed(&a)?.sum(), 0.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub type ClaimResult<G> = Result<G, ClaimError<G>>;

impl<T: Element, D: Dimension> SharedArray<T, D> {
    /// Claims the whole array to read, and waits for writers as long as they live. Any number of
    /// readers at once.
    ///
    /// # Errors
    ///
    /// [`ClaimError`]: `Poisoned` with the guard inside, `Own`, `Full`, `ReadOnly`, `Forked`.
    ///
    /// ```
    /// use ndshm_array::SharedArray2;
    ///
    /// let a = SharedArray2::<f64>::from_elem((2, 3), 0.5)?;
    /// let read = a.read()?;
    /// assert_eq!((read.sum(), read.row(1).len()), (3.0, 3)); // all that ndarray reads with
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn read(&self) -> ClaimResult<ReadGuard<'_, T, D>> {
        self.shared(self.all(), Patience::Until(None))
    }

    /// As [`read`](Self::read), for at most `timeout` on the monotonic clock; a zero one looks once.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read), and `Overlap` or `Busy` when the time is up.
    ///
    /// ```
    /// use std::time::Duration;
    /// use ndshm_array::{ClaimError, SharedArray1};
    ///
    /// let a = SharedArray1::<f64>::zeros(10)?;
    /// let _writer = a.claim_mut(..5)?;
    /// std::thread::scope(|s| {
    ///     let other = s.spawn(|| match a.read_timeout(Duration::from_millis(5)) {
    ///         Err(ClaimError::Overlap { held, .. }) => held,
    ///         _ => unreachable!("rows are being written"),
    ///     });
    ///     assert_eq!(other.join().unwrap(), 0..5);
    /// });
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn read_timeout(&self, timeout: Duration) -> ClaimResult<ReadGuard<'_, T, D>> {
        self.shared(self.all(), Patience::timeout(timeout))
    }

    /// Claims the whole array to write, and waits for all others as long as they live.
    ///
    /// # Errors
    ///
    /// [`ClaimError`]: `Poisoned` with the guard inside, `Own`, `Full`, `ReadOnly`, `Forked`.
    ///
    /// ```
    /// use ndshm_array::SharedArray2;
    ///
    /// let a = SharedArray2::<f64>::zeros((2, 3))?;
    /// let mut write = a.write()?;
    /// write.fill(1.0);
    /// write[[0, 2]] = 5.0;
    /// drop(write); // others may go on
    /// assert_eq!(a.read()?.sum(), 10.0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn write(&self) -> ClaimResult<WriteGuard<'_, T, D>> {
        self.exclusive(self.all(), Patience::Until(None))
    }

    /// As [`write`](Self::write), for at most `timeout` on the monotonic clock; a zero one looks once.
    ///
    /// # Errors
    ///
    /// As [`write`](Self::write), and `Overlap` or `Busy` when the time is up.
    ///
    /// ```
    /// use std::time::Duration;
    /// use ndshm_array::SharedArray1;
    ///
    /// let a = SharedArray1::<f64>::zeros(10)?;
    /// a.write_timeout(Duration::from_secs(1))?.fill(0.5); // nobody is in the way
    /// assert_eq!(a.read()?.sum(), 5.0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn write_timeout(&self, timeout: Duration) -> ClaimResult<WriteGuard<'_, T, D>> {
        self.exclusive(self.all(), Patience::timeout(timeout))
    }

    /// Claims rows to read: refused where somebody else writes any of them. Does not wait for whoever
    /// has them. Row 0 of the guard is the first row claimed.
    ///
    /// # Errors
    ///
    /// [`ClaimError`], any of them.
    ///
    /// ```
    /// use ndshm_array::SharedArray2;
    ///
    /// let a = SharedArray2::from_array(&ndarray::arr2(&[[1, 2], [3, 4], [5, 6]]))?;
    /// let rows = a.claim(1..)?;
    /// assert_eq!((rows.nrows(), rows[[0, 0]]), (2, 3));
    /// let same = a.claim(..2)?; // any number of readers
    /// # drop(same);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn claim(&self, rows: impl RangeBounds<usize>) -> ClaimResult<ReadGuard<'_, T, D>> {
        self.shared(self.rows(&rows)?, Patience::Refuse)
    }

    /// As [`claim`](Self::claim), but waits for at most `timeout` on the monotonic clock.
    ///
    /// # Errors
    ///
    /// [`ClaimError`], any of them.
    ///
    /// ```
    /// use std::time::Duration;
    /// use ndshm_array::{ClaimError, SharedArray1};
    ///
    /// let a = SharedArray1::<f64>::zeros(10)?;
    /// let mut mine = a.claim_mut(..5)?;
    /// // The rows of this very thread are not waited for:
    /// let refused = a.claim_timeout(4..6, Duration::from_secs(9));
    /// assert!(matches!(refused, Err(ClaimError::Own { held, .. }) if held == (0..5)));
    /// mine.fill(1.0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn claim_timeout(
        &self,
        rows: impl RangeBounds<usize>,
        timeout: Duration,
    ) -> ClaimResult<ReadGuard<'_, T, D>> {
        self.shared(self.rows(&rows)?, Patience::timeout(timeout))
    }

    /// Claims rows to write: refused where somebody else, in whatever process or thread, has any of
    /// them. Does not wait for them. Several claims may be held at once.
    ///
    /// # Errors
    ///
    /// [`ClaimError`], any of them.
    ///
    /// ```
    /// use ndshm_array::SharedArray2;
    ///
    /// let a = SharedArray2::<f64>::zeros((10, 3))?;
    /// std::thread::scope(|s| {
    ///     for band in [0..5, 5..10] {
    ///         let a = &a; // another process would have a handle of its own
    ///         s.spawn(move || a.claim_mut(band).unwrap().fill(1.0));
    ///     }
    /// });
    /// assert_eq!(a.read()?.sum(), 30.0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn claim_mut(&self, rows: impl RangeBounds<usize>) -> ClaimResult<WriteGuard<'_, T, D>> {
        self.exclusive(self.rows(&rows)?, Patience::Refuse)
    }

    /// As [`claim_mut`](Self::claim_mut), but waits for at most `timeout` on the monotonic clock.
    ///
    /// # Errors
    ///
    /// [`ClaimError`], any of them.
    ///
    /// ```
    /// use std::time::Duration;
    /// use ndshm_array::SharedArray1;
    ///
    /// let a = SharedArray1::<f64>::zeros(10)?;
    /// std::thread::scope(|s| {
    ///     for step in [1.0, 2.0] {
    ///         let a = &a;
    ///         // Both want the same rows; one waits for the other.
    ///         s.spawn(move || {
    ///             let rows = a.claim_mut_timeout(3..5, Duration::from_secs(10));
    ///             *rows.expect("had in time") += step;
    ///         });
    ///     }
    /// });
    /// assert_eq!(a.read()?.sum(), 6.0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn claim_mut_timeout(
        &self,
        rows: impl RangeBounds<usize>,
        timeout: Duration,
    ) -> ClaimResult<WriteGuard<'_, T, D>> {
        self.exclusive(self.rows(&rows)?, Patience::timeout(timeout))
    }

    /// All elements, unchecked: no claim is made or looked at. Costs nothing, and is how an array that
    /// was opened read-only is read.
    ///
    /// # Safety
    ///
    /// As long as the view lives, nobody writes to the elements: no process, no thread, by whatever
    /// means; nobody truncates the file.
    ///
    /// ```
    /// use ndshm_array::SharedArray1;
    ///
    /// let a = SharedArray1::from_elem(4, 0.5)?;
    /// // SAFETY: no other process or thread has the array.
    /// assert_eq!(unsafe { a.view() }.sum(), 2.0);
    /// # Ok::<(), ndshm_array::CreateError>(())
    /// ```
    #[must_use]
    pub unsafe fn view(&self) -> ArrayView<'_, T, D> {
        // SAFETY: the caller's promise; all else as for `raw_view`.
        unsafe { self.raw_view().deref_into_view() }
    }

    /// All elements to write, unchecked: no claim is made or looked at. Costs nothing.
    ///
    /// # Safety
    ///
    /// The array is not read-only; as long as the view lives, nobody else reads or writes the
    /// elements: no process, no thread, by whatever means; nobody truncates the file.
    ///
    /// ```
    /// use ndshm_array::SharedArray1;
    ///
    /// let a = SharedArray1::<f64>::zeros(4)?;
    /// // SAFETY: read-write, and no other process or thread has the array.
    /// unsafe { a.view_mut() }.fill(0.5);
    /// assert_eq!(a.read()?.sum(), 2.0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub unsafe fn view_mut(&self) -> ArrayViewMut<'_, T, D> {
        // SAFETY: the caller's promise; all else as for `raw_view`.
        unsafe { self.raw_view().deref_into_view_mut() }
    }

    /// All elements as pointers: for code that has a protocol of its own. Making it is safe, using
    /// it is not. Writing through it when the array is read-only is a fault (SIGSEGV).
    ///
    /// ```
    /// use ndshm_array::SharedArray2;
    ///
    /// let a = SharedArray2::from_array(&ndarray::arr2(&[[1, 2], [3, 4]]))?;
    /// let mut column = a.raw_view();
    /// column.slice_axis_inplace(ndarray::Axis(1), (1..2).into());
    /// // SAFETY: no other process or thread has the array, and `a` outlives the view.
    /// let column = unsafe { column.deref_into_view() };
    /// assert_eq!(column, ndarray::arr2(&[[2], [4]]));
    /// # Ok::<(), ndshm_array::CreateError>(())
    /// ```
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
        let rows = resolve(rows, nrows).map_err(|rows| ClaimError::OutOfBounds { rows, nrows })?;
        // Without axes no view of it can be empty: even no rows show the element, so claim it.
        Ok(if self.ndim() == 0 { self.all() } else { rows })
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
            Ok((claim, poison)) if poison.is_empty() => Ok(guard(claim)),
            Ok((claim, poison)) => {
                let parts = poison.iter().map(|poison| poison.explain(members)).collect();
                Err(ClaimError::Poisoned(PoisonedClaim::new(guard(claim), parts)))
            }
            Err(refused) => Err(refused.explain(rows, members)),
        }
    }
}
