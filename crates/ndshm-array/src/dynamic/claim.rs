//! A claim that owns its array.

use std::fmt;
use std::sync::Arc;

use ndarray::{ArrayView, ArrayViewMut, IxDyn, RawArrayViewMut, ShapeBuilder, SliceInfoElem};

use super::DynArray;
use super::array::Inner;
use super::place::Place;
use crate::claim::{Claim, ClaimError, Mode, Part, Patience, Select};
use crate::claims::{ClaimResult, outside};
use crate::element::Element;
use crate::npy::Order;

/// A part of a [`DynArray`], claimed until this is dropped. It keeps the array.
///
/// It may be released by another thread than claimed it; for [`ClaimError::Own`] and `Deadlock` it counts as the one's who
/// claimed.
///
/// ```
/// use ndshm_array::{Mode, SharedArray2, dynamic::DynArray};
///
/// let a = DynArray::from(SharedArray2::<f64>::from_elem((4, 3), 0.5)?);
/// let claim = a.claim(&[(1..3).into(), 2.into()], Mode::Exclusive)?;
/// assert_eq!((claim.shape(), claim.strides()), (&[2][..], &[24][..]));
/// drop(a); // the claim has it
/// let sum = std::thread::spawn(move || claim.view::<f64>().map(|view| view.sum()));
/// assert_eq!(sum.join().unwrap(), Some(1.0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "the claim is released at once if it is not kept"]
pub struct DynClaim {
    /// # Invariants
    ///
    /// 1. Refers to what `array` keeps in place, and is dropped before it, as the first field.
    /// 2. Claims `part` of that array, in `mode`.
    claim: Claim<'static>,
    array: DynArray,
    mode: Mode,
    // Apart, since a claim travels in errors, too.
    place: Box<Place>,
}

impl DynClaim {
    pub(super) fn new(
        array: &DynArray,
        part: &[SliceInfoElem],
        mode: Mode,
        patience: Patience<'_>,
    ) -> ClaimResult<Self> {
        let (selection, place) = Place::select(array, part).map_err(outside)?;
        let (wants, mut at) = ([(selection, mode)], [0]);
        let poison = array.segment().granted(array.shape(), &wants, &mut at, patience)?;
        // SAFETY: on the heap, shared and never changed, and kept by `array` of the guard for longer than the claim (claim
        // invariant 1).
        let inner: &'static Inner = unsafe { &*Arc::as_ptr(&array.0) };
        let claim = Claim::new(&inner.segment, &inner.header.shape, at[0], mode);
        let guard = Self { claim, array: array.clone(), mode, place: Box::new(place) };
        inner.segment.told(guard, poison)
    }

