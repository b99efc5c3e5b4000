//! The atomic tier: elements that many read and write at once, each by one machine instruction.

use std::fmt;
use std::marker::PhantomData;

use ndarray::{Array, ArrayRef, Dimension, NdIndex, RawArrayViewMut};

use crate::cell::{Cell, Ordered};
use crate::claim::{Claim, Part};
use crate::element::Element;

/// Elements that have atomic operations: numbers of up to eight bytes, which are integers, floats and `Complex<f32>`, and
/// [`Bool8`](crate::Bool8).
///
/// The operations on floats are compare-and-swap loops. `Complex<f64>`, arrays and structs have none: share their parts in
/// arrays of their own, or take a claim.
///
/// ```
/// use ndshm_array::{AtomicElement, ClaimError, SharedArray1};
///
/// fn tally<T: AtomicElement>(a: &SharedArray1<T>, by: T) -> Result<T, ClaimError<()>> {
///     Ok(a.claim_atomic(..).map_err(ClaimError::without_guard)?.fetch_add(0, by))
/// }
/// let a = SharedArray1::<i16>::zeros(1)?;
/// assert_eq!((tally(&a, 3)?, tally(&a, 4)?), (0, 3));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no atomic operations",
    label = "not an `AtomicElement`",
    note = "integers, floats, `Complex<f32>` and `Bool8` have them: what fits into eight bytes and is one number"
)]
pub trait AtomicElement: Element + Cell {}

/// A part of a shared array whose elements are read and written one by one, by any number of processes
/// and threads at once; dropping it releases the claim. Made by
/// [`claim_atomic`](crate::SharedArray::claim_atomic).
///
/// Claims of this kind do not exclude each other, only those that lend views. So nothing here is undefined
/// behaviour, whoever does it; what is missing is a consistent state of several elements. A death leaves every element
/// whole, and poisons nothing.
///
/// A load sees what the one that stored the value wrote before it (acquire and release); each operation panics where the
/// index is out of bounds, as ndarray's do.
///
/// ```
/// use ndshm_array::SharedArray1;
///
/// let histogram = SharedArray1::<u64>::zeros(4)?;
/// std::thread::scope(|s| {
///     for data in [[0, 1, 1], [1, 3, 0]] {
///         let histogram = &histogram; // another process would have a handle of its own
///         s.spawn(move || {
///             let bins = histogram.claim_atomic(..).unwrap();
///             for bin in data {
///                 bins.fetch_add(bin, 1);
///             }
///         });
///     }
/// });
/// assert_eq!(histogram.read()?, ndarray::arr1(&[2, 3, 0, 1]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "the claim is released at once if the guard is not kept"]
pub struct AtomicGuard<'a, T, D> {
    /// # Invariants
    ///
    /// 1. Shows just the part of `claim`, in a mapping that lives for `'a`, read-write and aligned.
    elements: RawArrayViewMut<T, D>,
    claim: Claim<'a>,
    not_send: PhantomData<*const ()>,
}

// SAFETY: elements are reached as atomics only, as long as the claim excludes views.
unsafe impl<T: Sync, D: Sync> Sync for AtomicGuard<'_, T, D> {}

impl<'a, T: AtomicElement, D: Dimension> AtomicGuard<'a, T, D> {
    pub(crate) const fn new(elements: RawArrayViewMut<T, D>, claim: Claim<'a>) -> Self {
        Self { elements, claim, not_send: PhantomData }
    }

