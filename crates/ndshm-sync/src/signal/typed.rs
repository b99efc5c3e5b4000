//! The handle that a process works with.

use std::ptr::NonNull;
use std::time::{Duration, Instant};

use super::raw::RawSignal;
use crate::inspect::{Inspection, debug_as_inspected};
use crate::layout::{Kind, Layout, LayoutError, Place};
use crate::member::Members;
use crate::wait::{Deadline, Spin};
use crate::wait_error::WaitError;

/// A signal semaphore as it lies in shared memory. Valid when zeroed.
///
/// # Layout
///
/// | offset | size | what |
/// |---|---|---|
/// | 0 | 8 | what lies here, with the value it began with; written once by [`Layout`](crate::Layout) |
/// | 8 | 4 | the value, less what it began with, modulo 2^32 |
/// | 12 | 4 | odd while somebody sleeps, or slept and has not been missed yet; counts; the futex |
/// | 16 | 48 | zero |
///
/// ```
/// use ndshm_sync::SignalSemaphoreCell;
///
/// assert_eq!(size_of::<SignalSemaphoreCell>(), 64);
/// assert_eq!(align_of::<SignalSemaphoreCell>(), 64);
/// ```
#[repr(C, align(64))]
#[derive(Debug)]
pub struct SignalSemaphoreCell {
    place: Place,
    raw: RawSignal,
    reserved: [u32; 12],
}

/// This process's handle on a counting semaphore in shared memory whose permits nobody holds: one process
/// posts, another takes. As POSIX's `sem_t`.
///
/// - **Death.** What was posted stays; what a member took and died with is gone. Nobody is told, since
///   nobody is known to be awaited: for permits that come back, see [`Semaphore`](crate::Semaphore).
///   A death between a post and its wake-up costs one that sleeps the rest of its slice of 40 ms.
/// - **Waiting.** Spins for at most a tenth of a millisecond, then sleeps. Signals do not cut a wait
///   short. Waiters are not served in order.
/// - **Cost.** One compare-and-swap to post and one to take; a post of *n* wakes at most *n*, in one
///   system call, where somebody sleeps.
///
/// ```
/// # let members = ndshm_testkit::members!();
/// let items = members.layout().signal_semaphore(0)?;
/// std::thread::scope(|s| {
///     // In real life another process, with a handle of its own:
///     s.spawn(|| items.post_many(2).unwrap());
///     items.wait()?;
///     items.wait()
/// })?;
/// assert_eq!(items.value(), 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy)]
pub struct SignalSemaphore<'m> {
    cell: &'m SignalSemaphoreCell,
    initial: u32,
    members: &'m Members<'m>,
}

