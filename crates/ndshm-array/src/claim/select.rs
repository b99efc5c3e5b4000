//! What a claim can be of: rows, or a slice.

use std::ops::{
    Bound, Range, RangeBounds, RangeFrom, RangeFull, RangeInclusive, RangeTo, RangeToInclusive,
};

use ndarray::{Axis, Dimension, IxDyn, RawArrayViewMut, Slice, SliceArg, SliceInfo, SliceInfoElem};

use super::part::Selection;
use super::progression::Progression;

/// What of an array a claim is of: a range of rows (indices along the first axis), or a slice as
/// [`s!`](ndarray::s) makes it, with steps, axes that are dropped, and new ones.
///
/// ```
/// use ndarray::s;
/// use ndshm_array::SharedArray2;
///
/// let a = SharedArray2::<f64>::zeros((4, 6))?;
/// a.claim_mut(1..3)?.fill(1.0); // rows 1 and 2
/// a.claim_mut(s![.., 5])?.fill(2.0); // the last column, of one dimension
/// a.claim_mut(s![..;2, ..3])?.fill(3.0); // a part of every other row
/// assert_eq!(a.read()?.row(2), ndarray::arr1(&[3.0, 3.0, 3.0, 1.0, 1.0, 2.0]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Select<D: Dimension>: Sealed {
    /// The dimension of what is claimed.
    type Dim: Dimension;

    /// Which part of an array of that shape.
    #[doc(hidden)]
    fn part(&self, shape: &[usize]) -> Result<Selection, Outside>;

    /// The same of a view of all of it; after `part` has found it within.
    #[doc(hidden)]
    fn view<A>(self, all: RawArrayViewMut<A, D>) -> RawArrayViewMut<A, Self::Dim>;
}

/// Indices that an axis does not have.
#[doc(hidden)]
#[derive(Debug)]
pub struct Outside {
    pub(crate) axis: usize,
    pub(crate) asked: Range<isize>,
    pub(crate) len: usize,
}

/// No other types than these.
#[doc(hidden)]
pub trait Sealed {}

macro_rules! rows {
    ($($range:ty),+) => {$(
        impl Sealed for $range {}

        impl<D: Dimension> Select<D> for $range {
            type Dim = D;

            fn part(&self, shape: &[usize]) -> Result<Selection, Outside> {
                rows(self, shape).map(|rows| match shape {
                    // Without axes no view of it can be empty: even no rows show the element.
                    [] => Selection::whole(shape),
                    _ => Selection::new(shape, [Progression::new(rows.start, rows.len(), 1)]),
                })
            }

            fn view<A>(self, mut all: RawArrayViewMut<A, D>) -> RawArrayViewMut<A, D> {
                if all.ndim() > 0 {
                    let len = all.len_of(Axis(0));
                    let Range { start, end } = resolve(&self, len);
                    all.slice_axis_inplace(Axis(0), Slice::from(start..end));
                }
                all
            }
        }
    )+};
}

rows!(
    Range<usize>,
    RangeFrom<usize>,
    RangeTo<usize>,
    RangeInclusive<usize>,
    RangeToInclusive<usize>,
    RangeFull,
    (Bound<usize>, Bound<usize>)
);

/// The rows that a range means, of so many; they may be beyond, or the end before the start.
pub(crate) fn resolve(range: &impl RangeBounds<usize>, len: usize) -> Range<usize> {
    let start = match range.start_bound() {
        Bound::Included(&s) => s,
        Bound::Excluded(&s) => s.saturating_add(1),
        Bound::Unbounded => 0,
    };
    let end = match range.end_bound() {
        Bound::Included(&e) => e.saturating_add(1),
        Bound::Excluded(&e) => e,
        Bound::Unbounded => len,
    };
    start..end
}

fn rows(range: &impl RangeBounds<usize>, shape: &[usize]) -> Result<Range<usize>, Outside> {
    let len = shape.first().copied().unwrap_or(1);
    let rows = resolve(range, len);
    if rows.start <= rows.end && rows.end <= len {
        return Ok(rows);
    }
    let signed = |n: usize| isize::try_from(n).unwrap_or(isize::MAX);
    Err(Outside { axis: 0, asked: signed(rows.start)..signed(rows.end), len })
}

impl<I, D: Dimension, E: Dimension> Sealed for SliceInfo<I, D, E> {}

impl<I, D: Dimension, E: Dimension> Select<D> for SliceInfo<I, D, E>
where
    Self: SliceArg<D, OutDim = E>,
{
    type Dim = E;

    fn part(&self, shape: &[usize]) -> Result<Selection, Outside> {
        slice(self.as_ref(), shape)
    }

    fn view<A>(self, all: RawArrayViewMut<A, D>) -> RawArrayViewMut<A, E> {
        all.slice_move(self)
    }
}

impl Sealed for &[SliceInfoElem] {}

/// For arrays whose number of axes is not known before the program runs.
impl Select<IxDyn> for &[SliceInfoElem] {
    type Dim = IxDyn;

    fn part(&self, shape: &[usize]) -> Result<Selection, Outside> {
        slice(self, shape)
    }

    fn view<A>(self, all: RawArrayViewMut<A, IxDyn>) -> RawArrayViewMut<A, IxDyn> {
        all.slice_move(self)
    }
}

