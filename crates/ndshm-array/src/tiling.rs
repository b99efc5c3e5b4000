//! An array cut into tiles, which have numbers.

use std::marker::PhantomData;
use std::ops::Range;

use ndarray::{Axis, Dimension, IntoDimension, RawArrayViewMut, Slice};

use crate::claim::{Outside, Progression, Sealed, Select, Selection};

/// A shape cut into tiles of one size, smaller at the far ends. They are numbered in row-major order, so that
/// workers can draw numbers, and each number means the same part in every process.
///
/// ```
/// use ndshm_array::{SharedArray2, Tiling};
///
/// let a = SharedArray2::<f64>::zeros((100, 70))?;
/// let tiling = Tiling::new(a.dim(), (32, 32));
/// assert_eq!(tiling.len(), 4 * 3);
/// for (number, tile) in tiling.iter().enumerate() {
///     a.claim_mut(tile)?.fill(number as f64);
/// }
/// assert_eq!(a.read()?[[99, 69]], 11.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tiling<D> {
    shape: D,
    tile: D,
}

/// A tile: what [`claim`](crate::SharedArray::claim) and its kin take.
///
/// ```
/// use ndshm_array::Tiling;
///
/// assert_eq!(Tiling::new((5, 4), (2, 3)).tile(5).ranges(), [4..5, 3..4]);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tile<D> {
    ranges: Vec<Range<usize>>,
    of: PhantomData<fn() -> D>,
}

impl<D: Dimension> Tiling<D> {
    /// Tiles of at most that many indices along each axis. No tile has more than the shape; 0 means all, as does an axis
    /// that is not said.
    ///
    /// ```
    /// use ndshm_array::Tiling;
    ///
    /// let bands = Tiling::new((10, 8), (4, 0)); // whole rows
    /// assert_eq!(bands.iter().map(|t| t.ranges()[0].clone()).collect::<Vec<_>>(), [0..4, 4..8, 8..10]);
    /// ```
    pub fn new(shape: impl IntoDimension<Dim = D>, tile: impl IntoDimension<Dim = D>) -> Self {
        let (shape, wanted) = (shape.into_dimension(), tile.into_dimension());
        let mut tile = shape.clone();
        let wanted = wanted.slice().iter().copied().chain(std::iter::repeat(0));
        for (most, wanted) in tile.slice_mut().iter_mut().zip(wanted) {
            let wanted = if wanted == 0 { *most } else { wanted.min(*most) };
            *most = wanted.max(1);
        }
        Self { shape, tile }
    }

    /// How many tiles there are; 0 where the shape has no element. More than can be counted are `usize::MAX`.
    ///
    /// ```
    /// use ndshm_array::Tiling;
    ///
    /// assert_eq!(Tiling::new((10, 0), (3, 3)).len(), 0);
    /// assert_eq!(Tiling::new((), ()).len(), 1); // the one element
    /// ```
    #[must_use]
    pub fn len(&self) -> usize {
        self.counts().try_fold(1, usize::checked_mul).unwrap_or(usize::MAX)
    }

    /// Whether there are none.
    ///
    /// ```
    /// assert!(ndshm_array::Tiling::new(0, 5).is_empty());
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The tile of that number.
    ///
    /// # Panics
    ///
    /// If there is none, `number` being [`len`](Self::len) or more.
    ///
    /// ```
    /// use ndshm_array::{SharedArray1, Tiling};
    ///
    /// let a = SharedArray1::from_elem(10, 1.0)?;
    /// assert_eq!(a.claim(Tiling::new(a.dim(), 4).tile(2))?.sum(), 2.0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn tile(&self, number: usize) -> Tile<D> {
        assert!(number < self.len(), "no tile {number} of {}", self.len());
        let counts: Vec<usize> = self.counts().collect();
        let mut ranges = vec![0..0; counts.len()];
        let mut left = number;
        for axis in (0..counts.len()).rev() {
            let (at, most) = (left % counts[axis], self.tile[axis]);
            left /= counts[axis];
            ranges[axis] = at * most..((at + 1) * most).min(self.shape[axis]);
        }
        Tile { ranges, of: PhantomData }
    }

    /// All tiles, by number.
    ///
    /// ```
    /// assert_eq!(ndshm_array::Tiling::new((4, 4), (2, 2)).iter().count(), 4);
    /// ```
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Tile<D>> {
        (0..self.len()).map(|number| self.tile(number))
    }

    /// Along each axis.
    fn counts(&self) -> impl Iterator<Item = usize> {
        self.shape.slice().iter().zip(self.tile.slice()).map(|(&len, &most)| len.div_ceil(most))
    }
}

