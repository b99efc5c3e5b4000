//! A value that is written once.

use std::cell::UnsafeCell;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::ptr::NonNull;
use std::time::{Duration, Instant};

use bytemuck::Pod;

use super::error::OnceError;
use super::raw::RawOnce;
use crate::inspect::{Holder, Inspection, debug_as_inspected};
use crate::layout::{Kind, Layout, LayoutError, Place};
use crate::member::Members;
use crate::wait::Deadline;

/// What is written once, as it lies in shared memory: for [`OnceCell`], and with no value at all for
/// [`Once`](super::Once). Valid when zeroed.
///
/// # Layout
///
/// Aligned to 64 bytes.
///
/// | offset | size | what | written by |
/// |---|---|---|---|
/// | 0 | 8 | what lies here, by [`Layout`](crate::Layout); bit 63 once the value is whole | whoever holds the lock sets the bit, and nobody clears it |
/// | 8 | 24 | a [`RawMutex`](crate::RawMutex), held by whoever initialises | see there |
/// | 32 | 4 | odd while somebody sleeps who waits for another to initialise, or slept and has not been missed yet; counts; the futex | |
/// | 36 | 4 | zero | |
/// | 40 | `size_of::<T>()` | the value, at the next multiple of its alignment | whoever holds the lock, while the bit is not set |
///
/// States, and what leaves each:
///
/// | bit 63 | lock | state | next |
/// |---|---|---|---|
/// | 0 | free | nobody has begun | held, by anybody |
/// | 0 | held | being initialised | the bit is set, after the value (release), then the lock is free. Or the holder panics: poisoned and free. Or it dies |
/// | 0 | held by the dead, or poisoned and free | abandoned | held, by anybody, who clears the poison and does all of it again |
/// | 1 | whatever | initialised | none: the value never changes |
///
/// A death at any step leaves one of these: before the bit it is an abandoned value, which nobody
/// has been lent, and which the next writes whole; after it the value stands, the lock is of no
/// interest any more, and those whom the dead did not wake look again within 40 ms.
///
/// ```
/// use ndshm_sync::OnceWords;
///
/// assert_eq!(size_of::<OnceWords<[f64; 3]>>(), 64);
/// assert_eq!(size_of::<OnceWords<[f64; 4]>>(), 128);
/// ```
#[repr(C, align(64))]
#[derive(Debug)]
pub struct OnceWords<T> {
    raw: RawOnce,
    /// # Invariants
    ///
    /// 1. Written only by the member that holds the lock of `raw`, while it is not done.
    /// 2. Read only when `raw` is done, which it stays.
    value: UnsafeCell<T>,
}

// SAFETY: the value is written by one at a time, who holds the lock, before anybody reads it
// (value invariants); from then on it is shared, never changed, and `T` may be shared.
unsafe impl<T: Pod + Send + Sync> Sync for OnceWords<T> {}

/// This process's handle on a value in shared memory that is written once, by whichever process
/// comes first, and never changes after that. So [`get`](Self::get) lends it without a lock: one
/// load.
///
/// - **Death.** An initialiser that dies or panics is made up for by the next, who does all of it
///   again; a value is seen whole or not at all. Those who [`wait`](Self::wait) for another to do
///   it get [`OnceError::Abandoned`], which says who that was.
/// - **Waiting.** Spins for at most a tenth of a millisecond, then sleeps, and looks every 40 ms
///   whether whoever is at it still lives. One that is stopped (SIGSTOP) is waited for.
/// - **Recursion.** An initialiser that asks for the same cell waits for itself, for ever: as in
///   `std`, which may also panic. The forms with a time-out return.
///
/// ```
/// use ndshm_sync::OnceCell;
///
/// # let members = ndshm_testkit::members!();
/// let size: OnceCell<'_, u64> = members.layout().once_cell()?;
/// assert_eq!(size.get(), None);
/// assert_eq!(*size.get_or_init(|| 1000)?, 1000); // of all processes, one computes it
/// assert_eq!(size.get(), Some(&1000));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct OnceCell<'m, T> {
    cell: &'m OnceWords<T>,
    members: &'m Members<'m>,
}

