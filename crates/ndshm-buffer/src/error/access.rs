/// A copy that would reach beyond the end of a buffer. Nothing was copied.
///
/// ```
/// use ndshm_buffer::SharedBuffer;
///
/// let buffer = SharedBuffer::anonymous(64)?;
/// let beyond = buffer.read_at(60, &mut [0; 8]).unwrap_err();
/// assert_eq!((beyond.offset, beyond.len, beyond.size), (60, 8, 64));
/// # Ok::<(), ndshm_buffer::CreateError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{len} bytes at offset {offset} reach beyond the {size} bytes of the buffer; stay below its `len()`"
)]
#[non_exhaustive]
pub struct RangeError {
    /// Where the copy was to begin.
    pub offset: usize,
    /// How many bytes it was to have.
    pub len: usize,
    /// How many bytes the buffer has.
    pub size: usize,
}

/// Why nothing was written into a buffer.
///
/// ```
/// use ndshm_buffer::{SharedBuffer, WriteError};
///
/// let buffer = SharedBuffer::anonymous(64)?;
/// assert!(matches!(buffer.write_at(64, &[1]), Err(WriteError::Range(_))));
/// # Ok::<(), ndshm_buffer::CreateError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// The bytes do not fit where they were to go.
    #[error(transparent)]
    Range(#[from] RangeError),
    /// The buffer is mapped for reading only.
    #[error("{segment}: is opened read-only; open it without `read_only(true)` to write")]
    ReadOnly {
        /// The path, or "an anonymous segment".
        segment: String,
    },
}
