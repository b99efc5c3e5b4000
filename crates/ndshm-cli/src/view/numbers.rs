//! The elements as text, as NumPy prints them: those at the edges, where there are many.

use ndshm_array::inspect::{Number, Plane};

use crate::cli::View;
use crate::outcome::Failure;

/// So many elements are shown whole, as by NumPy, if they are not more rows than these.
const THRESHOLD: usize = 1000;
const ROWS: usize = 30;

/// Rows or columns shown at each edge.
pub(super) const EDGE: usize = 3;

/// What of an axis is shown.
pub(super) struct Edges {
    len: usize,
    /// At each end; `None` for all.
    edge: Option<usize>,
}

impl Edges {
    pub(super) const fn new(len: usize, all: bool, edge: usize) -> Self {
        Self { len, edge: if all || len <= 2 * edge { None } else { Some(edge) } }
    }

    /// The positions that are shown.
    pub(super) fn shown(&self) -> Vec<usize> {
        match self.edge {
            None => (0..self.len).collect(),
            Some(edge) => (0..edge).chain(self.len - edge..self.len).collect(),
        }
    }

    /// Before which of them something is left out.
    fn gap(&self) -> Option<usize> {
        self.edge
    }
}

/// The plane in NumPy's brackets, a pair for each axis.
pub(super) fn text(plane: &Plane<'_>, given: &View, width: usize) -> Result<String, Failure> {
    let (rows, cols) = (plane.rows(), plane.cols());
    let whole = given.all || rows.saturating_mul(cols) <= THRESHOLD && rows <= ROWS;
    let mut rows = Edges::new(rows, whole, EDGE);
    // The widest that fits: all columns, or as many at the edges as there is room for.
    let candidates = whole.then(|| Edges::new(cols, true, 0)).into_iter();
    let mut candidates =
        candidates.chain((1..=EDGE).rev().map(|edge| Edges::new(cols, false, edge)));
    let mut shown = candidates.next().map_or_else(Vec::new, |cols| vec![cols]);
    let mut lines = lines(plane, &rows, &shown[0], given.precision)?;
    while !given.all && lines.iter().any(|line| line.chars().count() > width) {
        let Some(fewer) = candidates.next() else { break };
        rows = Edges::new(plane.rows(), whole, EDGE);
        lines = self::lines(plane, &rows, &fewer, given.precision)?;
        shown[0] = fewer;
    }
    Ok(lines.join("\n") + "\n")
}

fn lines(
    plane: &Plane<'_>,
    rows: &Edges,
    cols: &Edges,
    precision: u8,
) -> Result<Vec<String>, Failure> {
    let (at_rows, at_cols) = (rows.shown(), cols.shown());
    let mut numbers = Vec::with_capacity(at_rows.len() * at_cols.len());
    for &row in &at_rows {
        for &col in &at_cols {
            numbers.push(plane.number(row, col)?);
        }
    }
    let texts = Format::of(&numbers, usize::from(precision)).texts(&numbers);
    let width = texts.iter().map(|text| text.chars().count()).max().unwrap_or(0);
    let mut lines = Vec::new();
    let last = at_rows.len().saturating_sub(1);
    for i in 0..at_rows.len().max(1) {
        if i > 0 && rows.gap() == Some(i) {
            lines.push(" ...".to_owned());
        }
        let texts = texts.get(i * at_cols.len()..(i + 1) * at_cols.len()).unwrap_or_default();
        let mut parts: Vec<_> = texts.iter().map(|text| format!("{text:>width$}")).collect();
        if let Some(gap) = cols.gap() {
            parts.insert(gap, "...".to_owned());
        }
        let (open, close) = match plane.axes() {
            0 => ("", ""),
            1 => ("[", "]"),
            _ => (if i == 0 { "[[" } else { " [" }, if i == last { "]]" } else { "]" }),
        };
        lines.push(format!("{open}{}{close}", parts.join(" ")));
    }
    Ok(lines)
}

/// How real numbers are written: one way for all that are shown, as NumPy does.
#[derive(Clone, Copy, Debug)]
struct Format {
    exponents: bool,
    precision: usize,
}

