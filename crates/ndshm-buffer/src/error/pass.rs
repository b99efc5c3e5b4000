use std::io;

use super::{OpenError, Unsupported};
use crate::name::NameError;

/// Why a segment was not sent over a socket.
///
/// ```
/// use std::os::unix::net::UnixStream;
/// use ndshm_buffer::{SendError, SharedBuffer};
///
/// let (here, there) = UnixStream::pair()?;
/// drop(there);
/// let refused = SharedBuffer::anonymous(64)?.send_to(&here).unwrap_err();
/// assert!(matches!(refused, SendError::Io { .. }));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The buffer is read-only, but its descriptor is not, and there is no other to be had.
    #[error(
        "{segment}: is read-only here, and there is no descriptor of it to send that is: {source}; is /proc mounted?"
    )]
    Writable {
        /// The path, or "an anonymous segment".
        segment: String,
        /// What the kernel answered.
        source: io::Error,
    },
    /// The socket did not take it.
    #[error(
        "{segment}: cannot be sent: {source}; is there a process at the other end of the socket?"
    )]
    Io {
        /// The path, or "an anonymous segment".
        segment: String,
        /// What the kernel answered.
        source: io::Error,
    },
    /// The backend that was asked cannot do this.
    #[error(transparent)]
    Unsupported(#[from] Unsupported),
}

/// Why no segment was received from a socket.
///
/// ```
/// use std::os::unix::net::UnixStream;
/// use ndshm_buffer::{ReceiveError, SharedBuffer};
///
/// let (here, there) = UnixStream::pair()?;
/// drop(here);
/// let closed = SharedBuffer::options().receive_from(&there).unwrap_err();
/// assert!(matches!(closed, ReceiveError::Closed));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReceiveError {
    /// The other end was closed before a segment had come.
    #[error("no segment came over the socket: its other end was closed; look there for the reason")]
    Closed,
    /// Something else came.
    #[error(
        "what came over the socket is no segment; have the other end call `SharedBuffer::send_to`, \
         and read its other messages in their turn"
    )]
    Foreign,
    /// The message of a segment came without it.
    #[error(
        "a segment was announced over the socket, but its descriptor did not come; \
         was the message relayed, or has this process no descriptor left (`ulimit -n`)?"
    )]
    NoDescriptor,
    /// The other end speaks a version of the protocol that this one does not know.
    #[error(
        "the other end of the socket sends segments in version {found}, and this program knows version {known}"
    )]
    Version {
        /// The version it sends.
        found: u32,
        /// The version that is known.
        known: u32,
    },
    /// The socket failed.
    #[error(
        "cannot receive a segment: {0}; is the socket connected, and does it wait long enough?"
    )]
    Io(#[source] io::Error),
    /// A segment came, and was refused.
    #[error(transparent)]
    Open(#[from] OpenError),
}

/// Why a segment was not passed to a program that is to be started.
///
/// ```
/// use ndshm_buffer::{PassError, SharedBuffer};
///
/// let mut command = std::process::Command::new("true");
/// let refused = SharedBuffer::anonymous(64)?.pass_to(&mut command, "a=b").unwrap_err();
/// assert!(matches!(refused, PassError::BadKey(_)));
/// # Ok::<(), ndshm_buffer::CreateError>(())
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PassError {
    /// No segment can have this key.
    #[error("as a key: {0}")]
    BadKey(#[from] NameError),
    /// There is no descriptor of it to be had.
    #[error(
        "{segment}: cannot be passed on: {source}; has this process no descriptor left (`ulimit -n`)?"
    )]
    Io {
        /// The path, or "an anonymous segment".
        segment: String,
        /// What the kernel answered.
        source: io::Error,
    },
    /// The backend that was asked cannot do this.
    #[error(transparent)]
    Unsupported(#[from] Unsupported),
}

/// Why no segment was taken over from the program that started this one.
///
/// ```
/// use ndshm_buffer::{InheritError, SharedBuffer};
///
/// let nothing = SharedBuffer::options().inherit("frames").unwrap_err();
/// assert!(matches!(nothing, InheritError::NotPassed { .. }));
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InheritError {
    /// No segment can have this key.
    #[error("as a key: {0}")]
    BadKey(#[from] NameError),
    /// There is no such variable in the environment.
    #[error(
        "no segment was passed: {variable} is not set; start this program with `SharedBuffer::pass_to`"
    )]
    NotPassed {
        /// The environment variable.
        variable: String,
    },
    /// The variable does not hold what it should.
    #[error(
        "{variable} does not say which segment was passed; leave it to `SharedBuffer::pass_to` to set it"
    )]
    Garbled {
        /// The environment variable.
        variable: String,
    },
    /// The variable is of a version that this program does not know.
    #[error("the segment was passed in version {found}, and this program knows version {known}")]
    Version {
        /// The version it was passed in.
        found: u32,
        /// The version that is known.
        known: u32,
    },
    /// The descriptor was not inherited, or has been closed.
    #[error(
        "{variable}: descriptor {number} is not open: {source}; only the program itself that was started has it, \
         not those that it starts"
    )]
    Closed {
        /// The environment variable.
        variable: String,
        /// The number that it names.
        number: i32,
        /// What the kernel answered.
        source: io::Error,
    },
    /// The descriptor is there, and was refused.
    #[error(transparent)]
    Open(#[from] OpenError),
}