debug_as_inspected!([] SignalSemaphore<'_>);

impl<'m> SignalSemaphore<'m> {
    /// The signal semaphore at `cell`, for this membership.
    ///
    /// [`Layout::signal_semaphore`](crate::Layout::signal_semaphore) finds the place, and is safe. This
    /// is for memory that is laid out otherwise.
    ///
    /// # Errors
    ///
    /// [`LayoutError::Differs`] where something else lies there, or it began with another value.
    ///
    /// # Safety
    ///
    /// `cell` is aligned, mapped shared for `'m`, and was zero before its first use; every process
    /// uses it through this function.
    ///
    /// ```
    /// # use std::os::fd::AsFd;
    /// use ndshm_sync::{Members, Region, SignalSemaphore};
    ///
    /// # let (base, file) = ndshm_testkit::map_memfd(1 << 16);
    /// # // SAFETY: fresh zeroed memory, used for nothing else.
    /// # let region = unsafe { Region::new(base, 1 << 16, file.as_fd()) };
    /// let members = Members::join(region)?;
    /// // SAFETY: the region goes on behind the table.
    /// let cell = unsafe { base.add(Members::SIZE) }.cast();
    /// // SAFETY: aligned to 64, mapped as long as `members` lives, zero; nothing else is there.
    /// let items = unsafe { SignalSemaphore::at(cell, 5, &members) }?;
    /// assert_eq!(items.value(), 5);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub unsafe fn at(
        cell: NonNull<SignalSemaphoreCell>,
        initial: u32,
        members: &'m Members<'m>,
    ) -> Result<Self, LayoutError> {
        // SAFETY: aligned and mapped for `'m` (caller's promise); made of atomics.
        let cell: &'m SignalSemaphoreCell = unsafe { cell.as_ref() };
        cell.place.settle(Place::describe(Kind::SignalSemaphore, initial as usize))?;
        Ok(Self { cell, initial, members })
    }

    /// Adds one, and wakes one that sleeps. Never waits. One compare-and-swap, and a system call where
    /// somebody sleeps.
    ///
    /// # Errors
    ///
    /// [`PostError`]; nothing has changed then.
    ///
    /// ```
    /// # let members = ndshm_testkit::members!();
    /// let items = members.layout().signal_semaphore(0)?;
    /// items.post()?;
    /// assert_eq!(items.value(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline]
    pub fn post(&self) -> Result<(), PostError> {
        self.post_many(1)
    }

    /// Adds `n` at once, and wakes up to as many that sleep. Never waits. One compare-and-swap, and a system
    /// call where somebody sleeps.
    ///
    /// # Errors
    ///
    /// [`PostError`]; nothing has changed then.
    ///
    /// ```
    /// use ndshm_sync::PostError;
    ///
    /// # let members = ndshm_testkit::members!();
    /// let items = members.layout().signal_semaphore(1)?;
    /// items.post_many(3)?;
    /// assert_eq!(items.value(), 4);
    /// assert_eq!(items.post_many(u32::MAX), Err(PostError::Overflow { value: 4, more: u32::MAX }));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline]
    pub fn post_many(&self, n: u32) -> Result<(), PostError> {
        if !self.members.is_mine() {
            return Err(PostError::Forked);
        }
        if n == 0 {
            return Ok(()); // and wake nobody
        }
        let posted = self.cell.raw.post(self.initial, n, self.members);
        posted.map_err(|value| PostError::Overflow { value, more: n })
    }

    /// Takes one, and waits until there is one: for ever, where nobody posts. One compare-and-swap where
    /// there is one.
    ///
    /// # Errors
    ///
    /// [`WaitError::Forked`].
    ///
    /// ```
    /// # let members = ndshm_testkit::members!();
    /// let items = members.layout().signal_semaphore(1)?;
    /// items.wait()?;
    /// assert_eq!(items.value(), 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline]
    pub fn wait(&self) -> Result<(), WaitError> {
        self.wait_until(|| Deadline::Never)
    }

    /// Takes one, if there is one. At most one compare-and-swap where nobody else wants it.
    ///
    /// # Errors
    ///
    /// [`WaitError::WouldBlock`], [`WaitError::Forked`].
    ///
    /// ```
    /// use ndshm_sync::WaitError;
    ///
    /// # let members = ndshm_testkit::members!();
    /// let items = members.layout().signal_semaphore(1)?;
    /// assert_eq!(items.try_wait(), Ok(()));
    /// assert_eq!(items.try_wait(), Err(WaitError::WouldBlock));
    /// # Ok::<(), ndshm_sync::LayoutError>(())
    /// ```
    #[inline]
    pub fn try_wait(&self) -> Result<(), WaitError> {
        if self.fast()? { Ok(()) } else { Err(WaitError::WouldBlock) }
    }

    /// As [`wait`](Self::wait), for at most `timeout` on the monotonic clock; a zero `timeout` tries
    /// for as long as the spinning lasts, one too long for the clock is for ever.
    ///
    /// # Errors
    ///
    /// [`WaitError::TimedOut`], [`WaitError::Forked`].
    ///
    /// ```
    /// # use ndshm_sync::WaitError;
    /// use std::time::Duration;
    ///
    /// # let members = ndshm_testkit::members!();
    /// let items = members.layout().signal_semaphore(0)?;
    /// assert_eq!(items.wait_timeout(Duration::from_millis(2)), Err(WaitError::TimedOut));
    /// # Ok::<(), ndshm_sync::LayoutError>(())
    /// ```
    #[inline]
    pub fn wait_timeout(&self, timeout: Duration) -> Result<(), WaitError> {
        self.wait_until(|| Deadline::after(timeout))
    }

    /// As [`wait_timeout`](Self::wait_timeout), until a moment on the monotonic clock.
    ///
    /// # Errors
    ///
    /// As [`wait_timeout`](Self::wait_timeout).
    ///
    /// ```
    /// # use ndshm_sync::WaitError;
    /// use std::time::Instant;
    ///
    /// # let members = ndshm_testkit::members!();
    /// let items = members.layout().signal_semaphore(1)?;
    /// let now = Instant::now();
    /// assert_eq!(items.wait_deadline(now), Ok(()));
    /// assert_eq!(items.wait_deadline(now), Err(WaitError::TimedOut));
    /// # Ok::<(), ndshm_sync::LayoutError>(())
    /// ```
    #[inline]
    pub fn wait_deadline(&self, deadline: Instant) -> Result<(), WaitError> {
        self.wait_until(|| Deadline::At(deadline))
    }

    /// How many could be taken at this moment. One load.
    ///
    /// ```
    /// # let members = ndshm_testkit::members!();
    /// assert_eq!(members.layout().signal_semaphore(7)?.value(), 7);
    /// # Ok::<(), ndshm_sync::LayoutError>(())
    /// ```
    #[must_use]
    pub fn value(&self) -> u32 {
        self.cell.raw.value(self.initial)
    }

    /// What it is doing at this moment: its value, whether anybody sleeps. Two loads.
    ///
    /// ```
    /// # let members = ndshm_testkit::members!();
    /// let items = members.layout().signal_semaphore(7)?;
    /// assert_eq!(items.inspect().to_string(), "signal semaphore: at 7");
    /// # Ok::<(), ndshm_sync::LayoutError>(())
    /// ```
    #[must_use]
    pub fn inspect(&self) -> Inspection {
        Inspection {
            kind: "signal semaphore",
            state: format!("at {}", self.value()),
            holders: Vec::new(),
            sleepers: self.cell.raw.has_sleepers(),
            poisoned_by: None,
        }
    }

    #[inline]
    fn wait_until(&self, deadline: impl FnOnce() -> Deadline) -> Result<(), WaitError> {
        if self.fast()? {
            return Ok(());
        }
        let mut spin = Spin::for_parties(2);
        let taken = self.cell.raw.wait(self.initial, self.members, &mut spin, deadline());
        if taken { Ok(()) } else { Err(WaitError::TimedOut) }
    }

    #[inline]
    fn fast(&self) -> Result<bool, WaitError> {
        if !self.members.is_mine() {
            return Err(WaitError::Forked);
        }
        Ok(self.cell.raw.take(self.initial))
    }
}

