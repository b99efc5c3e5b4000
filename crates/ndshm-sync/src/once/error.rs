//! Why something is not there yet.

use crate::member::Member;

/// Why a [`OnceCell`](super::OnceCell) or a [`Once`](super::Once) did not do what was asked.
///
/// ```
/// use std::time::Duration;
/// use ndshm_sync::OnceError;
///
/// # let members = ndshm_testkit::members!();
/// let size = members.layout().once_cell::<u64>()?;
/// match size.wait_timeout(Duration::from_millis(5)) {
///     Ok(&size) => println!("{size}"),
///     Err(OnceError::TimedOut { by: Some(by) }) => println!("{by} still works on it"),
///     Err(OnceError::TimedOut { by: None }) => println!("nobody has begun"),
///     Err(e) => return Err(e.into()),
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OnceError {
    /// The time was up.
    #[error("timed out: what is made once is not there yet; {}", whom(*by))]
    TimedOut {
        /// Who is at work on it; `None` where nobody is.
        by: Option<Member>,
    },
    /// It is not there yet, and the caller did not want to wait.
    #[error("what is made once is not there yet; {}", whom(*by))]
    WouldBlock {
        /// As for `TimedOut`.
        by: Option<Member>,
    },
    /// `set` came too late: there is a value already.
    #[error("the value is set already, and never changes; `get` returns it")]
    AlreadySet,
    /// The last that worked on it died or panicked, and nobody has begun anew: to wait may be in
    /// vain. Whoever initialises it now is not told of this.
    #[error(
        "{by} {} while it initialised what others wait for; initialise it anew (get_or_init, \
         call_once)", if *panicked { "panicked" } else { "died" }
    )]
    Abandoned {
        /// Who that was.
        by: Member,
        /// Whether it panicked; otherwise it died, or left.
        panicked: bool,
    },
    /// This process was forked from the one that joined.
    #[error(
        "this process was forked from a member of the shared memory and is not one itself: join \
         anew in the child"
    )]
    Forked,
}

impl OnceError {
    /// For those who did not want to wait.
    pub(super) const fn at_once(self) -> Self {
        match self {
            Self::TimedOut { by } => Self::WouldBlock { by },
            e => e,
        }
    }
}

fn whom(by: Option<Member>) -> String {
    by.map_or_else(|| "nobody is at work on it".to_owned(), |by| format!("{by} is at work on it"))
}
