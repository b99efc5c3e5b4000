//! The header of a live array: fixed size, one field that a single store can change.

use std::fmt::Write as _;
use std::ops::Range;

use super::dtype::shortened;
use super::{Dtype, EncodeError};

/// Bytes of a header written here: one page, so that the elements after it begin on a page boundary.
///
/// ```
/// use ndshm_array::npy::{Dtype, HEADER_LEN, NpyHeader, Order};
///
/// let header = NpyHeader { dtype: Dtype::F64, order: Order::C, shape: vec![2, 3] };
/// assert_eq!(header.encode()?.len(), HEADER_LEN);
/// # Ok::<(), ndshm_array::npy::EncodeError>(())
/// ```
pub const HEADER_LEN: usize = 4096;

/// The most axes that NumPy allows.
///
/// ```
/// use ndshm_array::npy::{Dtype, EncodeError, MAX_AXES, NpyHeader, Order};
///
/// let header = NpyHeader { dtype: Dtype::F64, order: Order::C, shape: vec![1; MAX_AXES + 1] };
/// assert_eq!(header.encode(), Err(EncodeError::TooManyAxes(65)));
/// ```
pub const MAX_AXES: usize = 64;

/// How many structs may nest: what [`decode`](NpyHeader::decode) reads back.
pub(super) const MAX_STRUCTS: usize = 4;

/// Magic string, version 1.0, and the length of what follows those ten bytes.
pub(super) const PREFIX: [u8; 10] = {
    let len = ((HEADER_LEN - 10) as u16).to_le_bytes();
    [0x93, b'N', b'U', b'M', b'P', b'Y', 1, 0, len[0], len[1]]
};

/// Width and alignment of the field of the slowest axis.
const FIELD: usize = 8;

/// In which order the elements lie in memory.
///
/// ```
/// use ndarray::ShapeBuilder;
/// use ndshm_array::{SharedArray2, npy::Order};
///
/// assert_eq!(SharedArray2::<f64>::zeros((2, 3))?.order(), Order::C);
/// assert_eq!(SharedArray2::<f64>::zeros((2, 3).f())?.order(), Order::F);
/// # Ok::<(), ndshm_array::CreateError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Order {
    /// Row-major, C order: the last axis is the fastest.
    #[default]
    C,
    /// Column-major, Fortran order: the first axis is the fastest.
    F,
}

/// What an NPY header says: element type, memory order, shape.
///
/// ```
/// use ndshm_array::npy::{Dtype, HEADER_LEN, NpyHeader, Order};
///
/// let header = NpyHeader { dtype: Dtype::F64, order: Order::C, shape: vec![2000, 300] };
/// let bytes = header.encode()?;
/// assert!(bytes.starts_with(b"\x93NUMPY\x01\x00"));
/// assert_eq!(bytes[HEADER_LEN - 1], b'\n');
///
/// // The first axis is the slowest one here; its field is where one 8-byte store can reach it.
/// let field = header.slowest_axis_field().expect("2000 has at most 8 digits");
/// assert_eq!((&bytes[field.clone()], field.start % 8), (&b"    2000"[..], 0));
///
/// let (decoded, data_offset) = NpyHeader::decode(&bytes[..])?;
/// assert_eq!((decoded, data_offset), (header, 4096));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct NpyHeader {
    /// The element type.
    pub dtype: Dtype,
    /// The memory order.
    pub order: Order,
    /// The length of each axis.
    pub shape: Vec<usize>,
}

impl NpyHeader {
    /// The header as [`HEADER_LEN`] bytes of NPY version 1.0: the dictionary as NumPy writes it, padded with spaces, with a
    /// newline as the last byte.
    ///
    /// The number of the slowest axis stands in the field that [`slowest_axis_field`](Self::slowest_axis_field) names.
    ///
    /// # Errors
    ///
    /// [`EncodeError`] when there are more axes than NumPy allows, or the element type has names, depths or a number of fields
    /// that a header cannot have.
    ///
    /// ```
    /// use ndshm_array::npy::{Dtype, NpyHeader, Order};
    ///
    /// let bytes = NpyHeader { dtype: Dtype::F64, order: Order::F, shape: vec![2, 3] }.encode()?;
    /// let text = String::from_utf8_lossy(&bytes[10..]);
    /// assert!(text.starts_with("{'descr': '<f8', 'fortran_order': True, 'shape': (2,"));
    /// # Ok::<(), ndshm_array::npy::EncodeError>(())
    /// ```
    pub fn encode(&self) -> Result<[u8; HEADER_LEN], EncodeError> {
        if self.shape.len() > MAX_AXES {
            return Err(EncodeError::TooManyAxes(self.shape.len()));
        }
        check_type(&self.dtype, 0)?;
        let (text, _) = self.text();
        // The last byte is the newline.
        let room = HEADER_LEN - PREFIX.len() - 1;
        if text.len() > room {
            return Err(EncodeError::TooLong(text.len(), room));
        }
        let mut bytes = [b' '; HEADER_LEN];
        bytes[..PREFIX.len()].copy_from_slice(&PREFIX);
        bytes[PREFIX.len()..PREFIX.len() + text.len()].copy_from_slice(text.as_bytes());
        bytes[HEADER_LEN - 1] = b'\n';
        Ok(bytes)
    }