/// Why [`SignalSemaphore::post`] did not add anything.
///
/// ```
/// use ndshm_sync::PostError;
///
/// # let members = ndshm_testkit::members!();
/// let full = members.layout().signal_semaphore(u32::MAX)?;
/// assert!(matches!(full.post(), Err(PostError::Overflow { more: 1, .. })));
/// assert_eq!(full.value(), u32::MAX);
/// # Ok::<(), ndshm_sync::LayoutError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PostError {
    /// The value would not fit.
    #[error(
        "the signal semaphore is at {value} and cannot count {more} more (at most {}): somebody posts \
         and nobody waits",
        u32::MAX
    )]
    Overflow {
        /// What it was at.
        value: u32,
        /// What was to be added.
        more: u32,
    },
    /// This process was forked from the one that joined.
    #[error(
        "this process was forked from a member of the shared memory and is not one itself: join \
         anew in the child"
    )]
    Forked,
}

impl<'m> Layout<'m> {
    /// The next thing of the region is a signal semaphore that begins with `initial`, which every process
    /// has to say alike. It takes 64 bytes. Does not wait.
    ///
    /// # Errors
    ///
    /// [`LayoutError::Full`], [`LayoutError::Differs`], [`LayoutError::Forked`].
    ///
    /// ```
    /// # let members = ndshm_testkit::members!();
    /// let mut layout = members.layout();
    /// let (free, filled) = (layout.signal_semaphore(16)?, layout.signal_semaphore(0)?);
    /// free.wait()?; // a place to fill
    /// filled.post()?; // it is filled
    /// assert_eq!((free.value(), filled.value()), (15, 1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn signal_semaphore(&mut self, initial: u32) -> Result<SignalSemaphore<'m>, LayoutError> {
        let cell = self.take(1)?;
        // SAFETY: in bounds and aligned (`take`), mapped for longer than `'m` (region invariant 1),
        // used by all in the same way (region invariant 2).
        unsafe { SignalSemaphore::at(cell, initial, self.members()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::mem::offset_of;

    #[test]
    fn the_layout_is_as_documented() {
        assert_eq!(offset_of!(SignalSemaphoreCell, place), 0);
        assert_eq!(offset_of!(SignalSemaphoreCell, raw), 8);
        assert_eq!(size_of::<SignalSemaphoreCell>(), 64);
    }

    #[test]
    fn counts_from_what_it_began_with() {
        let members = ndshm_testkit::members!();
        for initial in [0, 1, 7, u32::MAX - 3] {
            let signal = members.layout().signal_semaphore(initial).unwrap();
            assert_eq!(signal.value(), initial);
            signal.post_many(3).unwrap();
            signal.post_many(0).unwrap();
            assert_eq!(signal.value(), initial + 3);
            let (value, more) = (initial + 3, u32::MAX - initial - 2);
            assert_eq!(signal.post_many(more), Err(PostError::Overflow { value, more }));
            (0..3).for_each(|_| signal.try_wait().unwrap());
            assert_eq!(signal.value(), initial);
        }
        let none = members.layout().signal_semaphore(0).unwrap();
        assert_eq!(none.try_wait(), Err(WaitError::WouldBlock));
    }
}
