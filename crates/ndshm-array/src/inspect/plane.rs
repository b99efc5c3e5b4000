//! Elements by rows and columns, whatever the type, the order and the number of dimensions.

use std::io;
use std::os::unix::fs::FileExt;

use super::error::{InspectError, PickError};
use super::field;
use super::file::{ArrayContents, Contents, SegmentFile};
use super::number::Number;
use crate::npy::{Dtype, Order};

/// What to take along an axis, as NumPy's slices do: numbers below 0 count from the end.
///
/// ```
/// use ndshm_array::inspect::Pick;
///
/// assert_eq!(Pick::ALL, Pick::Range { start: None, end: None, step: 1 }); // `:`
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pick {
    /// One index; the axis is gone then.
    At(i64),
    /// `start:end:step`; what lies beyond the axis is cut off.
    Range {
        /// The first; without it from the start.
        start: Option<i64>,
        /// The one after the last; without it to the end.
        end: Option<i64>,
        /// Every how many.
        step: usize,
    },
}

impl Pick {
    /// The whole axis.
    ///
    /// ```
    /// # use ndshm_array::{SharedArray1, inspect::{Pick, SegmentFile}};
    /// # let dir = tempfile::tempdir()?;
    /// # let path = dir.path().join("a.npy");
    /// # SharedArray1::<f64>::zeros(3)?.save(&path)?;
    /// let file = SegmentFile::open(&path)?; // of three elements
    /// assert_eq!(file.plane(&[Pick::ALL])?.cols(), 3);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub const ALL: Self = Self::Range { start: None, end: None, step: 1 };
}

/// What is picked along an axis.
#[derive(Clone, Copy, Debug)]
struct Span {
    start: usize,
    len: usize,
    step: usize,
    /// Bytes from one that is picked to the next.
    stride: u64,
}

impl Span {
    /// Where there is no axis: one element.
    const ONE: Self = Self { start: 0, len: 1, step: 1, stride: 0 };

    fn index(self, i: usize) -> usize {
        self.start + i * self.step
    }
}

/// A plane of an array: two axes, or one (a single row), or none (one element). Made by
/// [`SegmentFile::plane`]; nothing is read before it is asked for.
///
/// ```
/// use ndshm_array::{SharedArray, inspect::{Number, Pick, SegmentFile}};
///
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("a.npy");
/// SharedArray::from_array(&ndarray::arr2(&[[1_u8, 2, 3], [4, 5, 6]]))?.save(&path)?;
/// let file = SegmentFile::open(&path)?;
/// let plane = file.plane(&[Pick::ALL, Pick::Range { start: Some(-2), end: None, step: 1 }])?;
/// assert_eq!((plane.rows(), plane.cols()), (2, 2));
/// assert_eq!(plane.number(1, 0)?, Number::Unsigned(5));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Plane<'a> {
    file: &'a SegmentFile,
    /// # Invariants
    ///
    /// 1. A plain type: that of the elements, or of a field of theirs.
    dtype: &'a Dtype,
    start: u64,
    axes: usize,
    rows: Span,
    cols: Span,
}

/// Bytes read at once.
const PIECE: usize = 64 << 10;

/// Where those that are wanted lie further apart, each is read for itself.
const SPARSE: u64 = 512;

