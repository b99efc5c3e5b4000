//! What a claim lends: ndarray's own reference types, as long as the claim is held.

use std::marker::PhantomData;
use std::ops::{Deref, DerefMut, Range};
use std::sync::Arc;

use ndarray::{ArrayRef, ArrayView, ArrayViewMut, Axis, Dimension};

use super::error::ClaimError;
use super::held::Claim;
use super::part::Part;
use super::whole::Whole;
use crate::array::SharedArray;
use crate::element::Element;

/// A part of a shared array to read; dropping it releases the claim. Dereferences to ndarray's
/// [`ArrayRef`], so all that ndarray reads with is there.
///
/// `D` is the dimension of the part, `W` that of the array: another one where the claim is of a slice that
/// drops axes.
///
/// Not `Send`, but what it lends may go to scoped threads. `&guard` has the arithmetic operators.
///
/// ```
/// use ndshm_array::SharedArray2;
///
/// let a = SharedArray2::<f64>::from_elem((2, 3), 1.5)?;
/// let read = a.read()?;
/// assert_eq!(read.sum(), 9.0);
/// assert_eq!(2.0 * &read, ndarray::arr2(&[[3.0; 3]; 2]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// It cannot be written through, and what it lends cannot outlive it:
///
/// ```compile_fail,E0596
/// # let a = ndshm_array::SharedArray2::<f64>::zeros((2, 3)).unwrap();
/// let read = a.read().unwrap();
/// read[[0, 0]] = 1.0; // a read claim
/// ```
///
/// ```compile_fail,E0505
/// # let a = ndshm_array::SharedArray2::<f64>::zeros((2, 3)).unwrap();
/// let read = a.read().unwrap();
/// let view = read.view();
/// drop(read);
/// view.sum(); // the claim is released
/// ```
///
/// ```compile_fail
/// # let a = ndshm_array::SharedArray2::<f64>::zeros((2, 3)).unwrap();
/// let read = a.read().unwrap();
/// let array = *read; // an array reference cannot be copied or moved out
/// ```
///
/// ```compile_fail,E0277
/// # let a = ndshm_array::SharedArray2::<f64>::zeros((2, 3)).unwrap();
/// let read = a.read().unwrap();
/// std::thread::scope(|s| { s.spawn(move || drop(read)); }); // a guard stays with its thread
/// ```
///
/// ```compile_fail,E0505
/// # let a = ndshm_array::SharedArray2::<f64>::zeros((2, 3)).unwrap();
/// let read = a.read().unwrap();
/// drop(a); // a guard does not outlive the array
/// read.sum();
/// ```
#[must_use = "the claim is released at once if the guard is not kept"]
pub struct ReadGuard<'a, T, D, W = D> {
    /// # Invariants
    ///
    /// 1. Views just the part of `claim`, in a mapping that lives as long as the guard: for `'a`, or as
    ///    `keep` does.
    /// 2. Is lent only by reference, so that nothing outlives `claim`.
    view: ArrayView<'a, T, D>,
    claim: Claim<'a>,
    /// Dropped last: what the others refer to, where nobody else keeps it.
    keep: Option<Arc<SharedArray<T, W>>>,
    not_send: PhantomData<*const ()>,
}

