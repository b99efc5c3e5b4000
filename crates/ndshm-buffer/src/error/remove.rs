use std::io;
use std::path::PathBuf;

use super::Unsupported;
use super::open::look_around;
use crate::name::NameError;

/// Why a segment's name was not removed.
///
/// ```
/// use ndshm_buffer::{RemoveError, SharedBuffer};
///
/// let missing = SharedBuffer::options().remove("nobody-made-this").unwrap_err();
/// assert!(matches!(missing, RemoveError::NotFound { .. }));
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RemoveError {
    /// No segment can have this name.
    #[error(transparent)]
    BadName(#[from] NameError),
    /// The name leads to nothing.
    #[error("{}: no such segment; {}", path.display(), look_around(path, dir))]
    NotFound {
        /// The file, or the os_id, that was looked for.
        path: PathBuf,
        /// The directory it was looked for in. Of an os_id: where Linux has those.
        dir: PathBuf,
    },
    /// The kernel does not let this process lock the segment or change its directory.
    #[error("{}: {source}; only its owner removes a segment", path.display())]
    PermissionDenied {
        /// The file.
        path: PathBuf,
        /// What the kernel answered.
        source: io::Error,
    },
    /// The name leads to something that is not a segment.
    #[error("{}: is {kind}, not a shared segment; remove it with other means", path.display())]
    NotRegular {
        /// The file.
        path: PathBuf,
        /// What it is, with its article.
        kind: &'static str,
    },
    /// The segment belongs to another user.
    #[error(
        "{}: belongs to user {owner}, not to user {user}; \
         to remove it all the same, say `BufferOptions::foreign_owner(true)`", path.display()
    )]
    ForeignOwner {
        /// The file.
        path: PathBuf,
        /// The user id it belongs to.
        owner: u32,
        /// The effective user id of this process.
        user: u32,
    },
    /// The directory of named segments cannot be used.
    #[error(
        "{}: cannot look for named segments: {source}; name a directory that exists \
         (`BufferOptions::dir` or NDSHM_DIR)", dir.display()
    )]
    Directory {
        /// The directory.
        dir: PathBuf,
        /// What the kernel answered.
        source: io::Error,
    },
    /// The name led to a new segment at every look.
    #[error("{}: was removed and created again at every look; try again", path.display())]
    Unstable {
        /// The file.
        path: PathBuf,
    },
    /// The operating system refused a step for another reason.
    #[error("{}: cannot {step}: {source}", path.display())]
    System {
        /// The file.
        path: PathBuf,
        /// The step.
        step: &'static str,
        /// What the kernel answered.
        source: io::Error,
    },
    /// The backend that was asked cannot do this.
    #[error(transparent)]
    Unsupported(#[from] Unsupported),
}

/// Why a segment's name will not outlive its creating handle.
///
/// ```
/// use ndshm_buffer::{PersistError, SharedBuffer};
///
/// let buffer = SharedBuffer::anonymous(64)?;
/// assert!(matches!(buffer.persist(), Err(PersistError::Anonymous)));
/// # Ok::<(), ndshm_buffer::CreateError>(())
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PersistError {
    /// The segment has no name to keep.
    #[error("an anonymous segment has no name to keep; create it with `BufferOptions::create`")]
    Anonymous,
    /// The name is gone already, and an unnamed segment cannot get one back.
    #[error("{}: the name was removed already and cannot be given back; create a new segment", path.display())]
    Removed {
        /// Where the name led.
        path: PathBuf,
    },
    /// The operating system refused, most often because the segment belongs to another user.
    #[error("{}: cannot keep the name: {source}; its owner can", path.display())]
    System {
        /// The file.
        path: PathBuf,
        /// What the kernel answered.
        source: io::Error,
    },
    /// The backend that was asked cannot do this.
    #[error(transparent)]
    Unsupported(#[from] Unsupported),
}