    /// Where in the header the length of the slowest axis stands: the first axis in C order, the last in Fortran order.
    ///
    /// The field begins at a multiple of 8 from the start of the file and is 8 bytes wide; the number is decimal, with
    /// spaces on its left. One aligned 8-byte store of [`format_slowest_axis`](Self::format_slowest_axis) therefore
    /// changes the shape such that a reader sees the old one or the new one, never a mixture.
    ///
    /// `None` when there is no axis, or when the number has more than 8 digits: it then stands in the text like the others.
    ///
    /// ```
    /// use ndshm_array::npy::{Dtype, NpyHeader, Order};
    ///
    /// let header = NpyHeader { dtype: Dtype::F64, order: Order::C, shape: vec![2000, 300] };
    /// let field = header.slowest_axis_field().expect("2000 has at most 8 digits");
    /// assert_eq!((field.start % 8, field.len()), (0, 8));
    /// assert_eq!(&header.encode()?[field], b"    2000");
    /// # Ok::<(), ndshm_array::npy::EncodeError>(())
    /// ```
    #[must_use]
    pub fn slowest_axis_field(&self) -> Option<Range<usize>> {
        self.text().1
    }

    /// The 8 bytes to store in the field of the slowest axis; `None` when `len` has more than 8 digits.
    ///
    /// ```
    /// use ndshm_array::npy::NpyHeader;
    ///
    /// assert_eq!(NpyHeader::format_slowest_axis(1234), Some(*b"    1234"));
    /// assert_eq!(NpyHeader::format_slowest_axis(123_456_789), None);
    /// ```
    #[must_use]
    pub fn format_slowest_axis(len: usize) -> Option<[u8; 8]> {
        format!("{len:>FIELD$}").into_bytes().try_into().ok()
    }

    /// How many elements there are; `None` when the shape overflows.
    ///
    /// Zero-length axes do not hide an overflow of the others, as ndarray and NumPy demand of a shape.
    ///
    /// ```
    /// use ndshm_array::npy::{Dtype, NpyHeader, Order};
    ///
    /// let header = |shape: &[usize]| NpyHeader { dtype: Dtype::F64, order: Order::C, shape: shape.to_vec() };
    /// assert_eq!(header(&[20, 30]).elements(), Some(600));
    /// assert_eq!(header(&[]).elements(), Some(1));
    /// assert_eq!(header(&[0, 30]).elements(), Some(0));
    /// assert_eq!(header(&[0, 1 << 40, 1 << 40]).elements(), None);
    /// ```
    #[must_use]
    pub fn elements(&self) -> Option<usize> {
        self.times_shape(1)
    }

    /// How many bytes the elements take; `None` when that overflows.
    ///
    /// ```
    /// use ndshm_array::npy::{Dtype, NpyHeader, Order};
    ///
    /// let header = NpyHeader { dtype: Dtype::C128, order: Order::F, shape: vec![20, 30] };
    /// assert_eq!(header.data_bytes(), Some(9600));
    /// ```
    #[must_use]
    pub fn data_bytes(&self) -> Option<usize> {
        self.times_shape(self.dtype.size())
    }

    /// `size` times every axis; `None` when the product of what is not zero exceeds `isize::MAX`.
    fn times_shape(&self, size: usize) -> Option<usize> {
        let mut nonzero = self.shape.iter().filter(|&&axis| axis != 0);
        let product = nonzero.try_fold(size, |product, &axis| product.checked_mul(axis))?;
        isize::try_from(product).ok()?;
        Some(if self.shape.contains(&0) { 0 } else { product })
    }

    /// The dictionary, and where (from the start of the file) the slowest axis stands in it.
    fn text(&self) -> (String, Option<Range<usize>>) {
        let fortran = match self.order {
            Order::C => "False",
            Order::F => "True",
        };
        let slowest = match self.order {
            Order::C => 0,
            Order::F => self.shape.len().wrapping_sub(1),
        };
        let quote = if self.dtype.is_plain() { "'" } else { "" };
        let descr = self.dtype.descr();
        let mut text =
            format!("{{'descr': {quote}{descr}{quote}, 'fortran_order': {fortran}, 'shape': (");
        let mut field = None;
        for (axis, &len) in self.shape.iter().enumerate() {
            if axis > 0 {
                text.push(' ');
            }
            let number = len.to_string();
            if axis == slowest && number.len() <= FIELD {
                let start = (PREFIX.len() + text.len()).next_multiple_of(FIELD);
                text.extend(std::iter::repeat_n(' ', start - PREFIX.len() - text.len()));
                let _ = write!(text, "{number:>FIELD$}");
                field = Some(start..start + FIELD);
            } else {
                text.push_str(&number);
            }
            // A tuple of one is written with a comma: (2000,).
            if axis + 1 < self.shape.len() || axis == 0 {
                text.push(',');
            }
        }
        text.push_str("), }");
        (text, field)
    }
}

/// Whether a header can name the type, `depth` structs deep in another.
fn check_type(dtype: &Dtype, depth: usize) -> Result<(), EncodeError> {
    match dtype {
        Dtype::Array(array) => check_type(array.base(), depth),
        Dtype::Struct(_) if depth == MAX_STRUCTS => Err(EncodeError::TooDeep),
        Dtype::Struct(structure) => structure.fields().iter().try_for_each(|field| {
            let name = field.name();
            let printable = name.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
            if name.is_empty() || !printable {
                return Err(EncodeError::FieldName(shortened(name)));
            }
            check_type(field.dtype(), depth + 1)
        }),
        _ => Ok(()),
    }
}