impl Format {
    fn of(numbers: &[Number], precision: usize) -> Self {
        let parts = numbers.iter().flat_map(|number| match *number {
            Number::Half(x) => [f64::from(x).abs(), 0.0],
            Number::Single(x) => [f64::from(x).abs(), 0.0],
            Number::Double(x) => [x.abs(), 0.0],
            Number::ComplexSingle(z) => [f64::from(z.re).abs(), f64::from(z.im).abs()],
            Number::ComplexDouble(z) => [z.re.abs(), z.im.abs()],
            _ => [0.0, 0.0],
        });
        let sizes = parts.filter(|size| size.is_finite() && *size != 0.0);
        let (min, max) =
            sizes.fold((f64::INFINITY, 0.0_f64), |(min, max), x| (min.min(x), max.max(x)));
        let exponents = max >= 1e8 || min < 1e-4 || max / min > 1e6;
        Self { exponents: max > 0.0 && exponents, precision }
    }

    fn texts(self, numbers: &[Number]) -> Vec<String> {
        let mut texts: Vec<_> = numbers.iter().map(|&number| self.text(number)).collect();
        let trimmable = |number: &Number| {
            matches!(number, Number::Half(_) | Number::Single(_) | Number::Double(_))
        };
        if !self.exponents && numbers.iter().all(trimmable) {
            // Zeros at the end that all of them have say nothing.
            while texts.iter().filter(|text| text.contains('.')).all(|text| text.ends_with('0'))
                && texts.iter().any(|text| text.contains('.'))
            {
                for text in texts.iter_mut().filter(|text| text.contains('.')) {
                    text.pop();
                }
            }
        }
        texts
    }

    fn text(self, number: Number) -> String {
        match number {
            Number::Bool(b) => if b { "True" } else { "False" }.to_owned(),
            Number::Signed(n) => n.to_string(),
            Number::Unsigned(n) => n.to_string(),
            Number::Half(x) => self.real(x.into()),
            Number::Single(x) => self.real(x.into()),
            Number::Double(x) => self.real(x),
            Number::ComplexSingle(z) => self.complex(z.re.into(), z.im.into()),
            Number::ComplexDouble(z) => self.complex(z.re, z.im),
            _ => "?".to_owned(),
        }
    }

    fn real(self, x: f64) -> String {
        let precision = self.precision;
        match x {
            _ if x.is_nan() => "nan".to_owned(),
            _ if x.is_infinite() => if x > 0.0 { "inf" } else { "-inf" }.to_owned(),
            _ if self.exponents => format!("{x:.precision$e}"),
            // A point always: so that it is no integer.
            _ if precision == 0 => format!("{x:.0}."),
            _ => format!("{x:.precision$}"),
        }
    }

    fn complex(self, re: f64, im: f64) -> String {
        let sign = if im.is_sign_negative() && !im.is_nan() { "" } else { "+" };
        format!("{}{sign}{}j", self.real(re), self.real(im))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_alike() {
        let texts = |numbers: &[f64]| {
            let numbers: Vec<_> = numbers.iter().map(|&x| Number::Double(x)).collect();
            Format::of(&numbers, 4).texts(&numbers)
        };
        assert_eq!(texts(&[1.0, 2.0]), ["1.", "2."]);
        assert_eq!(texts(&[1.0, 2.25, f64::NAN]), ["1.00", "2.25", "nan"]);
        assert_eq!(texts(&[1.0, 1e-9]), ["1.0000e0", "1.0000e-9"]);
        assert_eq!(texts(&[f64::NEG_INFINITY]), ["-inf"]);
        assert_eq!(texts(&[]), [""; 0]);
    }

    #[test]
    fn long_axes_are_cut_in_the_middle() {
        assert_eq!(Edges::new(7, false, 3).shown(), [0, 1, 2, 4, 5, 6]);
        assert_eq!(Edges::new(6, false, 3).shown(), [0, 1, 2, 3, 4, 5]);
        assert_eq!(Edges::new(7, true, 3).gap(), None);
    }
}