    /// The part that is claimed, in indices of the array.
    ///
    /// ```
    /// use ndshm_array::SharedArray1;
    ///
    /// let a = SharedArray1::<u64>::zeros(10)?;
    /// assert_eq!(a.claim_atomic(2..5)?.part().row_range(), 2..5);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn part(&self) -> Part {
        self.claim.selection().into()
    }

    /// The lengths of the axes.
    ///
    /// ```
    /// use ndshm_array::SharedArray2;
    ///
    /// let a = SharedArray2::<u64>::zeros((10, 3))?;
    /// assert_eq!(a.claim_atomic(2..5)?.shape(), [3, 3]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn shape(&self) -> &[usize] {
        self.elements.shape()
    }

    /// The element.
    ///
    /// # Panics
    ///
    /// Out of bounds.
    ///
    /// ```
    /// use ndshm_array::SharedArray2;
    ///
    /// let a = SharedArray2::from_elem((2, 2), 0.5)?;
    /// assert_eq!(a.claim_atomic(..)?.load((1, 0)), 0.5);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    #[track_caller]
    pub fn load(&self, index: impl NdIndex<D>) -> T {
        T::load(self.cell(index))
    }

    /// Writes the element.
    ///
    /// # Panics
    ///
    /// Out of bounds.
    ///
    /// ```
    /// use ndshm_array::SharedArray1;
    ///
    /// let a = SharedArray1::<f64>::zeros(4)?;
    /// a.claim_atomic(..)?.store(3, 0.5);
    /// assert_eq!(a.read()?[3], 0.5);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn store(&self, index: impl NdIndex<D>, value: T) {
        T::store(self.cell(index), value);
    }

    /// Writes the element; what it was.
    ///
    /// # Panics
    ///
    /// Out of bounds.
    ///
    /// ```
    /// use ndshm_array::SharedArray1;
    ///
    /// let a = SharedArray1::from_elem(4, 7_i32)?;
    /// assert_eq!(a.claim_atomic(..)?.swap(0, 9), 7);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn swap(&self, index: impl NdIndex<D>, value: T) -> T {
        self.fetch_update(index, |_| value)
    }

    /// Adds to the element; what it was. Integers wrap; the sum of truth values is `or`, as NumPy has it.
    ///
    /// # Panics
    ///
    /// Out of bounds.
    ///
    /// ```
    /// use ndshm_array::SharedArray1;
    ///
    /// let a = SharedArray1::from_elem(4, 0.5)?;
    /// let sums = a.claim_atomic(..)?;
    /// assert_eq!((sums.fetch_add(2, 0.25), sums.load(2)), (0.5, 0.75));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn fetch_add(&self, index: impl NdIndex<D>, value: T) -> T {
        T::add(self.cell(index), value)
    }

    /// Makes the element the lesser of itself and `value`; what it was. A NaN loses against a number.
    ///
    /// # Panics
    ///
    /// Out of bounds.
    ///
    /// ```
    /// use ndshm_array::SharedArray1;
    ///
    /// let a = SharedArray1::from_elem(4, f64::INFINITY)?;
    /// let least = a.claim_atomic(..)?;
    /// least.fetch_min(0, 3.5);
    /// assert_eq!(least.fetch_min(0, 4.5), 3.5);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn fetch_min(&self, index: impl NdIndex<D>, value: T) -> T
    where
        T: Ordered,
    {
        self.fetch_update(index, |old| T::min(old, value))
    }

    /// Makes the element the greater of itself and `value`; what it was. A NaN loses against a number.
    ///
    /// # Panics
    ///
    /// Out of bounds.
    ///
    /// ```
    /// use ndshm_array::SharedArray1;
    ///
    /// let a = SharedArray1::from_elem(4, 7_u8)?;
    /// let most = a.claim_atomic(..)?;
    /// most.fetch_max(0, 9);
    /// assert_eq!(most.load(0), 9);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn fetch_max(&self, index: impl NdIndex<D>, value: T) -> T
    where
        T: Ordered,
    {
        self.fetch_update(index, |old| T::max(old, value))
    }

    /// Makes of the element what `f` makes of it; what it was. `f` is asked again where somebody else was
    /// quicker.
    ///
    /// # Panics
    ///
    /// Out of bounds.
    ///
    /// ```
    /// use ndshm_array::SharedArray1;
    ///
    /// let a = SharedArray1::from_elem(4, 3.0)?;
    /// let squares = a.claim_atomic(..)?;
    /// squares.fetch_update(1, |x| x * x);
    /// assert_eq!(squares.load(1), 9.0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn fetch_update(&self, index: impl NdIndex<D>, f: impl FnMut(T) -> T) -> T {
        T::update(self.cell(index), f)
    }

    /// Copies elements in, one by one: others see some of them earlier than others.
    ///
    /// # Panics
    ///
    /// Of another shape.
    ///
    /// ```
    /// use ndshm_array::SharedArray1;
    ///
    /// let a = SharedArray1::<u16>::zeros(4)?;
    /// a.claim_atomic(1..3)?.copy_in(&ndarray::arr1(&[5, 6]));
    /// assert_eq!(a.read()?, ndarray::arr1(&[0, 5, 6, 0]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn copy_in(&self, from: &ArrayRef<T, D>) {
        assert_eq!(self.shape(), from.shape(), "copy_in: of another shape");
        ndarray::Zip::from(self.elements.clone()).and(from).for_each(|to, from| {
            // SAFETY: within the part (elements invariant 1).
            T::store(unsafe { T::at(to) }, *from);
        });
    }

    /// Copies elements out, one by one: each is one that stood there meanwhile.
    ///
    /// ```
    /// use ndshm_array::SharedArray1;
    ///
    /// let a = SharedArray1::from_elem(4, 0.5)?;
    /// assert_eq!(a.claim_atomic(1..)?.copy_out().sum(), 1.5);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn copy_out(&self) -> Array<T, D> {
        // SAFETY: within the part (elements invariant 1).
        let load = |from: *mut T| T::load(unsafe { T::at(from) });
        ndarray::Zip::from(self.elements.clone()).map_collect(load)
    }

    #[track_caller]
    fn cell(&self, index: impl NdIndex<D>) -> &T::Atomic {
        let element = self.elements.clone().get_mut_ptr(index);
        let element = element.unwrap_or_else(|| panic!("index out of bounds: {:?}", self.shape()));
        // SAFETY: within the part (elements invariant 1), as long as `self` is borrowed.
        unsafe { T::at(element) }
    }
}

impl<T, D> fmt::Debug for AtomicGuard<'_, T, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AtomicGuard").field("part", &self.claim.selection()).finish_non_exhaustive()
    }
}
