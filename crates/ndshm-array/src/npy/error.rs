//! What can be wrong with a header or a file, and what to do about it.

use std::io;
use std::path::PathBuf;

use super::{Dtype, MAX_AXES};

/// Why bytes are not the header of an array that can be read here.
///
/// ```
/// use ndshm_array::npy::{Dtype, HeaderError};
///
/// let error = Dtype::from_descr("|O").unwrap_err();
/// assert!(matches!(error, HeaderError::Object));
/// assert!(error.to_string().ends_with("convert with a.astype(float)")); // what to do about it
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HeaderError {
    /// The bytes do not begin as an NPY file does.
    #[error("not an NPY file: it does not begin with \\x93NUMPY; write one with numpy.save")]
    NotNpy,
    /// The end came before the header did.
    #[error("truncated: it ends inside the NPY header; copy or save it again")]
    Truncated,
    /// A version of the format that is not 1.0, 2.0 or 3.0.
    #[error(
        "NPY format version {major}.{minor} is not known, only 1.0, 2.0 and 3.0 are; save it again with numpy.save"
    )]
    Version {
        /// The first number of the version.
        major: u8,
        /// The second number of the version.
        minor: u8,
    },
    /// The header announces more bytes than NumPy would read.
    #[error(
        "the NPY header claims {0} bytes, more than NumPy itself reads; the file is damaged, or its dtype has too many fields"
    )]
    TooLong(u64),
    /// The header's text is not the dictionary that the format prescribes.
    #[error("malformed NPY header: {0}; save it again with numpy.save")]
    Malformed(String),
    /// The elements are big-endian.
    #[error(
        "dtype '{0}' is big-endian, only little-endian is supported; convert with a.astype(a.dtype.newbyteorder('<'))"
    )]
    BigEndian(String),
    /// The elements are pickled Python objects.
    #[error(
        "dtype object holds pickled Python objects, which are never loaded; convert with a.astype(float)"
    )]
    Object,
    /// The elements are structs that cannot be described here.
    #[error("the structured dtype cannot be used: {0}; save one field at a time")]
    Structured(String),
    /// Another dtype that has no counterpart here.
    #[error(
        "dtype '{0}' is not supported; convert to a bool, integer, float or complex dtype, for example with a.astype('f8')"
    )]
    UnsupportedDtype(String),
    /// More axes than NumPy itself allows.
    #[error("{0} axes are more than the {MAX_AXES} that NumPy allows; the file is damaged")]
    TooManyAxes(usize),
    /// The shape, in bytes, is larger than memory can ever be.
    #[error("shape {0:?} overflows: more bytes than this machine can address; the file is damaged")]
    Overflow(Vec<usize>),
    /// Reading failed.
    #[error("cannot be read: {0}")]
    Io(#[from] io::Error),
}

/// Why a header cannot be written.
///
/// ```
/// use ndshm_array::npy::{Dtype, EncodeError, NpyHeader, Order};
///
/// let header = NpyHeader { dtype: Dtype::F64, order: Order::C, shape: vec![1; 65] };
/// assert_eq!(header.encode(), Err(EncodeError::TooManyAxes(65)));
/// ```
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum EncodeError {
    /// A field of the element type has a name that not every reader understands.
    #[error("field '{0}' has a name that cannot be written; use printable ASCII characters")]
    FieldName(String),
    /// Structs within structs within structs.
    #[error(
        "the element type has structs that nest deeper than can be read back; make them fields of the outer one"
    )]
    TooDeep,
    /// The element type has more fields than a header has room for.
    #[error(
        "the element type and the shape take {0} bytes in the NPY header, which has room for {1}; use fewer fields or shorter names"
    )]
    TooLong(usize, usize),
    /// More axes than NumPy allows.
    #[error("{0} axes are more than the {MAX_AXES} that NumPy allows; reshape to fewer")]
    TooManyAxes(usize),
}

/// Why a file on disk could not be opened, read or written. Every message begins with the path.
///
/// ```
/// use ndshm_array::npy::{NpyError, NpyFile};
///
/// let error = NpyFile::open("no/such/file.npy").unwrap_err();
/// assert!(matches!(error, NpyError::Open { .. }));
/// assert!(error.to_string().starts_with("no/such/file.npy: cannot be opened"));
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NpyError {
    /// The file cannot be opened.
    #[error("{}: cannot be opened: {source}; check the path and its permissions", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The path leads to a directory, a pipe or a device.
    #[error("{}: not a regular file; give the path of an .npy file", path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
    },
    /// The header is not one that can be used.
    #[error("{}: {source}", path.display())]
    Header {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: HeaderError,
    },
    /// The file ends before the elements do.
    #[error(
        "{}: truncated: header and elements take {needed} bytes, the file has {found}; copy or save it again",
        path.display()
    )]
    Truncated {
        /// The file.
        path: PathBuf,
        /// Bytes that header and elements take.
        needed: u64,
        /// Bytes that the file has.
        found: u64,
    },
    /// The elements are of another type than was asked for.
    #[error("{}: the elements are {found}, not {wanted}; convert the file or read it as {found}", path.display())]
    Dtype {
        /// The file.
        path: PathBuf,
        /// The type of the file's elements.
        found: Dtype,
        /// What was asked for.
        wanted: Dtype,
    },
    /// Elements that are no real numbers were asked for as such.
    #[error(
        "{}: the elements are {found}, real numbers are needed; save its real or its imaginary part, or one field: for example a.real",
        path.display()
    )]
    NotReal {
        /// The file.
        path: PathBuf,
        /// The type of the file's elements.
        found: Dtype,
    },
    /// The memory to read into has another number of elements than the file.
    #[error("{}: {given} elements of room for {elements} in the file; give exactly as much", path.display())]
    Room {
        /// The file.
        path: PathBuf,
        /// Elements in the file.
        elements: usize,
        /// Elements that there was room for.
        given: usize,
    },
    /// The file became shorter while it was read.
    #[error("{}: became shorter while it was read; let whoever writes it finish, then try again", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// Reading failed.
    #[error("{}: cannot be read: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The header to write is not valid.
    #[error("{}: cannot be written: {source}", path.display())]
    Encode {
        /// The file that was not written.
        path: PathBuf,
        /// What is wrong with the header.
        source: EncodeError,
    },
    /// The bytes to write are not as many as the header announces.
    #[error("{}: cannot be written: {given} bytes given, the header announces {needed:?}; correct the shape", path.display())]
    DataLength {
        /// The file that was not written.
        path: PathBuf,
        /// Bytes that the header announces, `None` when they overflow.
        needed: Option<usize>,
        /// Bytes that were given.
        given: usize,
    },
    /// Writing failed; what stood at the path before is untouched.
    #[error(
        "{}: cannot be written: {source}; check the folder, its permissions and free space",
        path.display()
    )]
    Write {
        /// The file that was not written.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}