debug_as_inspected!([T: Pod] OnceCell<'_, T>);

/// Another handle on the same cell.
impl<T> Clone for OnceCell<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for OnceCell<'_, T> {}

// A panic in an initialiser leaves no value, so nothing half-changed can be seen.
impl<T> UnwindSafe for OnceCell<'_, T> {}
impl<T> RefUnwindSafe for OnceCell<'_, T> {}

impl<'m, T: Pod> OnceCell<'m, T> {
    /// The cell at `cell`, for this membership.
    ///
    /// [`Layout::once_cell`](crate::Layout::once_cell) finds the place, and is safe. This is for memory
    /// that is laid out otherwise. Does not wait.
    ///
    /// # Errors
    ///
    /// [`LayoutError::Differs`] where something else lies there.
    ///
    /// # Safety
    ///
    /// `cell` is aligned, mapped shared for `'m`, and was zero before its first use; every process
    /// uses it through this function with the same `T`, and a membership of the same table as
    /// `members`.
    ///
    /// ```
    /// # use std::os::fd::AsFd;
    /// use ndshm_sync::{Members, OnceCell, Region};
    ///
    /// # let (base, file) = ndshm_testkit::map_memfd(1 << 16);
    /// # // SAFETY: fresh zeroed memory, used for nothing else.
    /// # let region = unsafe { Region::new(base, 1 << 16, file.as_fd()) };
    /// let members = Members::join(region)?;
    /// // SAFETY: the region goes on behind the table.
    /// let cell = unsafe { base.add(Members::SIZE) }.cast();
    /// // SAFETY: aligned to 64, mapped as long as `members` lives, zero; nothing else is there.
    /// let size = unsafe { OnceCell::<u64>::at(cell, &members) }?;
    /// size.set(7)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub unsafe fn at(
        cell: NonNull<OnceWords<T>>,
        members: &'m Members<'m>,
    ) -> Result<Self, LayoutError> {
        // SAFETY: the same promises, of the same cell.
        unsafe { Self::of(Kind::OnceCell, cell, members) }
    }

    /// # Safety
    ///
    /// As for [`at`](Self::at), with that kind.
    pub(super) unsafe fn of(
        kind: Kind,
        cell: NonNull<OnceWords<T>>,
        members: &'m Members<'m>,
    ) -> Result<Self, LayoutError> {
        // SAFETY: aligned and mapped for `'m` (caller's promise); valid for any bytes.
        let cell: &'m OnceWords<T> = unsafe { cell.as_ref() };
        cell.raw.place.settle(Place::describe(kind, size_of::<T>()))?;
        Ok(Self { cell, members })
    }

    /// The value, where there is one. One load; a forked child may ask too.
    ///
    /// ```
    /// # let members = ndshm_testkit::members!();
    /// let limits = members.layout().once_cell::<[f64; 2]>()?;
    /// assert!(limits.get().is_none());
    /// limits.set([0.0, 1.0])?;
    /// assert_eq!(limits.get(), Some(&[0.0, 1.0]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline]
    #[must_use]
    pub fn get(&self) -> Option<&'m T> {
        // SAFETY: done, so the value is whole, and never written again (value invariants).
        self.cell.raw.is_done().then(|| unsafe { &*self.cell.value.get() })
    }

    /// The value; where there is none yet, `f` makes it, while others wait. One load where there is.
    ///
    /// `f` runs in one process at a time, and again in another where that one died or panicked.
    ///
    /// # Errors
    ///
    /// [`OnceError::Forked`], where there is no value.
    ///
    /// ```
    /// # let members = ndshm_testkit::members!();
    /// let squares = members.layout().once_cell::<[u32; 8]>()?;
    /// let table = squares.get_or_init(|| std::array::from_fn(|i| (i * i) as u32))?;
    /// assert_eq!(table[7], 49);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline]
    pub fn get_or_init(&self, f: impl FnOnce() -> T) -> Result<&'m T, OnceError> {
        match self.get() {
            Some(value) => Ok(value),
            None => self.initialise(Deadline::Never, f),
        }
    }

    /// As [`get_or_init`](Self::get_or_init), but does not wait for another that is at it. One
    /// system call where one is, to see whether it lives.
    ///
    /// # Errors
    ///
    /// [`OnceError::WouldBlock`], [`OnceError::Forked`].
    ///
    /// ```
    /// use ndshm_sync::OnceError;
    ///
    /// # let members = ndshm_testkit::members!();
    /// let size = members.layout().once_cell::<u64>()?;
    /// size.get_or_init(|| {
    ///     let second = size.try_get_or_init(|| 2); // another process, say
    ///     assert!(matches!(second, Err(OnceError::WouldBlock { by: Some(_) })));
    ///     1
    /// })?;
    /// assert_eq!(size.try_get_or_init(|| 3), Ok(&1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_get_or_init(&self, f: impl FnOnce() -> T) -> Result<&'m T, OnceError> {
        self.initialise(Deadline::Passed, f).map_err(OnceError::at_once)
    }

    /// As [`get_or_init`](Self::get_or_init), but waits for another that is at it for at most `timeout`
    /// on the monotonic clock: not for `f`. One too long for the clock is for ever.
    ///
    /// # Errors
    ///
    /// [`OnceError::TimedOut`], [`OnceError::Forked`].
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// # let members = ndshm_testkit::members!();
    /// let size = members.layout().once_cell::<u64>()?;
    /// assert_eq!(size.get_or_init_timeout(Duration::from_secs(1), || 7), Ok(&7));
    /// # Ok::<(), ndshm_sync::LayoutError>(())
    /// ```
    pub fn get_or_init_timeout(
        &self,
        timeout: Duration,
        f: impl FnOnce() -> T,
    ) -> Result<&'m T, OnceError> {
        self.initialise(Deadline::after(timeout), f)
    }

    /// As [`get_or_init_timeout`](Self::get_or_init_timeout), until a moment on the monotonic clock.
    ///
    /// # Errors
    ///
    /// As [`get_or_init_timeout`](Self::get_or_init_timeout).
    ///
    /// ```
    /// use std::time::{Duration, Instant};
    ///
    /// # let members = ndshm_testkit::members!();
    /// let size = members.layout().once_cell::<u64>()?;
    /// let deadline = Instant::now() + Duration::from_secs(1);
    /// assert_eq!(size.get_or_init_deadline(deadline, || 7), Ok(&7));
    /// # Ok::<(), ndshm_sync::LayoutError>(())
    /// ```
    pub fn get_or_init_deadline(
        &self,
        deadline: Instant,
        f: impl FnOnce() -> T,
    ) -> Result<&'m T, OnceError> {
        self.initialise(Deadline::At(deadline), f)
    }

    /// Makes `value` the value, unless there is one. Waits for another that is just initialising.
    ///
    /// # Errors
    ///
    /// [`OnceError::AlreadySet`], [`OnceError::Forked`].
    ///
    /// ```
    /// use ndshm_sync::OnceError;
    ///
    /// # let members = ndshm_testkit::members!();
    /// let size = members.layout().once_cell::<u64>()?;
    /// size.set(7)?;
    /// assert_eq!(size.set(8), Err(OnceError::AlreadySet));
    /// assert_eq!(size.get(), Some(&7));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn set(&self, value: T) -> Result<(), OnceError> {
        let mut mine = false;
        self.get_or_init(|| {
            mine = true;
            value
        })?;
        if mine { Ok(()) } else { Err(OnceError::AlreadySet) }
    }

    /// Waits until somebody has initialised it. Nobody can know whether anybody will begin: until
    /// one has, this waits for ever.
    ///
    /// # Errors
    ///
    /// [`OnceError::Abandoned`] where one has begun and died or panicked, and nobody is at it
    /// again; [`OnceError::Forked`].
    ///
    /// ```
    /// # let members = ndshm_testkit::members!();
    /// let size = members.layout().once_cell::<u64>()?;
    /// std::thread::scope(|s| {
    ///     s.spawn(|| size.set(7)); // in real life another process
    ///     assert_eq!(size.wait(), Ok(&7));
    /// });
    /// # Ok::<(), ndshm_sync::LayoutError>(())
    /// ```
    pub fn wait(&self) -> Result<&'m T, OnceError> {
        self.wait_until(Deadline::Never)
    }

    /// As [`get`](Self::get), with the reason why there is no value. A system call where somebody is at
    /// work on it.
    ///
    /// # Errors
    ///
    /// [`OnceError::WouldBlock`], [`OnceError::Abandoned`], [`OnceError::Forked`].
    ///
    /// ```
    /// use ndshm_sync::OnceError;
    ///
    /// # let members = ndshm_testkit::members!();
    /// let size = members.layout().once_cell::<u64>()?;
    /// assert_eq!(size.try_wait(), Err(OnceError::WouldBlock { by: None }));
    /// size.set(7)?;
    /// assert_eq!(size.try_wait(), Ok(&7));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_wait(&self) -> Result<&'m T, OnceError> {
        self.wait_until(Deadline::Passed).map_err(OnceError::at_once)
    }

    /// As [`wait`](Self::wait), for at most `timeout` on the monotonic clock; one too long for the clock
    /// is for ever.
    ///
    /// # Errors
    ///
    /// [`OnceError::TimedOut`], [`OnceError::Abandoned`], [`OnceError::Forked`].
    ///
    /// ```
    /// use std::time::Duration;
    /// use ndshm_sync::OnceError;
    ///
    /// # let members = ndshm_testkit::members!();
    /// let size = members.layout().once_cell::<u64>()?;
    /// let waited = size.wait_timeout(Duration::from_millis(5));
    /// assert_eq!(waited, Err(OnceError::TimedOut { by: None }));
    /// # Ok::<(), ndshm_sync::LayoutError>(())
    /// ```
    pub fn wait_timeout(&self, timeout: Duration) -> Result<&'m T, OnceError> {
        self.wait_until(Deadline::after(timeout))
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
    /// let size = members.layout().once_cell::<u64>()?;
    /// size.set(7)?;
    /// assert_eq!(size.wait_deadline(Instant::now() + Duration::from_secs(1)), Ok(&7));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn wait_deadline(&self, deadline: Instant) -> Result<&'m T, OnceError> {
        self.wait_until(Deadline::At(deadline))
    }

    /// What the cell is doing at this moment: whether it has a value, who is at work on that, who
    /// has died or panicked at it. A system call where somebody is at work.
    ///
    /// ```
    /// # let members = ndshm_testkit::members!();
    /// let size = members.layout().once_cell::<u64>()?;
    /// assert_eq!(size.inspect().to_string(), "once cell: not initialised");
    /// size.set(7)?;
    /// assert_eq!(size.inspect().to_string(), "once cell: initialised");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn inspect(&self) -> Inspection {
        self.inspect_as("once cell")
    }

    pub(super) fn inspect_as(&self, kind: &'static str) -> Inspection {
        let (raw, members) = (&self.cell.raw, self.members);
        let (owner, by) = (raw.lock().owner(), raw.abandoned_by(members));
        let done = raw.is_done();
        let state = match (done, owner) {
            (true, _) => "initialised",
            (false, Some(_)) => "being initialised",
            (false, None) => "not initialised",
        };
        let holder = owner.filter(|_| !done).map(|id| Holder::of(id, members));
        Inspection {
            kind,
            state: state.to_owned(),
            holders: holder.into_iter().collect(),
            sleepers: raw.has_sleepers(),
            poisoned_by: by.filter(|_| !done).map(|by| members.describe(by.member())),
        }
    }

    fn initialise(&self, deadline: Deadline, f: impl FnOnce() -> T) -> Result<&'m T, OnceError> {
        self.cell.raw.call(self.members, deadline, || {
            let value = f();
            if self.members.is_mine() {
                // SAFETY: `call` runs this under the lock, while there is no value, so nobody else
                // reads or writes it (value invariants): not a child either that `f` has forked.
                unsafe { self.cell.value.get().write(value) };
            }
        })?;
        Ok(self.done())
    }

    fn wait_until(&self, deadline: Deadline) -> Result<&'m T, OnceError> {
        self.cell.raw.wait(self.members, deadline)?;
        Ok(self.done())
    }

    fn done(&self) -> &'m T {
        self.get().expect("done, which it stays")
    }
}