/// A part of a shared array to read and write; dropping it releases the claim. Dereferences to
/// ndarray's [`ArrayRef`]: `assign`, `fill`, `+=`, `slice_mut`, `Zip` and all the rest write to
/// shared memory.
///
/// Not `Send`, but what it lends may go to scoped threads. `&guard` has the arithmetic operators.
/// A panic while it is held poisons the part.
///
/// `D` and `W` are as for [`ReadGuard`].
///
/// ```
/// use ndshm_array::SharedArray2;
///
/// let a = SharedArray2::<f64>::zeros((2, 2))?;
/// let b = SharedArray2::<f64>::from_elem((2, 2), 3.0)?;
/// a.write()?.assign(&(1.0 * &b.read()?)); // writes to shared memory, and looks like it
/// *a.write()? += 1.0;
/// assert_eq!(a.read()?.sum(), 16.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// What silently left the shared memory in NumPy does not compile:
///
/// ```compile_fail,E0308
/// # let mut a = ndshm_array::SharedArray2::<f64>::zeros((2, 3)).unwrap();
/// a = 1.0 * &a.read().unwrap(); // arithmetic yields an ordinary Array
/// ```
///
/// Nor can two guards exchange what they lend:
///
/// ```compile_fail,E0277
/// # let [a, b] = [0, 1].map(|_| ndshm_array::SharedArray2::<f64>::zeros((2, 3)).unwrap());
/// let (mut x, mut y) = (a.write().unwrap(), b.write().unwrap());
/// std::mem::swap(&mut *x, &mut *y);
/// ```
#[must_use = "the claim is released at once if the guard is not kept"]
pub struct WriteGuard<'a, T, D, W = D> {
    /// # Invariants
    ///
    /// 1. Views just the part of `claim`, in a mapping that lives as long as the guard: for `'a`, or as
    ///    `keep` does.
    /// 2. Is lent only by reference, so that nothing outlives `claim`.
    view: ArrayViewMut<'a, T, D>,
    claim: Claim<'a>,
    whole: &'a SharedArray<T, W>,
    /// Dropped last: what the others refer to, where nobody else keeps it.
    keep: Option<Arc<SharedArray<T, W>>>,
    not_send: PhantomData<*const ()>,
}

// SAFETY: `&ReadGuard` gives `&ArrayRef`, which may be shared between threads where `T` may.
unsafe impl<T: Sync, D: Sync, W: Sync> Sync for ReadGuard<'_, T, D, W> {}
// SAFETY: as for `ReadGuard`; writing takes `&mut`.
unsafe impl<T: Sync, D: Sync, W: Sync> Sync for WriteGuard<'_, T, D, W> {}

impl<'a, T: Element, D: Dimension, W: Dimension> ReadGuard<'a, T, D, W> {
    pub(crate) const fn new(view: ArrayView<'a, T, D>, claim: Claim<'a>) -> Self {
        Self { view, claim, keep: None, not_send: PhantomData }
    }

    /// Has it keep what it refers to.
    pub(crate) fn keeping(mut self, array: Arc<SharedArray<T, W>>) -> Self {
        self.keep = Some(array);
        self
    }

    /// The part that is claimed, in indices of the array.
    ///
    /// ```
    /// use ndarray::s;
    /// use ndshm_array::SharedArray2;
    ///
    /// let a = SharedArray2::<f64>::zeros((4, 6))?;
    /// assert_eq!(a.claim(s![1.., ..;2])?.part().to_string(), "[1..4, 0..5;2]");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn part(&self) -> Part {
        self.claim.selection().into()
    }

    /// Which rows of the whole array these are. Row 0 of the guard is the first of them.
    ///
    /// ```
    /// # let a = ndshm_array::SharedArray1::<f64>::zeros(10)?;
    /// let rows = a.claim(4..)?;
    /// assert_eq!((rows.row_range(), rows.len()), (4..10, 6));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn row_range(&self) -> Range<usize> {
        self.claim.selection().rows()
    }
}

impl<'a, T: Element, D: Dimension, W: Dimension> WriteGuard<'a, T, D, W> {
    pub(crate) const fn new(
        view: ArrayViewMut<'a, T, D>,
        claim: Claim<'a>,
        whole: &'a SharedArray<T, W>,
    ) -> Self {
        Self { view, claim, whole, keep: None, not_send: PhantomData }
    }

    /// Has it keep what it refers to.
    pub(crate) fn keeping(mut self, array: Arc<SharedArray<T, W>>) -> Self {
        self.keep = Some(array);
        self
    }

