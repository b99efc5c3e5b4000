//! One error for programs that need no more than its text.

use std::fmt;
use std::io;

use ndshm_array::ClaimError;
use ndshm_sync::{BarrierError, JoinError, LayoutError, LockError};

use crate::{Failure, JoinGroupError, RunError, StartError, run_error};

/// What can go wrong in any operation of these crates: for `?` in `main` and in workers' functions.
///
/// Each operation has an error type of its own, all of which convert into this one. A guard inside
/// such an error (poison) is dropped by the conversion, and the results inside a [`RunError`] are;
/// match on the operation's own error where they matter.
///
/// `Debug` shows the same text as `Display`, since that is what a `main` that returns an error
/// prints.
///
/// # Examples
///
/// ```
/// use ndshm_workers::Error;
///
/// fn positive(x: f64) -> ndshm_workers::Result<f64> {
///     if x > 0.0 { Ok(x) } else { Err(Error::other(format!("{x} is not positive"))) }
/// }
/// assert_eq!(positive(-1.0).unwrap_err().to_string(), "-1 is not positive");
/// ```
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No worker was started.
    #[error(transparent)]
    Start(#[from] StartError),
    /// Workers failed.
    #[error("{}", Lines(.0))]
    Workers(Vec<Failure>),
    /// A signal has asked the program to end while workers ran.
    #[error("{}", Interruption(*.0))]
    Interrupted(i32),
    /// The group that the program was started in could not be joined.
    #[error(transparent)]
    JoinGroup(#[from] JoinGroupError),
    /// A barrier broke, or the time at it was up.
    #[error(transparent)]
    Barrier(#[from] BarrierError),
    /// A mutex was not had, or was poisoned.
    #[error(transparent)]
    Lock(LockError<()>),
    /// Rows of an array were not had, or were poisoned.
    #[error(transparent)]
    Claim(ClaimError<()>),
    /// An array could not be made.
    #[error(transparent)]
    CreateArray(#[from] ndshm_array::CreateError),
    /// An array could not be opened.
    #[error(transparent)]
    OpenArray(#[from] ndshm_array::OpenError),
    /// Rows were not appended to an array.
    #[error(transparent)]
    Append(#[from] ndshm_array::AppendError),
    /// How many rows an array that is appended to has could not be read.
    #[error(transparent)]
    Length(#[from] ndshm_array::LengthError),
    /// The memory of an array's rows was not got beforehand.
    #[error(transparent)]
    PrefaultArray(#[from] ndshm_array::PrefaultError),
    /// The memory of a part of a buffer was not got beforehand.
    #[error(transparent)]
    PrefaultBuffer(#[from] ndshm_buffer::PrefaultError),
    /// A file could not be loaded.
    #[error(transparent)]
    Load(#[from] ndshm_array::LoadError),
    /// An array could not be saved.
    #[error(transparent)]
    Save(#[from] ndshm_array::SaveError),
    /// A `.npy` file could not be read or written.
    #[error(transparent)]
    Npy(#[from] ndshm_array::npy::NpyError),
    /// A buffer could not be made.
    #[error(transparent)]
    CreateBuffer(#[from] ndshm_buffer::CreateError),
    /// A buffer could not be opened.
    #[error(transparent)]
    OpenBuffer(#[from] ndshm_buffer::OpenError),
    /// A name could not be kept.
    #[error(transparent)]
    Persist(#[from] ndshm_buffer::PersistError),
    /// A name could not be removed.
    #[error(transparent)]
    Remove(#[from] ndshm_buffer::RemoveError),
    /// A buffer could not be read: it is shorter than what was to be read from it.
    #[error(transparent)]
    Read(#[from] ndshm_buffer::ReadError),
    /// A buffer did not grow.
    #[error(transparent)]
    Grow(#[from] ndshm_buffer::GrowError),
    /// A buffer was not sent over a socket.
    #[error(transparent)]
    Send(#[from] ndshm_buffer::SendError),
    /// No buffer was received from a socket.
    #[error(transparent)]
    Receive(#[from] ndshm_buffer::ReceiveError),
    /// A buffer was not passed to a program that is to be started.
    #[error(transparent)]
    Pass(#[from] ndshm_buffer::PassError),
    /// No buffer was taken over from the program that started this one.
    #[error(transparent)]
    Inherit(#[from] ndshm_buffer::InheritError),
    /// The segments of a directory cannot be listed.
    #[error(transparent)]
    List(#[from] ndshm_buffer::ListError),
    /// A buffer could not be written.
    #[error(transparent)]
    Write(#[from] ndshm_buffer::WriteError),
    /// A region could not be joined.
    #[error(transparent)]
    Join(#[from] JoinError),
    /// A region has no room for what was asked.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// A system call of the program's own failed.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Anything else.
    #[error(transparent)]
    Other(Box<dyn std::error::Error + Send + Sync>),
}

/// A result whose error is [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error of the program's own, from a text or another error.
    #[must_use]
    pub fn other(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Other(error.into())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<R> From<RunError<R>> for Error {
    fn from(error: RunError<R>) -> Self {
        match error {
            RunError::Start(error) => Self::Start(error),
            RunError::Interrupted { signal } => Self::Interrupted(signal),
            RunError::Failed { failures, .. } => Self::Workers(failures),
        }
    }
}

impl<G> From<LockError<G>> for Error {
    fn from(error: LockError<G>) -> Self {
        Self::Lock(error.without_guard())
    }
}

impl<G> From<ClaimError<G>> for Error {
    fn from(error: ClaimError<G>) -> Self {
        Self::Claim(error.without_guard())
    }
}

impl From<Box<dyn std::error::Error + Send + Sync>> for Error {
    fn from(error: Box<dyn std::error::Error + Send + Sync>) -> Self {
        Self::Other(error)
    }
}

impl From<String> for Error {
    fn from(text: String) -> Self {
        Self::other(text)
    }
}

impl From<&str> for Error {
    fn from(text: &str) -> Self {
        Self::other(text)
    }
}

struct Interruption(i32);

impl fmt::Display for Interruption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        run_error::interrupted(f, self.0)
    }
}

struct Lines<'a>(&'a [Failure]);

impl fmt::Display for Lines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        run_error::list(f, self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Cause;

    #[test]
    fn errors_keep_their_text_whichever_way_they_are_shown() {
        let failures = vec![Failure { rank: 1, pid: 9, cause: Cause::Exited(3) }];
        let run = RunError::<u8>::Failed { failures, results: vec![Some(1), None] };
        let text = run.to_string();
        let error = Error::from(run);
        assert_eq!((error.to_string(), format!("{error:?}")), (text.clone(), text));
        assert!(Error::from(StartError::NotInitialised).to_string().contains("init()"));
    }

    #[test]
    fn errors_cross_threads() {
        fn check<T: Send + Sync + 'static>() {}
        check::<Error>();
        check::<RunError<u8>>();
    }
}
