//! Why an array was not made, opened or loaded.

use std::ops::Range;
use std::path::PathBuf;

use ndshm_sync::JoinError;

use crate::format::FormatError;
use crate::npy::{Dtype, EncodeError, HeaderError, NpyError};

/// Why an array could not be made.
///
/// ```
/// use ndshm_array::{CreateError, SharedArray2};
///
/// let error = SharedArray2::<f64>::zeros((1 << 40, 1 << 40)).unwrap_err();
/// assert!(matches!(error, CreateError::Shape { .. }));
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CreateError {
    /// The shape has more bytes than a machine can address.
    #[error(
        "cannot make an array of shape {shape:?}: its size in bytes overflows; ask for fewer elements"
    )]
    Shape {
        /// The shape.
        shape: Vec<usize>,
    },
    /// With header and control area it would.
    #[error(
        "cannot make an array of {bytes} bytes: with its control area the size overflows; ask for \
         fewer elements"
    )]
    TooLarge {
        /// Bytes of its data.
        bytes: usize,
    },
    /// An array of this shape cannot be [appended to](crate::AppendArray).
    #[error("cannot make an array of shape {shape:?} to append to: {why}")]
    Append {
        /// The shape, with the capacity along the first axis.
        shape: Vec<usize>,
        /// What is in the way.
        why: &'static str,
    },
    /// The shape cannot be written in an NPY header.
    #[error(transparent)]
    Header(#[from] EncodeError),
    /// The memory could not be had.
    #[error(transparent)]
    Buffer(#[from] ndshm_buffer::CreateError),
    /// The new segment was damaged before it could be used.
    #[error("the new segment is damaged: {0}")]
    Format(FormatError),
    /// The new segment could not be joined.
    #[error(transparent)]
    Join(JoinError),
    /// The system gave no random numbers.
    #[error("cannot make an array: {0}")]
    System(#[from] std::io::Error),
}

/// Why an array could not be opened.
///
/// ```
/// use ndshm_array::{OpenError, SharedArray1};
///
/// # let name = format!("doc.OpenError.{}", std::process::id());
/// let _a = SharedArray1::<f64>::options().name(&name).zeros(4)?;
/// // SAFETY: all who write to it do so through ndshm.
/// let error = unsafe { SharedArray1::<u8>::open(&name) }.unwrap_err();
/// assert!(matches!(error, OpenError::Dtype { .. }));
/// assert!(error.to_string().ends_with("its elements are float64, not uint8; open it as float64"));
/// # Ok::<(), ndshm_array::CreateError>(())
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The file could not be opened or mapped.
    #[error(transparent)]
    Buffer(#[from] ndshm_buffer::OpenError),
    /// It is no segment, of another version, or damaged.
    #[error("cannot open {segment}: {source}")]
    Format {
        /// The segment.
        segment: String,
        /// What is wrong.
        source: FormatError,
    },
    /// Its NPY header is damaged.
    #[error("cannot open {segment}: {source}")]
    Header {
        /// The segment.
        segment: String,
        /// What is wrong.
        source: HeaderError,
    },
    /// It has elements of another type.
    #[error("cannot open {segment}: its elements are {found}, not {expected}; open it as {found}")]
    Dtype {
        /// The segment.
        segment: String,
        /// What it has.
        found: Dtype,
        /// What was asked for.
        expected: Dtype,
    },
    /// It has another number of dimensions.
    #[error(
        "cannot open {segment}: its shape is {found:?}, which is not {expected}-dimensional; open \
         it with as many dimensions, or as SharedArrayD"
    )]
    Dimensions {
        /// The segment.
        segment: String,
        /// Its shape.
        found: Vec<usize>,
        /// How many dimensions were asked for.
        expected: usize,
    },
    /// It has another shape than was [expected](crate::ArrayOptions::expect_shape).
    #[error(
        "cannot open {segment}: its shape is {found:?}, not {expected:?}; open it without expecting \
         one, or make it anew"
    )]
    Shape {
        /// The segment.
        segment: String,
        /// Its shape.
        found: Vec<usize>,
        /// What was expected.
        expected: Vec<usize>,
    },
    /// It is not one to [append to](crate::AppendArray).
    #[error("cannot open {segment} to append to: {why}")]
    Append {
        /// The segment.
        segment: String,
        /// What is in the way.
        why: &'static str,
    },
    /// It is not the array that the handle was made of.
    #[error(
        "cannot open {segment}: another array has taken its place since the handle was made; \
             get a new handle"
    )]
    Replaced {
        /// The segment.
        segment: String,
    },
    /// This process could not join its members.
    #[error("cannot open {segment}: {source}")]
    Join {
        /// The segment.
        segment: String,
        /// Why.
        source: JoinError,
    },
}

