/// A copy that would reach beyond the end of a buffer. Nothing was copied.
///
/// ```
/// use ndshm_buffer::{ReadError, SharedBuffer};
///
/// let buffer = SharedBuffer::anonymous(64)?;
/// let Err(ReadError::Range(beyond)) = buffer.read_at(60, &mut [0; 8]) else { panic!() };
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

/// Why bytes were not read from a buffer.
///
/// ```
/// use ndshm_buffer::{ReadError, SharedBuffer};
///
/// let buffer = SharedBuffer::anonymous(64)?;
/// assert!(matches!(buffer.read_at(64, &mut [1]), Err(ReadError::Range(_))));
/// # Ok::<(), ndshm_buffer::CreateError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// There are not so many bytes.
    #[error(transparent)]
    Range(#[from] RangeError),
    /// A part of the file is gone; what was copied means nothing. Only a
    /// [guarded](crate::BufferOptions::guarded) buffer says so.
    #[error(transparent)]
    Missing(#[from] MissingError),
}

/// A guarded copy met a part of the segment that is not there: another program has truncated its file.
///
/// ```
/// use ndshm_buffer::{ReadError, SharedBuffer};
///
/// # let dir = tempfile::tempdir()?;
/// # let dir = dir.path();
/// let options = SharedBuffer::options().dir(dir).guarded(true);
/// let buffer = options.create("frames", 8192)?;
/// std::fs::write(buffer.path().unwrap(), "")?; // as another program might, by mistake
/// let missing = buffer.read_at(0, &mut [0; 8]).unwrap_err();
/// assert!(matches!(missing, ReadError::Missing(_)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{segment}: a part of it is missing: another program has truncated its file; \
     drop what you have of it, and create the segment anew"
)]
#[non_exhaustive]
pub struct MissingError {
    /// The path.
    pub segment: String,
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
    /// A part of the file is gone, and with it what was written there. Only a
    /// [guarded](crate::BufferOptions::guarded) buffer says so.
    #[error(transparent)]
    Missing(#[from] MissingError),
    /// The buffer is mapped for reading only.
    #[error("{segment}: is opened read-only; open it without `read_only(true)` to write")]
    ReadOnly {
        /// The path, or "an anonymous segment".
        segment: String,
    },
}
