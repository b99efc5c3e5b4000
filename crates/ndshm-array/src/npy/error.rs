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
    /// The header announces more bytes than any plain array needs.
    #[error(
        "the NPY header claims {0} bytes, more than any plain array needs; the file is damaged or has a structured dtype"
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
    /// The elements are records with named fields.
    #[error("structured dtypes are not supported; save one field at a time")]
    Structured,
    /// Another dtype that has no counterpart here.
    #[error(
        "dtype '{0}' is not supported; convert to an integer, float or complex dtype, for example with a.astype('f8')"
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
/// use ndshm_array::npy::{EncodeError, NpyHeader, Order};
///
/// let header = NpyHeader { descr: "[('x', '<f8')]".into(), order: Order::C, shape: vec![3] };
/// assert!(matches!(header.encode(), Err(EncodeError::Descr(_))));
/// ```
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum EncodeError {
    /// The dtype's description is not one that NumPy writes for a plain dtype.
    #[error("'{0}' is no dtype description; use one such as '<f8'")]
    Descr(String),
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
        wanted: String,
    },
    /// Complex elements were asked for as real numbers.
    #[error(
        "{}: the elements are {found}, real numbers are needed; save its real or its imaginary part, for example a.real",
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
        /// Bytes that the header announces, `None` when they overflow or the dtype is not known.
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
