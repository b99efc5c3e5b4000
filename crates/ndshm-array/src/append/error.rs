//! Why rows were not appended.

use ndshm_sync::Member;

/// Why [`append`](crate::AppendArray::append) appended nothing: none of the rows is there then.
///
/// ```
/// use ndarray::arr2;
/// use ndshm_array::{AppendArray2, AppendError};
///
/// let log = AppendArray2::<f64>::with_capacity((2, 3))?;
/// log.append(&arr2(&[[1.0, 2.0, 3.0]]))?;
/// match log.append(&arr2(&[[0.0; 3]; 2])) {
///     Err(AppendError::Full { capacity, rows, asked }) => assert_eq!((capacity, rows, asked), (2, 1, 2)),
///     other => unreachable!("{other:?}"),
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AppendError {
    /// The rows are of another shape than those of the array.
    #[error("rows of shape {found:?} cannot be appended to an array of rows of shape {expected:?}")]
    Shape {
        /// Lengths along all axes but the first, of the array.
        expected: Vec<usize>,
        /// The same of what was to be appended.
        found: Vec<usize>,
    },
    /// So many more rows do not fit.
    #[error(
        "{asked} rows cannot be appended: the array has {rows} of the {capacity} that it has room \
         for; make another with a larger capacity"
    )]
    Full {
        /// How many rows it has room for.
        capacity: usize,
        /// How many it has.
        rows: usize,
        /// How many were to be appended.
        asked: usize,
    },
    /// The number of rows is not to be had.
    #[error(transparent)]
    Length(#[from] LengthError),
    /// Somebody else was appending until the time was up.
    #[error(
        "rows cannot be appended: {} is appending, and was not done in time; see whether it was \
         stopped", by.as_ref().map_or_else(|| "somebody".to_owned(), ToString::to_string)
    )]
    Busy {
        /// Who, as far as known.
        by: Option<Member>,
    },
    /// The array was opened read-only.
    #[error("the array was opened read-only: open it read-write to append to it")]
    ReadOnly,
    /// This process was forked from the one that opened the array.
    #[error(
        "this process was forked from the one that opened the array: open it anew in the child"
    )]
    Forked,
}

/// The field of the header that says how many rows there are holds something else: it was written by somebody who does not
/// use ndshm.
///
/// ```
/// use std::os::unix::fs::FileExt;
/// use ndshm_array::AppendArray1;
///
/// # let name = format!("doc.LengthError.{}", std::process::id());
/// let log = AppendArray1::<u8>::options().name(&name).with_capacity(10)?;
/// let file = std::fs::File::options().write(true).open(log.path().unwrap())?;
/// file.write_all_at(b"nonsense", 64)?;
/// let error = log.nrows().unwrap_err();
/// assert!(error.to_string().contains("\"nonsense\" is no number of rows up to 10"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the header of {segment} is damaged: \"{found}\" is no number of rows up to {capacity}; remove it \
     and make it anew"
)]
pub struct LengthError {
    pub(super) segment: String,
    pub(super) found: String,
    pub(super) capacity: usize,
}
