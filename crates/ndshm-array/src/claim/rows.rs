//! Ranges of rows: indices along the first axis.

use std::fmt;
use std::ops::{Bound, Range, RangeBounds};

/// Rows `start..end` of an array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rows {
    pub(crate) start: usize,
    pub(crate) end: usize,
}

impl Rows {
    pub(crate) const fn overlap(self, other: Self) -> bool {
        // Where one is empty there is nothing to share.
        self.start < other.end
            && other.start < self.end
            && self.start < self.end
            && other.start < other.end
    }

    pub(crate) const fn cover(self, other: Self) -> bool {
        self.start <= other.start && other.end <= self.end
    }

    pub(crate) const fn range(self) -> Range<usize> {
        self.start..self.end
    }
}

impl fmt::Display for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rows {}..{}", self.start, self.end)
    }
}

/// The rows that `range` names of an array that has `len`, or the range as far as it makes sense.
pub(crate) fn resolve(range: &impl RangeBounds<usize>, len: usize) -> Result<Rows, Range<usize>> {
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
    if start <= end && end <= len { Ok(Rows { start, end }) } else { Err(start..end) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_resolve_as_slices_do() {
        let rows = |start, end| Ok(Rows { start, end });
        assert_eq!(resolve(&(..), 5), rows(0, 5));
        assert_eq!(resolve(&(2..=3), 5), rows(2, 4));
        assert_eq!(resolve(&(5..), 5), rows(5, 5));
        assert_eq!(resolve(&(..6), 5), Err(0..6));
        assert_eq!(resolve(&(..=usize::MAX), 5), Err(0..usize::MAX));
        #[allow(clippy::reversed_empty_ranges, reason = "what is refused")]
        let backwards = 3..2;
        assert_eq!(resolve(&backwards, 5), Err(backwards));
    }

    #[test]
    fn overlap_is_symmetric_and_empty_rows_overlap_nothing() {
        for (a, b) in (0..4).flat_map(|a| (a..4).map(move |b| (a, b))) {
            for (c, d) in (0..4).flat_map(|c| (c..4).map(move |d| (c, d))) {
                let (x, y) = (Rows { start: a, end: b }, Rows { start: c, end: d });
                let shared = (a..b).any(|r| (c..d).contains(&r));
                assert_eq!(x.overlap(y), shared, "{x} and {y}");
                assert_eq!(y.overlap(x), shared, "{y} and {x}");
            }
        }
    }
}
