//! Which part of an array a claim is of.

use std::fmt;
use std::ops::Range;

use super::progression::Progression;

/// Axes by which parts are told apart. Along further ones every part has all indices, so claims that
/// differ in those alone overlap.
pub(crate) const MOST_AXES: usize = 6;

/// A part of an array, as those have it who claim: along each axis the indices that it has.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Selection {
    axes: [Progression; MOST_AXES],
    ndim: u8,
    /// A bit for each axis of which it has all.
    whole: u8,
}

/// A part of an array: along each axis the indices that it has, as a slice would say.
///
/// ```
/// use ndshm_array::{ClaimError, SharedArray2};
/// use ndarray::s;
///
/// let a = SharedArray2::<f64>::zeros((10, 8))?;
/// let _odd = a.claim_mut(s![.., 1..;2])?;
/// let Err(ClaimError::Own { held, .. }) = a.claim(3..5) else { unreachable!() };
/// assert_eq!(held.to_string(), "[0..10, 1..8;2]");
/// assert_eq!(held.row_range(), 0..10);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Part(Box<Selection>);

impl Selection {
    /// Nothing of any array.
    pub(crate) const NOTHING: Self =
        Self { axes: [Progression::EMPTY; MOST_AXES], ndim: 1, whole: 0 };

    /// These indices of an array of that shape; of further axes all.
    pub(crate) fn new(shape: &[usize], axes: impl IntoIterator<Item = Progression>) -> Self {
        let ndim = shape.len().min(MOST_AXES);
        let all = |axis: usize| Progression::new(0, shape[axis], 1);
        let mut part = Self { axes: [Progression::EMPTY; MOST_AXES], ndim: ndim as u8, whole: 0 };
        let mut given = axes.into_iter();
        for axis in 0..ndim {
            let indices = given.next().unwrap_or_else(|| all(axis));
            part.axes[axis] = indices;
            part.whole |= u8::from(indices == all(axis)) << axis;
        }
        // Where an axis that is not told apart is empty there is nothing at all.
        if shape[ndim..].contains(&0) {
            part.axes[0] = Progression::EMPTY;
        }
        part
    }

    pub(crate) fn whole(shape: &[usize]) -> Self {
        Self::new(shape, [])
    }

    pub(crate) fn axes(&self) -> &[Progression] {
        &self.axes[..usize::from(self.ndim)]
    }

    /// Along the first axis, from the first row that it has any of to the one after the last.
    pub(crate) fn rows(&self) -> Range<usize> {
        match self.axes().first() {
            None => 0..1,
            Some(rows) if rows.is_empty() => rows.first()..rows.first(),
            Some(rows) => rows.first()..rows.last().saturating_add(1),
        }
    }

    /// Whether any element is in both. An array without axes is one element.
    pub(crate) fn overlaps(&self, other: &Self) -> bool {
        self.axes().iter().zip(other.axes()).all(|(a, b)| a.meets(*b))
    }

    /// Whether every element of the other is in this one.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        other.axes().iter().any(|axis| axis.is_empty())
            || self.axes().iter().zip(other.axes()).all(|(a, b)| a.covers(*b))
    }

    /// The axis along which the two follow each other, alike in all others, and what both are there.
    pub(crate) fn joined(&self, other: &Self) -> Option<(usize, Progression)> {
        let mut differing =
            (0..self.axes().len()).filter(|&axis| self.axes[axis] != other.axes[axis]);
        let axis = differing.next()?;
        if differing.next().is_some() {
            return None;
        }
        Some((axis, self.axes[axis].joined(other.axes[axis])?))
    }

    /// Whether it has all indices along all axes but the first.
    fn is_of_whole_rows(&self) -> bool {
        let all = (1_u16 << self.ndim) - 1;
        u16::from(self.whole) | 1 == all | 1
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.axes().iter().any(|axis| axis.is_empty())
    }
}

impl Part {
    /// Along the first axis, from the first row that it has any of to the one after the last.
    ///
    /// ```
    /// use ndshm_array::{ClaimError, SharedArray1};
    ///
    /// let a = SharedArray1::<f64>::zeros(10)?;
    /// let _guard = a.claim_mut(3..7)?;
    /// let Err(ClaimError::Own { held, part }) = a.claim_mut(5..) else { unreachable!() };
    /// assert_eq!((held.row_range(), part.row_range()), (3..7, 5..10));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn row_range(&self) -> Range<usize> {
        self.0.rows()
    }

    /// Whether the element of that index, of the whole array, is in it.
    ///
    /// ```
    /// use ndarray::s;
    /// use ndshm_array::SharedArray2;
    ///
    /// let a = SharedArray2::<f64>::zeros((4, 6))?;
    /// let part = a.claim(s![1..3, ..;2])?.part();
    /// assert!(part.contains(&[1, 4]));
    /// assert!(!part.contains(&[1, 3]) && !part.contains(&[3, 4]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// Along axes behind the sixth, which claims do not tell apart, any index is.
    ///
    /// # Panics
    ///
    /// If there are fewer indices than the array has axes, of the first six.
    #[must_use]
    pub fn contains(&self, index: &[usize]) -> bool {
        let axes = self.0.axes();
        axes.iter().zip(&index[..axes.len()]).all(|(axis, &i)| axis.contains(i))
    }

    /// Its indices along an axis of the whole array, to slice a view of that with.
    ///
    /// ```
    /// use ndarray::s;
    /// use ndshm_array::{ClaimError, SharedArray2};
    ///
    /// let a = SharedArray2::<f64>::from_elem((4, 6), 1.0)?;
    /// # ndshm_testkit::panic_holding(|| a.claim_mut(s![1..3, ..;2]));
    /// let Err(ClaimError::Poisoned(poisoned)) = a.write() else { unreachable!() };
    /// let left = poisoned.parts()[0].part.clone();
    /// let mut all = poisoned.into_inner();
    /// all.slice_each_axis_mut(|along| left.slice(along.axis.index())).fill(0.0); // mend just that
    /// assert_eq!(all.sum(), 24.0 - 6.0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn slice(&self, axis: usize) -> ndarray::Slice {
        let Some(indices) = self.0.axes().get(axis) else { return ndarray::Slice::from(..) };
        // No array has an index that an isize has not.
        let (first, end) = (indices.first() as isize, (indices.first() + indices.span()) as isize);
        ndarray::Slice::new(first, Some(end), indices.step().max(1) as isize)
    }
}

