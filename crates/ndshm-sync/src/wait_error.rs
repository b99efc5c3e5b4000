//! Why a wait ended without what it was for.

/// Why a wait for an [`Event`](crate::Event) or a [`SignalSemaphore`](crate::SignalSemaphore) ended
/// without it.
///
/// ```
/// use std::time::Duration;
/// use ndshm_sync::{Reset, WaitError};
///
/// # let members = ndshm_testkit::members!();
/// let ready = members.layout().event(Reset::Manual)?;
/// assert_eq!(ready.wait_timeout(Duration::from_millis(1)), Err(WaitError::TimedOut));
/// assert_eq!(ready.try_wait(), Err(WaitError::WouldBlock));
/// # Ok::<(), ndshm_sync::LayoutError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WaitError {
    /// The time was up.
    #[error(
        "timed out waiting for what no process did; a process that died may have been to do it"
    )]
    TimedOut,
    /// A `try_wait` found that it would have to wait.
    #[error("there is nothing to be had without waiting")]
    WouldBlock,
    /// This process was forked from the one that joined.
    #[error(
        "this process was forked from a member of the shared memory and is not one itself: join \
         anew in the child"
    )]
    Forked,
}