impl<'m> Layout<'m> {
    /// The next thing of the region is a cell for a `T` that is written once. It takes
    /// `size_of::<OnceWords<T>>()` bytes: 64 for a `T` of up to 24. Does not wait.
    ///
    /// # Errors
    ///
    /// [`LayoutError::Full`], [`LayoutError::Differs`], [`LayoutError::Forked`].
    ///
    /// ```
    /// # let members = ndshm_testkit::members!();
    /// let mut layout = members.layout();
    /// let size = layout.once_cell::<u64>()?;
    /// let limits = layout.once_cell::<[f64; 2]>()?; // a place of its own
    /// size.set(1)?;
    /// limits.set([0.0, 1.0])?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn once_cell<T: Pod + Send + Sync>(&mut self) -> Result<OnceCell<'m, T>, LayoutError> {
        let cell: NonNull<OnceWords<T>> = self.take(1)?;
        // SAFETY: in bounds and aligned (`take`), mapped for longer than `'m` (region invariant 1),
        // used by all in the same way, as members of the region's one table (region invariant 2).
        unsafe { OnceCell::at(cell, self.members()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::mem::offset_of;

    #[test]
    fn the_layout_is_as_documented() {
        assert_eq!(offset_of!(OnceWords<u64>, raw), 0);
        assert_eq!(offset_of!(OnceWords<u64>, value), 40);
        assert_eq!(offset_of!(OnceWords<u128>, value), 48);
        assert_eq!((size_of::<OnceWords<()>>(), align_of::<OnceWords<()>>()), (64, 64));
    }
}
