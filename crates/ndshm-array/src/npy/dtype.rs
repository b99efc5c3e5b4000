//! Element types by the names NumPy gives them.

use std::borrow::Cow;
use std::fmt;

use super::compound::{ArrayDtype, StructDtype};
use super::{HeaderError, descr};

/// An element type that an array here may have.
///
/// ```
/// use ndshm_array::npy::Dtype;
///
/// let dtype = Dtype::from_descr("<c16")?;
/// assert_eq!(dtype, Dtype::C128);
/// assert_eq!((dtype.size(), &*dtype.descr()), (16, "<c16"));
/// assert_eq!(dtype.to_string(), "complex128");
/// # Ok::<(), ndshm_array::npy::HeaderError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Dtype {
    /// [`Bool8`](crate::Bool8), NumPy's `bool`.
    Bool,
    /// `i8`, NumPy's `int8`.
    I8,
    /// `i16`, NumPy's `int16`.
    I16,
    /// `i32`, NumPy's `int32`.
    I32,
    /// `i64`, NumPy's `int64`.
    I64,
    /// `u8`, NumPy's `uint8`.
    U8,
    /// `u16`, NumPy's `uint16`.
    U16,
    /// `u32`, NumPy's `uint32`.
    U32,
    /// `u64`, NumPy's `uint64`.
    U64,
    /// `half::f16`, NumPy's `float16`.
    F16,
    /// `f32`, NumPy's `float32`.
    F32,
    /// `f64`, NumPy's `float64`.
    F64,
    /// `Complex<f32>`, NumPy's `complex64`.
    C64,
    /// `Complex<f64>`, NumPy's `complex128`.
    C128,
    /// `[T; N]`, NumPy's subarray dtype.
    Array(ArrayDtype),
    /// A struct with `#[derive(Element)]`, NumPy's structured dtype.
    Struct(StructDtype),
}

impl Dtype {
    /// Every plain element type: those that are one number.
    ///
    /// ```
    /// # use ndshm_array::npy::Dtype;
    /// assert!(Dtype::ALL.into_iter().all(|dtype| dtype.size() <= 16 && dtype.is_plain()));
    /// ```
    pub const ALL: [Dtype; 14] = [
        Dtype::Bool,
        Dtype::I8,
        Dtype::I16,
        Dtype::I32,
        Dtype::I64,
        Dtype::U8,
        Dtype::U16,
        Dtype::U32,
        Dtype::U64,
        Dtype::F16,
        Dtype::F32,
        Dtype::F64,
        Dtype::C64,
        Dtype::C128,
    ];

    /// The element type that an NPY `descr` names: of a plain type without the quotes that it has in the file, of a
    /// structured one the list.
    ///
    /// `<` and `=` (native) mean little-endian; `|` (no byte order) is understood for one-byte types, as are the others.
    ///
    /// # Errors
    ///
    /// [`HeaderError::BigEndian`], [`HeaderError::Object`], [`HeaderError::UnsupportedDtype`] or
    /// [`HeaderError::Structured`], which say how to convert the file.
    ///
    /// ```
    /// use ndshm_array::npy::{Dtype, HeaderError};
    ///
    /// assert_eq!(Dtype::from_descr("<i4")?, Dtype::I32);
    /// assert_eq!(Dtype::from_descr("[('t', '<f8'), ('n', '|u1')]")?.size(), 9);
    /// assert!(matches!(Dtype::from_descr(">i4"), Err(HeaderError::BigEndian(_))));
    /// # Ok::<(), ndshm_array::npy::HeaderError>(())
    /// ```
    pub fn from_descr(descr: &str) -> Result<Self, HeaderError> {
        if descr.starts_with('[') { descr::parsed(descr) } else { Self::plain(descr) }
    }

    /// The plain type of that description.
    pub(super) fn plain(descr: &str) -> Result<Self, HeaderError> {
        let unsupported = || HeaderError::UnsupportedDtype(shortened(descr));
        let mut chars = descr.chars();
        let order = chars.next().ok_or_else(unsupported)?;
        let code = chars.as_str();
        if code == "O" || code == "O8" || descr == "O" {
            return Err(HeaderError::Object);
        }
        let known = Self::ALL
            .into_iter()
            .find(|dtype| dtype.plain_descr().is_some_and(|known| &known[1..] == code))
            .ok_or_else(unsupported)?;
        match order {
            '<' | '=' => Ok(known),
            '|' | '>' if known.size() == 1 => Ok(known),
            '>' => Err(HeaderError::BigEndian(shortened(descr))),
            _ => Err(unsupported()),
        }
    }

