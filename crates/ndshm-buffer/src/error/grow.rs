use std::io;

use super::{Shortage, Unsupported};

/// Why a segment did not grow. It has the length that it had.
///
/// ```
/// use ndshm_buffer::{GrowError, SharedBuffer};
///
/// let fixed = SharedBuffer::anonymous(64)?;
/// assert!(matches!(fixed.grow(65), Err(GrowError::Fixed { asked: 65, len: 64, .. })));
/// # Ok::<(), ndshm_buffer::CreateError>(())
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GrowError {
    /// The segment was created without a capacity beyond its length.
    #[error(
        "{segment}: cannot grow from {len} to {asked} bytes; create it with `BufferOptions::capacity`"
    )]
    Fixed {
        /// The path, or "an anonymous segment".
        segment: String,
        /// The length asked for.
        asked: usize,
        /// Its length.
        len: usize,
    },
    /// More was asked for than the capacity that the segment was created with.
    #[error(
        "{segment}: {asked} bytes are more than its capacity of {capacity}, which is fixed at its creation; \
         create a new segment"
    )]
    Capacity {
        /// The path, or "an anonymous segment".
        segment: String,
        /// The length asked for.
        asked: usize,
        /// How long it can be.
        capacity: usize,
    },
    /// The buffer is mapped for reading only.
    #[error("{segment}: is opened read-only; open it without `read_only(true)` to let it grow")]
    ReadOnly {
        /// The path, or "an anonymous segment".
        segment: String,
    },
    /// There is not so much free.
    #[error("{segment}: {asked} more bytes asked for, {free} bytes free in {shortage}")]
    NoSpace {
        /// The path, or "an anonymous segment".
        segment: String,
        /// How many more bytes were to be reserved.
        asked: u64,
        /// How much there is.
        free: u64,
        /// Where, and thereby what to do.
        shortage: Shortage,
        /// What the kernel answered; `None` where it was not even asked.
        source: Option<io::Error>,
    },
    /// The operating system refused a step for another reason.
    #[error("{segment}: cannot {step}: {source}")]
    System {
        /// The path, or "an anonymous segment".
        segment: String,
        /// The step.
        step: &'static str,
        /// What the kernel answered.
        source: io::Error,
    },
    /// The backend that was asked cannot do this.
    #[error(transparent)]
    Unsupported(#[from] Unsupported),
}