/// As ndarray understands a slice; what it would panic at is an error.
fn slice(elements: &[SliceInfoElem], shape: &[usize]) -> Result<Selection, Outside> {
    let axes = elements.iter().filter(|element| !matches!(element, SliceInfoElem::NewAxis));
    let mut given = Vec::with_capacity(shape.len());
    for (axis, element) in axes.enumerate() {
        let Some(&len) = shape.get(axis) else {
            return Err(Outside { axis, asked: 0..0, len: 0 });
        };
        given.push(indices(element, axis, len)?);
    }
    // ndarray demands one for each axis.
    if let Some(&len) = shape.get(given.len()) {
        return Err(Outside { axis: given.len(), asked: 0..len.cast_signed(), len });
    }
    Ok(Selection::new(shape, given))
}

fn indices(element: &SliceInfoElem, axis: usize, len: usize) -> Result<Progression, Outside> {
    let outside = |asked| Outside { axis, asked, len };
    // Negative ones count from the end.
    let absolute = |index: isize| match index {
        0.. => Some(index.unsigned_abs()).filter(|&i| i <= len),
        _ => len.checked_sub(index.unsigned_abs()),
    };
    match *element {
        SliceInfoElem::Index(index) => {
            let found = absolute(index).filter(|&i| i < len);
            let found = found.ok_or_else(|| outside(index..index.saturating_add(1)))?;
            Ok(Progression::new(found, 1, 1))
        }
        SliceInfoElem::Slice { start, end, step } => {
            let signed_len = len.cast_signed();
            let asked = || outside(start..end.unwrap_or(signed_len));
            let from = absolute(start).ok_or_else(asked)?;
            let to = end.map_or(Some(len), absolute).ok_or_else(asked)?.max(from);
            let by = step.unsigned_abs();
            if by == 0 {
                return Err(asked());
            }
            let count = (to - from).div_ceil(by);
            // With a negative step it begins at the other end.
            let first = if step > 0 || count == 0 { from } else { to - 1 - (count - 1) * by };
            Ok(Progression::new(first, count, by))
        }
        SliceInfoElem::NewAxis => Ok(Progression::EMPTY),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use ndarray::{Array, IxDyn, RawArrayViewMut};
    use proptest::prelude::*;

    use super::*;

    const SHAPE: [usize; 3] = [5, 7, 3];

    fn element(len: isize) -> impl Strategy<Value = SliceInfoElem> {
        let bound = -len - 1..=len + 1;
        let slice = (bound.clone(), proptest::option::of(bound.clone()), -4..5_isize)
            .prop_map(|(start, end, step)| SliceInfoElem::Slice { start, end, step });
        prop_oneof![4 => slice, 1 => bound.prop_map(SliceInfoElem::Index)]
    }

    fn any_slice() -> impl Strategy<Value = Vec<SliceInfoElem>> {
        SHAPE.map(|len| element(len.cast_signed()).boxed()).to_vec()
    }

    proptest! {
        #[test]
        fn a_slice_is_of_what_it_shows(slice in any_slice()) {
            let mut all = Array::from_shape_fn(IxDyn(&SHAPE), |index| index);
            let raw: RawArrayViewMut<_, _> = all.raw_view_mut();
            match (&slice[..]).part(&SHAPE) {
                Ok(part) => {
                    let view = (&slice[..]).view(raw);
                    // SAFETY: within `all`, which nobody else refers to.
                    let view = unsafe { view.deref_into_view() };
                    let shown: BTreeSet<Vec<usize>> = view.iter().map(|i| i.slice().to_vec()).collect();
                    let all = ndarray::indices(SHAPE).into_iter().map(|(i, j, k)| vec![i, j, k]);
                    let claimed = all.filter(|index| {
                        part.axes().iter().zip(index).all(|(axis, i)| axis.contains(*i))
                    });
                    prop_assert_eq!(claimed.collect::<BTreeSet<_>>(), shown);
                }
                Err(outside) => {
                    let shown = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                        (&slice[..]).view(raw);
                    }));
                    prop_assert!(shown.is_err(), "{:?} of {:?}", outside, slice);
                }
            }
        }
    }

    #[test]
    fn ranges_resolve_as_slices_do() {
        let of =
            |outcome: Result<Selection, Outside>| outcome.map(|p| p.rows()).map_err(|o| o.asked);
        let shape = [5_usize];
        assert_eq!(of(Select::<IxDyn>::part(&(..), &shape)), Ok(0..5));
        assert_eq!(of(Select::<IxDyn>::part(&(2..=3), &shape)), Ok(2..4));
        assert_eq!(of(Select::<IxDyn>::part(&(5..), &shape)), Ok(5..5));
        assert_eq!(of(Select::<IxDyn>::part(&(..6), &shape)), Err(0..6));
        assert_eq!(of(Select::<IxDyn>::part(&(..=usize::MAX), &shape)), Err(0..isize::MAX));
        #[allow(clippy::reversed_empty_ranges, reason = "what is refused")]
        let backwards = 3..2;
        let asked = of(Select::<IxDyn>::part(&backwards, &shape)).unwrap_err();
        assert_eq!((asked.start, asked.end), (3, 2));
    }
}
