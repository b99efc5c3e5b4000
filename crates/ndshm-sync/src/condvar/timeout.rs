//! How a wait with a time-out ended.

use crate::mutex::{LockError, MutexGuard, question_mark_drops};

/// A guard that came back, and whether the time was up.
pub(super) type TimedGuard<'g, T> = (MutexGuard<'g, T>, WaitTimeoutResult);

/// Whether a wait with a time-out timed out, as in `std::sync`.
///
/// ```
/// use std::time::Duration;
///
/// # let members = ndshm_testkit::members!();
/// # let mut layout = members.layout();
/// let (ready, changed) = (layout.mutex(0_u32)?, layout.condvar()?);
/// let (_guard, result) = changed.wait_timeout(ready.lock()?, Duration::ZERO)?;
/// assert!(result.timed_out());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WaitTimeoutResult {
    pub(super) timed_out: bool,
}

impl WaitTimeoutResult {
    /// Whether the time was up before anybody notified. What was waited for may be true all the same.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # let members = ndshm_testkit::members!();
    /// # let mut layout = members.layout();
    /// # let (ready, changed) = (layout.mutex(1_u32)?, layout.condvar()?);
    /// let at_once = changed.wait_timeout_while(ready.lock()?, Duration::ZERO, |r| *r == 0)?;
    /// assert!(!at_once.1.timed_out());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn timed_out(&self) -> bool {
        self.timed_out
    }
}

question_mark_drops!(TimedGuard<'_, T>);