impl SegmentFile {
    /// The plane that is left when one element is picked on every other axis; axes without a pick are
    /// taken whole.
    ///
    /// # Errors
    ///
    /// [`PickError`]: there is no array, an index is out of bounds, more than two axes are left, or the elements are not
    /// single numbers: see [`plane_of_field`](Self::plane_of_field).
    ///
    /// ```
    /// use ndshm_array::{SharedArray3, inspect::{Pick, PickError, SegmentFile}};
    ///
    /// # let dir = tempfile::tempdir()?;
    /// # let path = dir.path().join("a.npy");
    /// SharedArray3::<f64>::zeros((2, 3, 4))?.save(&path)?;
    /// let file = SegmentFile::open(&path)?;
    /// let plane = file.plane(&[Pick::At(-1)])?;
    /// assert_eq!((plane.rows(), plane.cols()), (3, 4));
    /// assert_eq!(file.plane(&[]).unwrap_err(), PickError::NoPlane { left: 3 });
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn plane(&self, picks: &[Pick]) -> Result<Plane<'_>, PickError> {
        self.plane_of_field("", picks)
    }

    /// The same of one field of elements that are structs or arrays: its name, and behind dots what is wanted within it,
    /// `x`, `position.0`, `spin.axis.2`.
    ///
    /// # Errors
    ///
    /// As [`plane`](Self::plane), and where there is no such field, or where it is no single number.
    ///
    /// ```
    /// use ndshm_array::{Element, SharedArray1, inspect::{Number, SegmentFile}};
    ///
    /// #[derive(Clone, Copy, Element)]
    /// #[repr(C)]
    /// struct Sample {
    ///     time: f64,
    ///     field: [f64; 3],
    /// }
    /// # let dir = tempfile::tempdir()?;
    /// # let path = dir.path().join("a.npy");
    /// SharedArray1::from_elem(9, Sample { time: 0.5, field: [1.0, 2.0, 3.0] })?.save(&path)?;
    /// let file = SegmentFile::open(&path)?;
    /// assert_eq!(file.plane_of_field("field.2", &[])?.number(0, 8)?, Number::Double(3.0));
    /// let error = file.plane(&[]).unwrap_err().to_string();
    /// assert!(error.ends_with("pick a field: time, field.0, field.1, field.2"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn plane_of_field(&self, field: &str, picks: &[Pick]) -> Result<Plane<'_>, PickError> {
        let Contents::Array(array) = self.contents() else {
            return Err(PickError::NoArray(self.contents().name()));
        };
        let (offset, dtype) = field::find(&array.dtype, field)?;
        let ndim = array.shape.len();
        if picks.len() > ndim {
            return Err(PickError::TooMany { given: picks.len(), ndim });
        }
        let (mut start, mut spans) = (array.data_offset + offset as u64, Vec::new());
        for (axis, (&len, stride)) in array.shape.iter().zip(strides(array)).enumerate() {
            match picks.get(axis).copied().unwrap_or(Pick::ALL) {
                Pick::At(index) => start += stride * at(axis, index, len)? as u64,
                Pick::Range { step: 0, .. } => return Err(PickError::Step { axis }),
                Pick::Range { start: first, end, step } => {
                    let from = first.map_or(0, |index| bound(index, len));
                    let to = end.map_or(len, |index| bound(index, len));
                    start += stride * from as u64;
                    let count = to.saturating_sub(from).div_ceil(step);
                    let stride = stride.saturating_mul(step as u64);
                    spans.push(Span { start: from, len: count, step, stride });
                }
            }
        }
        let (rows, cols) = match spans[..] {
            [] => (Span::ONE, Span::ONE),
            [cols] => (Span::ONE, cols),
            [rows, cols] => (rows, cols),
            _ => return Err(PickError::NoPlane { left: spans.len() }),
        };
        Ok(Plane { file: self, dtype, start, axes: spans.len(), rows, cols })
    }
}

/// Bytes from one index to the next, on each axis.
fn strides(array: &ArrayContents) -> Vec<u64> {
    let mut strides = vec![0; array.shape.len()];
    let mut stride = array.dtype.size() as u64;
    let mut grow = |axis: usize| {
        strides[axis] = stride;
        stride = stride.saturating_mul(array.shape[axis] as u64);
    };
    match array.order {
        Order::C => (0..array.shape.len()).rev().for_each(&mut grow),
        Order::F => (0..array.shape.len()).for_each(&mut grow),
    }
    strides
}