/// Why a file could not be loaded.
///
/// ```
/// use ndshm_array::{LoadError, SharedArray2};
///
/// let error = SharedArray2::<f64>::load("no/such/file.npy").unwrap_err();
/// assert!(matches!(error, LoadError::Npy(_)));
/// assert!(error.to_string().starts_with("no/such/file.npy: cannot be opened"));
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The file could not be read, or is not a good `.npy` file.
    #[error(transparent)]
    Npy(#[from] NpyError),
    /// It has elements of another type.
    #[error(
        "cannot load {}: its elements are {found}, not {expected}; load it as {found}, or with \
         load_as_f64", path.display()
    )]
    Dtype {
        /// The file.
        path: PathBuf,
        /// What it has.
        found: Dtype,
        /// What was asked for.
        expected: Dtype,
    },
    /// It has another number of dimensions.
    #[error(
        "cannot load {}: its shape is {found:?}, which is not {expected}-dimensional; load it with as \
         many dimensions, or as SharedArrayD", path.display()
    )]
    Dimensions {
        /// The file.
        path: PathBuf,
        /// Its shape.
        found: Vec<usize>,
        /// How many dimensions were asked for.
        expected: usize,
    },
    /// The array could not be made.
    #[error(transparent)]
    Create(#[from] CreateError),
}

/// Why rows were not prefaulted. The elements are as they were.
///
/// ```
/// use ndshm_array::{Prefault, PrefaultError, SharedArray2};
///
/// let a = SharedArray2::<f64>::zeros((2, 3))?;
/// let error = a.prefault(1..3, &Prefault::pages()).unwrap_err();
/// assert!(matches!(error, PrefaultError::OutOfBounds { nrows: 2, .. }));
/// # Ok::<(), ndshm_array::CreateError>(())
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PrefaultError {
    /// The array has no such rows.
    #[error("there are no rows {rows:?}: the array has {nrows} along its first axis; ask for less")]
    OutOfBounds {
        /// What was asked for.
        rows: Range<usize>,
        /// How many there are.
        nrows: usize,
    },
    /// The system refused.
    #[error(transparent)]
    Buffer(#[from] ndshm_buffer::PrefaultError),
}

/// Why an array could not be saved.
///
/// ```
/// use ndshm_array::{SaveError, SharedArray2};
///
/// let a = SharedArray2::<f64>::zeros((2, 3))?;
/// let error = a.save("no/such/folder/a.npy").unwrap_err();
/// assert!(matches!(error, SaveError::Npy(_)));
/// # Ok::<(), ndshm_array::CreateError>(())
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SaveError {
    /// The file could not be written.
    #[error(transparent)]
    Npy(#[from] NpyError),
    /// The array could not be read.
    #[error(transparent)]
    Claim(crate::claim::ClaimError<()>),
    /// The shape cannot be written in an NPY header.
    #[error(transparent)]
    Header(#[from] EncodeError),
    /// The [file](crate::inspect::SegmentFile) holds no array.
    #[error("it cannot be saved as an .npy file: it holds {holds}")]
    NoArray {
        /// What it holds.
        holds: &'static str,
    },
}