impl From<Selection> for Part {
    fn from(selection: Selection) -> Self {
        Self(Box::new(selection))
    }
}

/// Whether it is just those rows, of all else everything.
///
/// ```
/// use ndarray::s;
/// use ndshm_array::SharedArray2;
///
/// let a = SharedArray2::<f64>::zeros((4, 6))?;
/// assert_eq!(a.claim(1..3)?.part(), 1..3);
/// assert_ne!(a.claim(s![1..3, 1..])?.part(), 1..3);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
impl PartialEq<Range<usize>> for Part {
    fn eq(&self, rows: &Range<usize>) -> bool {
        self.0.is_of_whole_rows()
            && self.0.axes().first().is_none_or(|axis| axis.step() == 1)
            && self.0.rows() == *rows
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Selection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_of_whole_rows() {
            return match self.axes().first() {
                None => f.write_str("the element"),
                Some(rows) => write!(f, "rows {rows}"),
            };
        }
        f.write_str("[")?;
        for (i, axis) in self.axes().iter().enumerate() {
            write!(f, "{}{axis}", if i > 0 { ", " } else { "" })?;
        }
        f.write_str("]")
    }
}

impl fmt::Debug for Selection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    const SHAPE: [usize; 2] = [6, 7];

    fn axis(len: usize) -> impl Strategy<Value = Progression> {
        (0..=len, 1..4_usize).prop_flat_map(move |(first, step)| {
            (0..=(len - first).div_ceil(step)).prop_map(move |n| Progression::new(first, n, step))
        })
    }

    fn part() -> impl Strategy<Value = Selection> {
        (axis(SHAPE[0]), axis(SHAPE[1])).prop_map(|(i, j)| Selection::new(&SHAPE, [i, j]))
    }

    fn elements(part: &Selection) -> BTreeSet<[usize; 2]> {
        let all = (0..SHAPE[0]).flat_map(|i| (0..SHAPE[1]).map(move |j| [i, j]));
        all.filter(|index| part.axes().iter().zip(index).all(|(a, i)| a.contains(*i))).collect()
    }

    proptest! {
        #[test]
        fn it_is_a_set_of_elements(a in part(), b in part()) {
            let (x, y) = (elements(&a), elements(&b));
            prop_assert_eq!(a.overlaps(&b), !x.is_disjoint(&y), "{} and {}", a, b);
            prop_assert_eq!(a.covers(&b), x.is_superset(&y), "{} and {}", a, b);
            prop_assert_eq!(a.is_empty(), x.is_empty());
            if let Some((axis, both)) = a.joined(&b).filter(|_| !a.is_empty() && !b.is_empty()) {
                let mut axes = [a.axes()[0], a.axes()[1]];
                axes[axis] = both;
                prop_assert_eq!(elements(&Selection::new(&SHAPE, axes)), &x | &y);
            }
        }
    }

    #[test]
    fn it_reads_as_rows_where_it_is_of_whole_rows() {
        assert_eq!(Selection::whole(&SHAPE).to_string(), "rows 0..6");
        assert_eq!(Selection::new(&SHAPE, [Progression::new(1, 2, 3)]).to_string(), "rows 1..5;3");
        let tile = [Progression::new(1, 2, 1), Progression::new(0, 3, 1)];
        assert_eq!(Selection::new(&SHAPE, tile).to_string(), "[1..3, 0..3]");
        assert_eq!(Selection::whole(&[]).to_string(), "the element");
        assert_eq!(Selection::whole(&[2; 6]).to_string(), "rows 0..2");
    }

    #[test]
    fn one_element_overlaps_itself_and_axes_beyond_the_sixth_are_whole() {
        assert!(Selection::whole(&[]).overlaps(&Selection::whole(&[])));
        assert!(Selection::whole(&[2; 9]).overlaps(&Selection::whole(&[2; 9])));
        assert!(!Selection::whole(&[2, 2, 2, 2, 2, 2, 0]).overlaps(&Selection::whole(&[2; 7])));
    }
}