impl<D> Tile<D> {
    /// Those indices along each axis, whatever the dimension of the array; of axes that are not named all. What the array does not
    /// have is an error of the claim.
    ///
    /// ```
    /// use ndshm_array::{SharedArray2, Tile};
    ///
    /// let a = SharedArray2::<f64>::zeros((4, 6))?;
    /// a.claim_mut(Tile::new([1..3, 0..2]))?.fill(1.0);
    /// assert_eq!(a.read()?.sum(), 4.0);
    /// assert!(a.claim(Tile::new([1..5])).is_err()); // there are rows 0 to 3
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn new(ranges: impl Into<Vec<Range<usize>>>) -> Self {
        Self { ranges: ranges.into(), of: PhantomData }
    }

    /// The indices that it has, along each axis.
    ///
    /// ```
    /// assert_eq!(ndshm_array::Tiling::new(7, 3).tile(2).ranges(), [6..7]);
    /// ```
    #[must_use]
    pub fn ranges(&self) -> &[Range<usize>] {
        &self.ranges
    }
}

impl<D> Sealed for Tile<D> {}

impl<D: Dimension> Select<D> for Tile<D> {
    type Dim = D;

    fn part(&self, shape: &[usize]) -> Result<Selection, Outside> {
        for (axis, &Range { start, end }) in self.ranges.iter().enumerate() {
            // An axis that the array does not have has no indices.
            let len = shape.get(axis).copied();
            if start > end || len.is_none_or(|len| end > len) {
                let len = len.unwrap_or(0);
                return Err(Outside { axis, asked: start.cast_signed()..end.cast_signed(), len });
            }
        }
        let axes = self.ranges.iter().map(|range| Progression::new(range.start, range.len(), 1));
        Ok(Selection::new(shape, axes))
    }

    fn view<A>(self, mut all: RawArrayViewMut<A, D>) -> RawArrayViewMut<A, D> {
        for (axis, range) in self.ranges.into_iter().enumerate() {
            all.slice_axis_inplace(Axis(axis), Slice::from(range));
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array, IxDyn};
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_element_is_in_one_tile(
            axes in proptest::collection::vec((0..9_usize, 0..5_usize), 0..4)
        ) {
            let (shape, tile): (Vec<_>, Vec<_>) = axes.into_iter().unzip();
            let mut seen = Array::<u8, _>::zeros(IxDyn(&shape));
            let tiling = Tiling::new(IxDyn(&shape), IxDyn(&tile));
            prop_assert_eq!(tiling.iter().len(), tiling.len());
            for each in tiling.iter() {
                let part = each.part(&shape).unwrap();
                for (axis, (range, most)) in each.ranges().iter().zip(&tile).enumerate() {
                    prop_assert!(!range.is_empty() && (*most == 0 || range.len() <= *most));
                    prop_assert_eq!(part.axes()[axis].len(), range.len());
                }
                // SAFETY: of `seen`, which nobody else refers to.
                unsafe { each.view(seen.raw_view_mut()).deref_into_view_mut() }
                    .map_inplace(|n| *n += 1);
            }
            prop_assert!(seen.iter().all(|&n| n == 1));
        }
    }

    #[test]
    fn ranges_that_an_array_does_not_have_are_refused() {
        let refused = |ranges: &[Range<usize>]| Tile::<IxDyn>::new(ranges).part(&[4, 6]).is_err();
        assert!(!refused(&[0..4, 6..6]));
        assert!(!refused(&[2..2]));
        #[allow(clippy::reversed_empty_ranges, reason = "what is refused")]
        let backwards = 3..2;
        assert!(refused(&[backwards]));
        assert!(refused(&[0..5]));
        assert!(refused(&[0..1, 0..1, 0..0]));
    }
}