    /// The part that is claimed, in indices of the array.
    ///
    /// ```
    /// use ndarray::s;
    /// use ndshm_array::SharedArray2;
    ///
    /// let a = SharedArray2::<f64>::zeros((4, 6))?;
    /// assert_eq!(a.claim_mut(s![1.., ..;2])?.part().to_string(), "[1..4, 0..5;2]");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn part(&self) -> Part {
        self.claim.selection().into()
    }

    /// Which rows of the whole array these are. Row 0 of the guard is the first of them.
    ///
    /// ```
    /// # let a = ndshm_array::SharedArray1::<f64>::zeros(10)?;
    /// let mut rows = a.claim_mut(4..)?;
    /// rows[0] = 1.0; // row 4 of the array
    /// assert_eq!((rows.row_range(), rows.len()), (4..10, 6));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn row_range(&self) -> Range<usize> {
        self.claim.selection().rows()
    }

    /// Sets each element to what `f` makes of its index in the whole array.
    ///
    /// ```
    /// # use ndshm_array::SharedArray2;
    /// let a = SharedArray2::<f64>::zeros((4, 3))?;
    /// a.claim_mut(2..4)?.fill_with_index(|(i, j)| (10 * i + j) as f64);
    /// assert_eq!(a.read()?[[3, 2]], 32.0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn fill_with_index(&mut self, mut f: impl FnMut(W::Pattern) -> T) {
        let whole = Whole::of(self.whole);
        let Some(fast) = fastest_axis(&self.view) else {
            for element in &mut self.view {
                *element = f(whole.index(element).into_pattern());
            }
            return;
        };
        // Lane by lane along the axis that lies densest in memory: which axis of the array that is, and how
        // far apart its elements are, is the same for all.
        for lane in self.view.lanes_mut(Axis(fast)) {
            let mut lane = lane.into_iter();
            let Some(first) = lane.next() else { return };
            let start = whole.index(first);
            *first = f(start.clone().into_pattern());
            let Some(second) = lane.next() else { continue };
            let (axis, step) = whole.step(&start, second);
            let mut index = start;
            for element in std::iter::once(second).chain(lane) {
                index[axis] = index[axis].wrapping_add_signed(step);
                *element = f(index.clone().into_pattern());
            }
        }
    }

    /// Declares the rows whole again, after they were mended: parts that a dead or panicked
    /// claimant left half-changed, as far as this claim covers them. `false` where one is left
    /// that reaches beyond these rows.
    ///
    /// # Errors
    ///
    /// [`ClaimError::Forked`].
    ///
    /// ```
    /// # let a = ndshm_array::SharedArray1::<f64>::zeros(10)?;
    /// # ndshm_testkit::panic_holding(|| a.claim_mut(3..5));
    /// if let Err(e) = a.claim_mut(..5) {
    ///     let mut rows = e.into_guard().ok_or("not poisoned")?;
    ///     rows.fill(0.0);
    ///     assert!(rows.clear_poison()?);
    /// }
    /// assert!(a.read().is_ok());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn clear_poison(&mut self) -> Result<bool, ClaimError<()>> {
        self.claim.clear_poison().map_err(|_| ClaimError::Forked)
    }
}

/// The axis along which neighbours are nearest in memory; `None` for no dimensions.
fn fastest_axis<T, D: Dimension>(view: &ArrayViewMut<'_, T, D>) -> Option<usize> {
    let strides = view.strides().iter().map(|s| s.unsigned_abs()).enumerate();
    // Of equal ones (axes of length 1) the last.
    strides.rev().min_by_key(|(_, stride)| *stride).map(|(axis, _)| axis)
}

impl<T: Element, D: Dimension, W> Deref for ReadGuard<'_, T, D, W> {
    type Target = ArrayRef<T, D>;

    #[inline]
    fn deref(&self) -> &ArrayRef<T, D> {
        &self.view
    }
}

impl<T: Element, D: Dimension, W> Deref for WriteGuard<'_, T, D, W> {
    type Target = ArrayRef<T, D>;

    #[inline]
    fn deref(&self) -> &ArrayRef<T, D> {
        &self.view
    }
}

impl<T: Element, D: Dimension, W> DerefMut for WriteGuard<'_, T, D, W> {
    #[inline]
    fn deref_mut(&mut self) -> &mut ArrayRef<T, D> {
        &mut self.view
    }
}
