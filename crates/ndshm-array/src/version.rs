//! A number that says how new the contents are, to wait for.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use ndarray::Dimension;

use crate::array::SharedArray;
use crate::claim::{ClaimError, ClaimTable};
use crate::element::Element;

/// How long one that cannot wait in the table sleeps before it looks again, at most.
const PAUSE: Duration = Duration::from_millis(1);

impl<T: Element, D: Dimension> SharedArray<T, D> {
    /// How often its contents were [published](Self::publish). One load; in an array opened read-only, too.
    ///
    /// ```
    /// assert_eq!(ndshm_array::SharedArray1::<f64>::zeros(4)?.version(), 0);
    /// # Ok::<(), ndshm_array::CreateError>(())
    /// ```
    #[must_use]
    pub fn version(&self) -> u64 {
        // Acquire pairs with the Release of `publish`: who sees a version sees what was written before it.
        self.table().map_or(0, |table| table.version().load(Ordering::Acquire))
    }

    /// Says that there is something new, and wakes those who [wait for it](Self::wait_newer); the version from now on.
    ///
    /// What that is, a frame or a whole step, is for the program to say; it is written under claims, as ever, which are
    /// better dropped before. Never waits; a system call only where somebody sleeps.
    ///
    /// # Errors
    ///
    /// [`ClaimError`]: `ReadOnly`, `Forked`.
    ///
    /// ```
    /// let frame = ndshm_array::SharedArray2::<u8>::zeros((4, 6))?;
    /// frame.write()?.fill(7);
    /// assert_eq!(frame.publish()?, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn publish(&self) -> Result<u64, ClaimError<()>> {
        let claims = self.segment().claims(self.shape());
        let (table, members) = claims.ok_or(ClaimError::ReadOnly)?;
        if !members.is_mine() {
            return Err(ClaimError::Forked);
        }
        // Release: see `version`.
        let before = table.version().fetch_add(1, Ordering::Release);
        table.released().notify_all(members);
        Ok(before.wrapping_add(1))
    }

    /// Waits until the contents are newer than the version `seen`, for at most `timeout` on the monotonic clock; a zero
    /// one looks once. The version that there is then, `None` when the time is up.
    ///
    /// Versions in between are not kept: who is slower than the producer misses some. Where the array was opened
    /// read-only, one cannot be woken, and looks every millisecond.
    ///
    /// # Errors
    ///
    /// [`ClaimError::Forked`].
    ///
    /// ```
    /// use std::time::Duration;
    /// use ndshm_array::SharedArray1;
    ///
    /// let frame = SharedArray1::<u32>::zeros(1000)?;
    /// std::thread::scope(|s| {
    ///     s.spawn(|| {
    ///         frame.write().unwrap().fill(1);
    ///         frame.publish().unwrap();
    ///     });
    ///     let version = frame.wait_newer(0, Duration::from_secs(10)).unwrap();
    ///     assert_eq!(version, Some(1));
    ///     assert_eq!(frame.read().unwrap().sum(), 1000);
    /// });
    /// assert_eq!(frame.wait_newer(1, Duration::ZERO)?, None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn wait_newer(&self, seen: u64, timeout: Duration) -> Result<Option<u64>, ClaimError<()>> {
        let deadline = Instant::now().checked_add(timeout);
        let claims = self.segment().claims(self.shape());
        if claims.is_some_and(|(_, members)| !members.is_mine()) {
            return Err(ClaimError::Forked);
        }
        loop {
            let count =
                claims.map(|(table, members)| (table.released(), members, table.released().read()));
            let version = self.version();
            if version > seen {
                return Ok(Some(version));
            }
            let left =
                deadline.map_or(Duration::MAX, |at| at.saturating_duration_since(Instant::now()));
            if left.is_zero() {
                return Ok(None);
            }
            match count {
                Some((released, members, count)) => released.wait(members, count, left),
                None => std::thread::sleep(left.min(PAUSE)),
            }
        }
    }

    fn table(&self) -> Option<ClaimTable<'_>> {
        self.segment().claim_table(self.shape())
    }
}
