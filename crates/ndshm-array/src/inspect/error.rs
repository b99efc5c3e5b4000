//! Why a file could not be looked at, or not be had whole.

use std::io;
use std::path::PathBuf;

use crate::claim::ClaimError;
use crate::error::OpenError;
use crate::format::FormatError;
use crate::npy::HeaderError;

/// Why a file could not be looked at. Every message begins with the path.
///
/// ```
/// use ndshm_array::inspect::{InspectError, SegmentFile};
///
/// let error = SegmentFile::open("no/such/file.npy").unwrap_err();
/// assert!(matches!(error, InspectError::Open { .. }));
/// assert!(error.to_string().starts_with("no/such/file.npy: cannot be opened"));
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InspectError {
    /// The file cannot be opened.
    #[error("{}: cannot be opened: {source}; check the path and its permissions", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The path leads to a directory, a pipe or a device.
    #[error("{}: not a regular file; give a segment or an .npy file", path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
    },
    /// It is a segment, but of another version, or damaged.
    #[error("{}: {source}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: FormatError,
    },
    /// Its NPY header cannot be used.
    #[error("{}: {source}", path.display())]
    Header {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: HeaderError,
    },
    /// It ends before its elements do.
    #[error(
        "{}: truncated: header and elements take {needed} bytes, the file has {found}; make it anew, or copy it again",
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
    /// Reading failed: somebody truncated it meanwhile, for one.
    #[error("{}: cannot be read: {source}; see whether somebody changes its length", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Why elements could not be picked.
///
/// ```
/// use ndshm_array::{SharedArray1, inspect::{Pick, PickError, SegmentFile}};
///
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("a.npy");
/// # SharedArray1::<f64>::zeros(3)?.save(&path)?;
/// let file = SegmentFile::open(&path)?; // of three elements
/// let error = file.plane(&[Pick::At(3)]).unwrap_err();
/// assert!(matches!(error, PickError::OutOfBounds { axis: 0, index: 3, len: 3 }));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PickError {
    /// The file holds no array.
    #[error("it holds {0}, and no elements to pick from")]
    NoArray(&'static str),
    /// There is no such index.
    #[error("index {index} is out of bounds: axis {axis} has {len}")]
    OutOfBounds {
        /// The axis, from 0.
        axis: usize,
        /// The index; one below 0 counts from the end.
        index: i64,
        /// How long the axis is.
        len: usize,
    },
    /// More axes are picked from than there are.
    #[error("{given} axes are picked from, the array has {ndim}")]
    TooMany {
        /// How many picks were given.
        given: usize,
        /// How many axes there are.
        ndim: usize,
    },
    /// More than two axes would be left.
    #[error("{left} axes are left, and a plane has two: give an index on the others")]
    NoPlane {
        /// How many axes have a range.
        left: usize,
    },
    /// The elements are structs or arrays, and what was picked of them is no single number.
    #[error("its elements are made of several numbers: pick a field: {fields}")]
    NotANumber {
        /// What can be picked, or the first of it.
        fields: String,
    },
    /// The elements have no such field.
    #[error("there is no field {asked}; what there is: {fields}")]
    NoField {
        /// What was asked for.
        asked: String,
        /// What can be picked, or the first of it.
        fields: String,
    },
    /// A step of 0 never gets anywhere.
    #[error("the step on axis {axis} is 0: give at least 1")]
    Step {
        /// The axis, from 0.
        axis: usize,
    },
}

/// Why an array could not be had whole: no claim on all of it.
///
/// ```
/// use std::time::Duration;
/// use ndshm_array::{SharedArray1, inspect::{SegmentFile, WholeError}};
///
/// # let dir = tempfile::tempdir()?;
/// let a = SharedArray1::<f64>::options().dir(dir.path()).name("a").zeros(10)?;
/// let _writer = a.claim_mut(..5)?;
/// let file = SegmentFile::open(a.path().unwrap())?;
/// let refused = file.whole(Duration::from_millis(5), |_| ()).unwrap_err();
/// assert!(matches!(refused, WholeError::Claim(_)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WholeError {
    /// It is no live array: there are no claims on an `.npy` file or on raw bytes.
    #[error("{}: has no table of claims, being {holds}", path.display())]
    NoClaims {
        /// The file.
        path: PathBuf,
        /// What it is.
        holds: &'static str,
    },
    /// It could not be joined: this process may only read it, for one.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Others have rows of it.
    #[error(transparent)]
    Claim(ClaimError<()>),
}
