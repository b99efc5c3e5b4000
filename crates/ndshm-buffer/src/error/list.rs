use std::io;
use std::path::PathBuf;

use super::Unsupported;
/// Why the segments of a directory cannot be listed.
///
/// ```
/// use ndshm_buffer::{ListError, SharedBuffer};
///
/// let missing = SharedBuffer::options().dir("/nobody-made-this").list().unwrap_err();
/// assert!(matches!(missing, ListError::Directory { .. }));
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ListError {
    /// The directory of named segments cannot be read.
    #[error(
        "{}: cannot list named segments: {source}; name a directory that exists and that you may read \
         (`BufferOptions::dir` or NDSHM_DIR)", dir.display()
    )]
    Directory {
        /// The directory.
        dir: PathBuf,
        /// What the kernel answered.
        source: io::Error,
    },
    /// The backend that was asked cannot do this.
    #[error(transparent)]
    Unsupported(#[from] Unsupported),
}
