//! A plane brought down to as many cells as can be shown.

use ndshm_array::inspect::Plane;
use serde::Serialize;

use crate::outcome::Failure;

/// Of all elements of a plane.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Statistics {
    pub(crate) elements: usize,
    /// Of those that are finite; none where there are none.
    pub(crate) min: Option<f64>,
    pub(crate) max: Option<f64>,
    pub(crate) mean: Option<f64>,
    pub(crate) nan: usize,
    pub(crate) infinite: usize,
}

impl Statistics {
    /// `min -1.5, max 2, mean 0.25; 3 NaN`.
    pub(crate) fn text(&self) -> String {
        let mut text = match (self.min, self.max, self.mean) {
            (Some(min), Some(max), Some(mean)) => {
                format!("min {}, max {}, mean {}", short(min), short(max), short(mean))
            }
            _ => "no finite elements".to_owned(),
        };
        if self.nan > 0 {
            text.push_str(&format!("; {} NaN", self.nan));
        }
        if self.infinite > 0 {
            text.push_str(&format!("; {} infinite", self.infinite));
        }
        text
    }
}

/// A number in a few characters.
pub(crate) fn short(x: f64) -> String {
    let size = x.abs();
    if size != 0.0 && !(1e-4..1e7).contains(&size) {
        return format!("{x:.3e}");
    }
    let digits = if size < 10.0 { 4 } else { 2 };
    let text = format!("{x:.digits$}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

/// What a cell shows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Shade {
    /// From 0, the least of all, to 1, the most.
    Value(f64),
    /// At least one of its elements is NaN.
    Nan,
}

#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    finite: f64,
    count: u32,
    nan: bool,
    /// More positive infinities than negative ones.
    infinities: i32,
}

/// The means of blocks of elements.
#[derive(Debug)]
pub(crate) struct Grid {
    pub(crate) rows: usize,
    pub(crate) cols: usize,
    pub(crate) statistics: Statistics,
    cells: Vec<Sum>,
}

impl Grid {
    /// Reads all of the plane, once.
    pub(crate) fn of(plane: &Plane<'_>, rows: usize, cols: usize) -> Result<Self, Failure> {
        let (rows, cols) = (rows.clamp(1, plane.rows().max(1)), cols.clamp(1, plane.cols().max(1)));
        let mut cells = vec![Sum::default(); rows * cols];
        let mut all = Statistics { elements: plane.rows() * plane.cols(), ..Statistics::default() };
        let (mut min, mut max, mut sum) = (f64::INFINITY, f64::NEG_INFINITY, 0.0);
        let (row_of, col_of) = (Blocks::new(plane.rows(), rows), Blocks::new(plane.cols(), cols));
        plane.for_each(|row, col, x| {
            let cell = &mut cells[row_of.block(row) * cols + col_of.block(col)];
            if x.is_finite() {
                cell.finite += x;
                cell.count += 1;
                (min, max, sum) = (min.min(x), max.max(x), sum + x);
            } else if x.is_nan() {
                cell.nan = true;
                all.nan += 1;
            } else {
                cell.infinities += if x > 0.0 { 1 } else { -1 };
                all.infinite += 1;
            }
        })?;
        let finite = all.elements - all.nan - all.infinite;
        if finite > 0 {
            (all.min, all.max) = (Some(min), Some(max));
            all.mean = Some(sum / finite as f64);
        }
        Ok(Self { rows, cols, statistics: all, cells })
    }

    pub(crate) fn shade(&self, row: usize, col: usize) -> Shade {
        let Sum { finite, count, nan, infinities } = self.cells[row * self.cols + col];
        if nan {
            return Shade::Nan;
        }
        if count == 0 || infinities != 0 {
            return Shade::Value(if infinities < 0 { 0.0 } else { 1.0 });
        }
        let (min, max) = (self.statistics.min.unwrap_or(0.0), self.statistics.max.unwrap_or(0.0));
        // Half of each: the difference of the largest numbers is no number.
        let (low, range) = (min / 2.0, max / 2.0 - min / 2.0);
        let mean = finite / f64::from(count);
        let share = if range > 0.0 { (mean / 2.0 - low) / range } else { 0.5 };
        // A sum of the largest numbers is no number either.
        Shade::Value(if share.is_nan() { 0.5 } else { share.clamp(0.0, 1.0) })
    }
}

/// An axis in blocks of nearly one length.
struct Blocks {
    per_element: f64,
    last: usize,
}

impl Blocks {
    fn new(len: usize, blocks: usize) -> Self {
        Self { per_element: blocks as f64 / len.max(1) as f64, last: blocks - 1 }
    }

    /// The one that an index belongs to. A multiplication: it is asked for each element.
    fn block(&self, index: usize) -> usize {
        ((index as f64 * self.per_element) as usize).min(self.last)
    }
}

/// How a plane is fitted into a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fit {
    /// Cells.
    pub(crate) rows: usize,
    pub(crate) cols: usize,
    /// Pixels of a cell.
    pub(crate) high: usize,
    pub(crate) wide: usize,
}

impl Fit {
    /// Into so many pixels; square elements, but that nothing becomes thinner than `least` pixels where
    /// there is room. No cell has more than `most` pixels on a side.
    pub(crate) fn new(
        plane: &Plane<'_>,
        (height, width): (usize, usize),
        least: usize,
        most: usize,
    ) -> Self {
        let (rows, cols) = (plane.rows().max(1), plane.cols().max(1));
        let share = (height as f64 / rows as f64).min(width as f64 / cols as f64);
        let fit = |len: usize, room: usize| {
            if share >= 1.0 {
                return (len, (share as usize).clamp(1, most));
            }
            let scaled = (len as f64 * share).round() as usize;
            (scaled.max(least.min(len)).min(room).max(1), 1)
        };
        let ((rows, high), (cols, wide)) = (fit(rows, height), fit(cols, width));
        let thick = |cells: usize, pixels: usize| pixels.max(least / cells.max(1)).max(1);
        Self { rows, cols, high: thick(rows, high), wide: thick(cols, wide) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_cover_all_and_are_even() {
        for (len, n) in [(1, 1), (7, 3), (1000, 80), (5, 5), (9_991, 77)] {
            let blocks = Blocks::new(len, n);
            let of: Vec<_> = (0..len).map(|i| blocks.block(i)).collect();
            assert_eq!((of[0], of[len - 1]), (0, n - 1));
            assert!(of.is_sorted());
            let sizes: Vec<_> = (0..n).map(|b| of.iter().filter(|&&of| of == b).count()).collect();
            assert!(sizes.iter().max().unwrap() - sizes.iter().min().unwrap() <= 1, "{sizes:?}");
        }
    }

    #[test]
    fn numbers_are_short() {
        for (x, text) in
            [(0.0, "0"), (-0.0, "0"), (1.5, "1.5"), (1234.567, "1234.57"), (1e9, "1.000e9")]
        {
            assert_eq!(short(x), text);
        }
    }
}
