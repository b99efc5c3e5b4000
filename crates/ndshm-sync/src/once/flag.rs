//! Something that is done once.

use std::ptr::NonNull;
use std::time::{Duration, Instant};

use super::cell::{OnceCell, OnceWords};
use super::error::OnceError;
use crate::inspect::{Inspection, debug_as_inspected};
use crate::layout::{Kind, Layout, LayoutError};
use crate::member::Members;

/// This process's handle on something that one process does for all, once: a
/// [`OnceCell`] without a value, with the same words, the same waiting, and the same answer to
/// death.
///
/// An action that dies or panics half-way is run again, by the next to call: so what it changes
/// has to bear that.
///
/// ```
/// # let members = ndshm_testkit::members!();
/// let once = members.layout().once()?;
/// let mut made = 0;
/// once.call_once(|| made += 1)?; // of all processes, one does it
/// once.call_once(|| made += 1)?;
/// assert_eq!(made, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy)]
pub struct Once<'m> {
    cell: OnceCell<'m, ()>,
}

debug_as_inspected!([] Once<'_>);

impl<'m> Once<'m> {
    /// The words at `words`, for this membership.
    ///
    /// [`Layout::once`](crate::Layout::once) finds the place, and is safe. This is for memory that is
    /// laid out otherwise. Does not wait.
    ///
    /// # Errors
    ///
    /// [`LayoutError::Differs`] where something else lies there.
    ///
    /// # Safety
    ///
    /// As for [`OnceCell::at`].
    ///
    /// ```
    /// # use std::os::fd::AsFd;
    /// use ndshm_sync::{Members, Once, Region};
    ///
    /// # let (base, file) = ndshm_testkit::map_memfd(1 << 16);
    /// # // SAFETY: fresh zeroed memory, used for nothing else.
    /// # let region = unsafe { Region::new(base, 1 << 16, file.as_fd()) };
    /// let members = Members::join(region)?;
    /// // SAFETY: the region goes on behind the table.
    /// let words = unsafe { base.add(Members::SIZE) }.cast();
    /// // SAFETY: aligned to 64, mapped as long as `members` lives, zero; nothing else is there.
    /// let once = unsafe { Once::at(words, &members) }?;
    /// once.call_once(|| ())?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub unsafe fn at(
        words: NonNull<OnceWords<()>>,
        members: &'m Members<'m>,
    ) -> Result<Self, LayoutError> {
        // SAFETY: the caller's promises are the same.
        unsafe { OnceCell::of(Kind::Once, words, members) }.map(|cell| Self { cell })
    }

    /// Does it, unless it is done; waits for another that is at it. One load where it is done.
    ///
    /// When this returns, what was done is seen here, whoever did it.
    ///
    /// # Errors
    ///
    /// [`OnceError::Forked`], where it is not done.
    ///
    /// ```
    /// # let members = ndshm_testkit::members!();
    /// let once = members.layout().once()?;
    /// once.call_once(|| println!("by one of all"))?;
    /// assert!(once.is_completed());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline]
    pub fn call_once(&self, f: impl FnOnce()) -> Result<(), OnceError> {
        self.cell.get_or_init(f).copied()
    }

    /// As [`call_once`](Self::call_once), but does not wait for another that is at it.
    ///
    /// # Errors
    ///
    /// [`OnceError::WouldBlock`], [`OnceError::Forked`].
    ///
    /// ```
    /// # let members = ndshm_testkit::members!();
    /// let once = members.layout().once()?;
    /// once.call_once(|| assert!(once.try_call_once(|| ()).is_err()))?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_call_once(&self, f: impl FnOnce()) -> Result<(), OnceError> {
        self.cell.try_get_or_init(f).copied()
    }

    /// As [`call_once`](Self::call_once), but waits for another that is at it for at most `timeout` on
    /// the monotonic clock: not for `f`.
    ///
    /// # Errors
    ///
    /// [`OnceError::TimedOut`], [`OnceError::Forked`].
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// # let members = ndshm_testkit::members!();
    /// let once = members.layout().once()?;
    /// once.call_once_timeout(Duration::from_secs(1), || ())?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn call_once_timeout(&self, timeout: Duration, f: impl FnOnce()) -> Result<(), OnceError> {
        self.cell.get_or_init_timeout(timeout, f).copied()
    }

    /// As [`call_once_timeout`](Self::call_once_timeout), until a moment on the monotonic clock.
    ///
    /// # Errors
    ///
    /// As [`call_once_timeout`](Self::call_once_timeout).
    ///
    /// ```
    /// use std::time::{Duration, Instant};
    ///
    /// # let members = ndshm_testkit::members!();
    /// let once = members.layout().once()?;
    /// once.call_once_deadline(Instant::now() + Duration::from_secs(1), || ())?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn call_once_deadline(&self, deadline: Instant, f: impl FnOnce()) -> Result<(), OnceError> {
        self.cell.get_or_init_deadline(deadline, f).copied()
    }

    /// Whether it is done. One load.
    ///
    /// ```
    /// # let members = ndshm_testkit::members!();
    /// assert!(!members.layout().once()?.is_completed());
    /// # Ok::<(), ndshm_sync::LayoutError>(())
    /// ```
    #[inline]
    #[must_use]
    pub fn is_completed(&self) -> bool {
        self.cell.get().is_some()
    }

    /// Waits until somebody has done it. Nobody can know whether anybody will begin: until one has,
    /// this waits for ever.
    ///
    /// # Errors
    ///
    /// [`OnceError::Abandoned`] where one has begun and died or panicked, and nobody is at it
    /// again; [`OnceError::Forked`].
    ///
    /// ```
    /// # let members = ndshm_testkit::members!();
    /// let once = members.layout().once()?;
    /// std::thread::scope(|s| {
    ///     s.spawn(|| once.call_once(|| ())); // in real life another process
    ///     once.wait()
    /// })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn wait(&self) -> Result<(), OnceError> {
        self.cell.wait().copied()
    }

    /// Whether it is done, and if not, why.
    ///
    /// # Errors
    ///
    /// [`OnceError::WouldBlock`], [`OnceError::Abandoned`], [`OnceError::Forked`].
    ///
    /// ```
    /// # let members = ndshm_testkit::members!();
    /// let once = members.layout().once()?;
    /// assert!(once.try_wait().is_err());
    /// # Ok::<(), ndshm_sync::LayoutError>(())
    /// ```
    pub fn try_wait(&self) -> Result<(), OnceError> {
        self.cell.try_wait().copied()
    }

    /// As [`wait`](Self::wait), for at most `timeout` on the monotonic clock.
    ///
    /// # Errors
    ///
    /// [`OnceError::TimedOut`], [`OnceError::Abandoned`], [`OnceError::Forked`].
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// # let members = ndshm_testkit::members!();
    /// let once = members.layout().once()?;
    /// assert!(once.wait_timeout(Duration::from_millis(5)).is_err()); // nobody does it
    /// # Ok::<(), ndshm_sync::LayoutError>(())
    /// ```
    pub fn wait_timeout(&self, timeout: Duration) -> Result<(), OnceError> {
        self.cell.wait_timeout(timeout).copied()
    }

    /// As [`wait_timeout`](Self::wait_timeout), until a moment on the monotonic clock.
    ///
    /// # Errors
    ///
    /// As [`wait_timeout`](Self::wait_timeout).
    ///
    /// ```
    /// use std::time::{Duration, Instant};
    ///
    /// # let members = ndshm_testkit::members!();
    /// let once = members.layout().once()?;
    /// once.call_once(|| ())?;
    /// once.wait_deadline(Instant::now() + Duration::from_secs(1))?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn wait_deadline(&self, deadline: Instant) -> Result<(), OnceError> {
        self.cell.wait_deadline(deadline).copied()
    }

    /// What it is doing at this moment: whether it is done, who is at it, who has died or panicked
    /// at it.
    ///
    /// ```
    /// # let members = ndshm_testkit::members!();
    /// let once = members.layout().once()?;
    /// assert_eq!(once.inspect().to_string(), "once: not initialised");
    /// # Ok::<(), ndshm_sync::LayoutError>(())
    /// ```
    #[must_use]
    pub fn inspect(&self) -> Inspection {
        self.cell.inspect_as("once")
    }
}

impl<'m> Layout<'m> {
    /// The next thing of the region is something that is done once. It takes 64 bytes. Does not
    /// wait.
    ///
    /// # Errors
    ///
    /// [`LayoutError::Full`], [`LayoutError::Differs`], [`LayoutError::Forked`].
    ///
    /// ```
    /// # let members = ndshm_testkit::members!();
    /// let once = members.layout().once()?;
    /// once.call_once(|| ())?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn once(&mut self) -> Result<Once<'m>, LayoutError> {
        let words: NonNull<OnceWords<()>> = self.take(1)?;
        // SAFETY: in bounds and aligned (`take`), mapped for longer than `'m` (region invariant 1),
        // used by all in the same way, as members of the region's one table (region invariant 2).
        unsafe { Once::at(words, self.members()) }
    }
}