/// The index that is meant.
fn at(axis: usize, index: i64, len: usize) -> Result<usize, PickError> {
    let from_end = usize::try_from(index.unsigned_abs()).ok();
    let found = if index < 0 { from_end.and_then(|n| len.checked_sub(n)) } else { from_end };
    found.filter(|&i| i < len).ok_or(PickError::OutOfBounds { axis, index, len })
}

/// The end of a range that is meant, cut to what there is.
fn bound(index: i64, len: usize) -> usize {
    let from_end = usize::try_from(index.unsigned_abs()).unwrap_or(usize::MAX);
    if index < 0 { len.saturating_sub(from_end) } else { from_end.min(len) }
}

impl Plane<'_> {
    /// How many axes are left: 2, 1 (its elements are one row) or 0 (one element).
    ///
    /// ```
    /// # use ndshm_array::{SharedArray2, inspect::{Pick, SegmentFile}};
    /// # let dir = tempfile::tempdir()?;
    /// # let path = dir.path().join("a.npy");
    /// SharedArray2::<f64>::zeros((2, 3))?.save(&path)?;
    /// let file = SegmentFile::open(&path)?;
    /// let column = file.plane(&[Pick::ALL, Pick::At(0)])?;
    /// assert_eq!((column.axes(), column.rows(), column.cols()), (1, 1, 2));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn axes(&self) -> usize {
        self.axes
    }

    /// The type of what is picked: one number.
    ///
    /// ```
    /// # use ndshm_array::{SharedArray2, inspect::SegmentFile};
    /// # let dir = tempfile::tempdir()?;
    /// # let path = dir.path().join("a.npy");
    /// SharedArray2::<[u16; 4]>::zeros((2, 3))?.save(&path)?;
    /// let file = SegmentFile::open(&path)?;
    /// assert_eq!(file.plane_of_field("f0.3", &[])?.dtype().name(), "uint16");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn dtype(&self) -> &Dtype {
        self.dtype
    }

    /// How many rows are picked.
    ///
    /// ```
    /// # use ndshm_array::{SharedArray2, inspect::SegmentFile};
    /// # let dir = tempfile::tempdir()?;
    /// # let path = dir.path().join("a.npy");
    /// SharedArray2::<f64>::zeros((2, 3))?.save(&path)?;
    /// assert_eq!(SegmentFile::open(&path)?.plane(&[])?.rows(), 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn rows(&self) -> usize {
        self.rows.len
    }

    /// How many columns are picked.
    ///
    /// ```
    /// # use ndshm_array::{SharedArray2, inspect::SegmentFile};
    /// # let dir = tempfile::tempdir()?;
    /// # let path = dir.path().join("a.npy");
    /// SharedArray2::<f64>::zeros((2, 3))?.save(&path)?;
    /// assert_eq!(SegmentFile::open(&path)?.plane(&[])?.cols(), 3);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn cols(&self) -> usize {
        self.cols.len
    }

    /// Which index of the array a row, and which a column of the plane stands for.
    ///
    /// ```
    /// # use ndshm_array::{SharedArray2, inspect::{Pick, SegmentFile}};
    /// # let dir = tempfile::tempdir()?;
    /// # let path = dir.path().join("a.npy");
    /// SharedArray2::<f64>::zeros((20, 3))?.save(&path)?;
    /// let file = SegmentFile::open(&path)?;
    /// let plane = file.plane(&[Pick::Range { start: Some(4), end: None, step: 5 }])?;
    /// assert_eq!(plane.indices(2, 1), (14, 1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn indices(&self, row: usize, col: usize) -> (usize, usize) {
        (self.rows.index(row), self.cols.index(col))
    }

    /// One element, read now. A system call.
    ///
    /// # Errors
    ///
    /// [`InspectError::Read`], where there is no such row or column too.
    ///
    /// ```
    /// # use ndshm_array::{SharedArray2, inspect::{Number, SegmentFile}};
    /// # let dir = tempfile::tempdir()?;
    /// # let path = dir.path().join("a.npy");
    /// SharedArray2::<f64>::from_elem((2, 3), 0.5)?.save(&path)?;
    /// let file = SegmentFile::open(&path)?;
    /// assert_eq!(file.plane(&[])?.number(1, 2)?, Number::Double(0.5));
    /// assert!(file.plane(&[])?.number(2, 2).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn number(&self, row: usize, col: usize) -> Result<Number, InspectError> {
        if row >= self.rows.len || col >= self.cols.len {
            let beyond = format!("there is no element at row {row}, column {col} of the plane");
            return Err(self.file.read_error(io::Error::new(io::ErrorKind::InvalidInput, beyond)));
        }
        let mut bytes = [0; 16];
        let bytes = &mut bytes[..self.dtype.size()];
        let at = self.start + row as u64 * self.rows.stride + col as u64 * self.cols.stride;
        self.file.read_at(bytes, at)?;
        Ok(Number::decode(self.dtype, bytes))
    }

    /// All elements as real numbers ([`Number::to_f64`]), each with its row and column in the plane, in
    /// the order in which they lie in the file. Reads the file once, in pieces.
    ///
    /// # Errors
    ///
    /// [`InspectError::Read`]; what was read before was visited.
    ///
    /// ```
    /// # use ndshm_array::{SharedArray2, inspect::SegmentFile};
    /// # let dir = tempfile::tempdir()?;
    /// # let path = dir.path().join("a.npy");
    /// SharedArray2::<i32>::from_elem((200, 300), 2)?.save(&path)?;
    /// let mut sum = 0.0;
    /// SegmentFile::open(&path)?.plane(&[])?.for_each(|_row, _col, x| sum += x)?;
    /// assert_eq!(sum, 120_000.0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn for_each(&self, mut visit: impl FnMut(usize, usize, f64)) -> Result<(), InspectError> {
        let by_row = self.cols.stride <= self.rows.stride || self.rows.len == 1;
        let (lines, along) = if by_row { (self.rows, self.cols) } else { (self.cols, self.rows) };
        if lines.len == 0 || along.len == 0 {
            return Ok(());
        }
        // Lines that follow each other without a gap are read as one.
        let whole = lines.len == 1 || lines.stride == along.stride * along.len as u64;
        let (count, len) = if whole { (1, lines.len * along.len) } else { (lines.len, along.len) };
        let mut bytes = vec![0; PIECE];
        for line in 0..count {
            let start = self.start + line as u64 * lines.stride;
            self.line(&mut bytes, start, along.stride, len, |i, x| {
                let (line, i) = if whole { (i / along.len, i % along.len) } else { (line, i) };
                if by_row { visit(line, i, x) } else { visit(i, line, x) }
            })?;
        }
        Ok(())
    }

    /// Visits `len` elements, `stride` bytes apart.
    fn line(
        &self,
        bytes: &mut [u8],
        start: u64,
        stride: u64,
        len: usize,
        mut visit: impl FnMut(usize, f64),
    ) -> Result<(), InspectError> {
        let (dtype, size) = (self.dtype, self.dtype.size());
        let per_piece = if stride > SPARSE {
            1
        } else {
            // At least one: a piece is longer than any element and any such stride.
            1 + (bytes.len() - size) / (stride as usize).max(size)
        };
        let mut done = 0;
        while done < len {
            let n = per_piece.min(len - done);
            let span = if n == 1 { size } else { (n - 1) * stride as usize + size };
            let at = start + done as u64 * stride;
            let read = self.file.file.read_exact_at(&mut bytes[..span], at);
            read.map_err(|e| self.file.read_error(e))?;
            for i in 0..n {
                let element = &bytes[i * stride as usize..][..size];
                visit(done + i, Number::decode(dtype, element).to_f64());
            }
            done += n;
        }
        Ok(())
    }
}