    /// The `descr` that NumPy writes for this type on a little-endian machine; of a structured type the list of its fields.
    ///
    /// NumPy cannot read a file whose `descr` is a subarray, so that of a `[T; N]` is a structured type with this as its only
    /// field, `f0`: what NumPy calls a field that has no name.
    ///
    /// ```
    /// use ndshm_array::{Element, npy::Dtype};
    ///
    /// assert_eq!(Dtype::F64.descr(), "<f8");
    /// assert_eq!(Dtype::U8.descr(), "|u1");
    /// assert_eq!(<[f32; 3]>::DTYPE.descr(), "[('f0', '<f4', (3,))]");
    /// ```
    #[must_use]
    pub fn descr(&self) -> Cow<'static, str> {
        match self.plain_descr() {
            Some(plain) => Cow::Borrowed(plain),
            None => Cow::Owned(descr::text(self)),
        }
    }

    /// That of a plain type.
    pub(super) const fn plain_descr(&self) -> Option<&'static str> {
        Some(match self {
            Dtype::Bool => "|b1",
            Dtype::I8 => "|i1",
            Dtype::I16 => "<i2",
            Dtype::I32 => "<i4",
            Dtype::I64 => "<i8",
            Dtype::U8 => "|u1",
            Dtype::U16 => "<u2",
            Dtype::U32 => "<u4",
            Dtype::U64 => "<u8",
            Dtype::F16 => "<f2",
            Dtype::F32 => "<f4",
            Dtype::F64 => "<f8",
            Dtype::C64 => "<c8",
            Dtype::C128 => "<c16",
            Dtype::Array(_) | Dtype::Struct(_) => return None,
        })
    }

    /// NumPy's name of the type, such as `float64`; `void` for whatever is made of several. [`Display`](fmt::Display)
    /// gives the [`descr`](Self::descr) of those.
    ///
    /// ```
    /// # use ndshm_array::{Element, npy::Dtype};
    /// assert_eq!(Dtype::I16.name(), "int16");
    /// assert_eq!(<[f32; 3]>::DTYPE.name(), "void");
    /// assert_eq!(<[f32; 3]>::DTYPE.to_string(), "[('f0', '<f4', (3,))]");
    /// ```
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Dtype::Bool => "bool",
            Dtype::I8 => "int8",
            Dtype::I16 => "int16",
            Dtype::I32 => "int32",
            Dtype::I64 => "int64",
            Dtype::U8 => "uint8",
            Dtype::U16 => "uint16",
            Dtype::U32 => "uint32",
            Dtype::U64 => "uint64",
            Dtype::F16 => "float16",
            Dtype::F32 => "float32",
            Dtype::F64 => "float64",
            Dtype::C64 => "complex64",
            Dtype::C128 => "complex128",
            Dtype::Array(_) | Dtype::Struct(_) => "void",
        }
    }

    /// Bytes of one element; never 0.
    ///
    /// ```
    /// # use ndshm_array::npy::Dtype;
    /// assert_eq!(Dtype::F32.size(), 4);
    /// ```
    #[must_use]
    pub const fn size(&self) -> usize {
        match self {
            Dtype::Bool | Dtype::I8 | Dtype::U8 => 1,
            Dtype::I16 | Dtype::U16 | Dtype::F16 => 2,
            Dtype::I32 | Dtype::U32 | Dtype::F32 => 4,
            Dtype::I64 | Dtype::U64 | Dtype::F64 | Dtype::C64 => 8,
            Dtype::C128 => 16,
            Dtype::Array(array) => array.size(),
            Dtype::Struct(structure) => structure.size(),
        }
    }

    /// Whether the elements are complex numbers.
    ///
    /// ```
    /// # use ndshm_array::npy::Dtype;
    /// assert!(Dtype::C64.is_complex() && !Dtype::F64.is_complex());
    /// ```
    #[must_use]
    pub const fn is_complex(&self) -> bool {
        matches!(self, Dtype::C64 | Dtype::C128)
    }

    /// Whether an element is one number, and no array or struct of them.
    ///
    /// ```
    /// # use ndshm_array::{Element, npy::Dtype};
    /// assert!(Dtype::C64.is_plain() && !<[f64; 2]>::DTYPE.is_plain());
    /// ```
    #[must_use]
    pub const fn is_plain(&self) -> bool {
        self.plain_descr().is_some()
    }
}

impl fmt::Display for Dtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&if self.is_plain() { Cow::Borrowed(self.name()) } else { self.descr() })
    }
}

/// Text from a file, made fit for a one-line message.
pub(super) fn shortened(text: &str) -> String {
    const LONGEST: usize = 40;
    let mut out: String = text.chars().take(LONGEST).flat_map(char::escape_debug).collect();
    if text.chars().nth(LONGEST).is_some() {
        out.push('…');
    }
    out
}
