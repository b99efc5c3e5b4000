use std::io;

use super::{RangeError, Unsupported};

/// Why a part of a buffer was not prefaulted. What it holds is as it was.
///
/// ```
/// use ndshm_buffer::{Prefault, PrefaultError, SharedBuffer};
///
/// let buffer = SharedBuffer::anonymous(4096)?;
/// let beyond = buffer.prefault(..5000, &Prefault::pages());
/// assert!(matches!(beyond, Err(PrefaultError::Range(_))));
/// # Ok::<(), ndshm_buffer::CreateError>(())
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PrefaultError {
    /// The part reaches beyond the end.
    #[error(transparent)]
    Range(#[from] RangeError),
    /// The operating system refused: the file was truncated by another program, or there is no memory left.
    #[error(
        "{segment}: cannot {step}: {source}; see whether another program has truncated the file, and whether memory \
         is left"
    )]
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
