//! What one that was let in holds.

use super::raw::RawSemaphore;

/// One permit of a [`Semaphore`](super::Semaphore); dropping it gives it back.
///
/// `Send`: the owner is the membership, so any thread of the process may use it and drop it.
///
/// ```
/// # use ndshm_sync::OnDeath;
/// # let members = ndshm_testkit::members!();
/// let slots = members.layout().semaphore(1, OnDeath::Return)?;
/// let permit = slots.acquire()?;
/// std::thread::scope(|s| s.spawn(move || drop(permit)).join()).unwrap();
/// assert_eq!(slots.available(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[must_use = "the permit is given back at once if it is not kept"]
pub struct SemaphorePermit<'m> {
    pub(super) raw: RawSemaphore<'m>,
    /// # Invariants
    ///
    /// 1. Held by this membership, and by this value alone.
    pub(super) index: usize,
}

impl SemaphorePermit<'_> {
    /// Which of the semaphore's permits it is, from 0: a number that no other holder has, so it can
    /// choose a buffer, a port, a device.
    ///
    /// ```
    /// # use ndshm_sync::OnDeath;
    /// # let members = ndshm_testkit::members!();
    /// let gpus = members.layout().semaphore(2, OnDeath::Return)?;
    /// let (a, b) = (gpus.acquire()?, gpus.acquire()?);
    /// assert_eq!(a.index() + b.index(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn index(&self) -> usize {
        self.index
    }
}

impl Drop for SemaphorePermit<'_> {
    #[inline]
    fn drop(&mut self) {
        if self.raw.members.is_mine() {
            self.raw.release(self.index);
        }
    }
}