    /// The array of which it is a part.
    ///
    /// ```
    /// # use ndshm_array::{Mode, SharedArray1, dynamic::DynArray};
    /// # let a = DynArray::from(SharedArray1::<u8>::zeros(3)?);
    /// assert_eq!(a.claim(&[(1..).into()], Mode::Shared)?.array().shape(), [3]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn array(&self) -> &DynArray {
        &self.array
    }

    /// In which mode it is claimed.
    ///
    /// ```
    /// # use ndshm_array::{Mode, SharedArray1, dynamic::DynArray};
    /// # let a = DynArray::from(SharedArray1::<u8>::zeros(3)?);
    /// assert_eq!(a.claim(&[], Mode::Shared)?.mode(), Mode::Shared);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// The part, for texts and comparisons.
    ///
    /// ```
    /// # use ndshm_array::{Mode, SharedArray1, dynamic::DynArray};
    /// # let a = DynArray::from(SharedArray1::<u8>::zeros(3)?);
    /// assert_eq!(a.claim(&[(1..).into()], Mode::Shared)?.part(), 1..3);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn part(&self) -> Part {
        self.claim.selection().into()
    }

    /// Lengths along the axes of the part: those that an index was given for are none of them.
    ///
    /// ```
    /// # use ndshm_array::{Mode, SharedArray2, dynamic::DynArray};
    /// # let a = DynArray::from(SharedArray2::<u8>::zeros((3, 4))?);
    /// assert_eq!(a.claim(&[1.into(), (2..).into()], Mode::Shared)?.shape(), [2]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn shape(&self) -> &[usize] {
        &self.place.shape
    }

    /// How far apart neighbours along each axis are, in bytes.
    ///
    /// ```
    /// # use ndarray::SliceInfoElem;
    /// # use ndshm_array::{Mode, SharedArray1, dynamic::DynArray};
    /// # let a = DynArray::from(SharedArray1::<u16>::zeros(3)?);
    /// let backwards = SliceInfoElem::Slice { start: 0, end: None, step: -1 };
    /// assert_eq!(a.claim(&[backwards], Mode::Shared)?.strides(), [-2]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn strides(&self) -> &[isize] {
        &self.place.strides
    }

    /// Where the first element of the part lies. Good as long as the array is kept; what may be done there, the mode
    /// says, as long as the claim is held.
    ///
    /// ```
    /// # use ndshm_array::{Mode, SharedArray1, dynamic::DynArray};
    /// # let a = DynArray::from(SharedArray1::from_iter([7_u16, 8])?);
    /// let claim = a.claim(&[(1..).into()], Mode::Shared)?;
    /// // SAFETY: of that type, and claimed for reading.
    /// assert_eq!(unsafe { *claim.as_ptr().cast::<u16>() }, 8);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn as_ptr(&self) -> *mut u8 {
        self.array.as_ptr().wrapping_add(self.place.offset)
    }

    /// The elements, where they are of this type; `None` where they are not, or where the claim is an atomic one.
    ///
    /// ```
    /// # use ndshm_array::{Mode, SharedArray1, dynamic::DynArray};
    /// # let a = DynArray::from(SharedArray1::from_iter([7_u16, 8])?);
    /// let claim = a.claim(&[], Mode::Shared)?;
    /// assert!(claim.view::<u16>().is_some_and(|view| view.sum() == 15));
    /// assert!(claim.view::<i16>().is_none());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn view<T: Element>(&self) -> Option<ArrayView<'_, T, IxDyn>> {
        if self.mode == Mode::Atomic {
            return None;
        }
        // SAFETY: the view is of the part, and the claim on it excludes writers as long as `self` is borrowed (claim invariant 2).
        Some(unsafe { self.raw_view()?.deref_into_view() })
    }

    /// The elements to change, where they are of this type; `None` where they are not, or the claim is not exclusive.
    ///
    /// ```
    /// # use ndshm_array::{Mode, SharedArray1, dynamic::DynArray};
    /// # let a = DynArray::from(SharedArray1::<u16>::zeros(3)?);
    /// let mut claim = a.claim(&[], Mode::Exclusive)?;
    /// claim.view_mut::<u16>().ok_or("not of u16")?.fill(5);
    /// drop(claim);
    /// assert!(a.claim(&[], Mode::Shared)?.view_mut::<u16>().is_none());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn view_mut<T: Element>(&mut self) -> Option<ArrayViewMut<'_, T, IxDyn>> {
        if self.mode != Mode::Exclusive {
            return None;
        }
        // SAFETY: the view is of the part, and the claim on it excludes all others as long as `self` is borrowed (claim
        // invariant 2); mapped read-write, since there is a claim.
        Some(unsafe { self.raw_view()?.deref_into_view_mut() })
    }

    /// Declares what this claim covers whole again, after it was mended. `false` where something poisoned is left
    /// that reaches beyond it.
    ///
    /// # Errors
    ///
    /// [`ClaimError::Forked`].
    ///
    /// ```
    /// # use ndshm_array::{Mode, SharedArray1, dynamic::DynArray};
    /// let typed = SharedArray1::<f64>::zeros(10)?;
    /// # ndshm_testkit::panic_holding(|| typed.claim_mut(3..5));
    /// let a = DynArray::from(typed);
    /// if let Err(e) = a.claim(&[], Mode::Exclusive) {
    ///     let mut all = e.into_guard().ok_or("not poisoned")?;
    ///     all.view_mut::<f64>().ok_or("not of f64")?.fill(0.0);
    ///     assert!(all.clear_poison()?);
    /// }
    /// assert!(a.claim(&[], Mode::Shared).is_ok());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn clear_poison(&mut self) -> Result<bool, ClaimError<()>> {
        self.claim.clear_poison().map_err(|_| ClaimError::Forked)
    }

    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    fn raw_view<T: Element>(&self) -> Option<RawArrayViewMut<T, IxDyn>> {
        if self.array.dtype().descr() != T::DTYPE.descr() {
            return None;
        }
        let shape = IxDyn(self.array.shape()).set_f(self.array.order() == Order::F);
        let data = self.array.as_ptr().cast::<T>();
        // SAFETY: the elements fit into the data, which is mapped as long as the array is kept, and aligned to a page
        // (array invariant 1).
        let all = unsafe { RawArrayViewMut::from_shape_ptr(shape, data) };
        Some(Select::<IxDyn>::view(&*self.place.part, all))
    }
}

impl fmt::Debug for DynClaim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DynClaim")
            .field("part", &self.part())
            .field("mode", &self.mode)
            .finish_non_exhaustive()
    }
}
