//! Why an array was not made, opened or loaded.

use std::path::PathBuf;

use ndshm_sync::JoinError;

use crate::format::FormatError;
use crate::npy::{Dtype, EncodeError, HeaderError, NpyError};

/// Why an array could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CreateError {
    /// The shape has more bytes than a machine can address.
    #[error("cannot make an array of shape {shape:?}: its size in bytes overflows")]
    Shape {
        /// The shape.
        shape: Vec<usize>,
    },
    /// With header and control area it would.
    #[error("cannot make an array of {bytes} bytes: with its control area the size overflows")]
    TooLarge {
        /// Bytes of its data.
        bytes: usize,
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
    /// It is not the array that the handle was made of.
    #[error("cannot open {segment}: another array has taken its place since the handle was made")]
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
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The file could not be read, or is not a good `.npy` file.
    #[error(transparent)]
    Npy(#[from] NpyError),
    /// It has elements of another type.
    #[error("cannot load {}: its elements are {found}, not {expected}", path.display())]
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
        "cannot load {}: its shape is {found:?}, which is not {expected}-dimensional", path.display()
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

/// Why an array could not be saved.
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
}
