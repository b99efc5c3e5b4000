//! A mutex with the value it guards.

use std::cell::UnsafeCell;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::ptr::NonNull;
use std::time::{Duration, Instant};

use bytemuck::Pod;

use super::error::LockError;
use super::guard::{MutexGuard, Unlocked};
use super::outcome::{Acquired, NotAcquired};
use super::raw::RawMutex;
use crate::inspect::{Holder, Inspection, debug_as_inspected};
use crate::layout::{Kind, Layout, LayoutError, Place};
use crate::member::Members;
use crate::once::initialise;
use crate::wait::Deadline;

/// A lock word and the value it guards, as they lie in shared memory. Valid when zeroed.
///
/// # Layout
///
/// Aligned to 64 bytes, so that two locks share no cache line.
///
/// | offset | size | what |
/// |---|---|---|
/// | 0 | 8 | what lies here, written once by [`Layout`](crate::Layout); bit 63 once the first value was written, under the lock |
/// | 8 | 24 | the [`RawMutex`] |
/// | 32 | `size_of::<T>()` | the value, at the next multiple of its alignment |
///
/// ```
/// use ndshm_sync::MutexCell;
///
/// assert_eq!(size_of::<MutexCell<[f64; 4]>>(), 64);
/// assert_eq!(size_of::<MutexCell<[f64; 5]>>(), 128);
/// ```
#[repr(C, align(64))]
#[derive(Debug)]
pub struct MutexCell<T> {
    place: Place,
    raw: RawMutex,
    /// # Invariants
    ///
    /// 1. Read and written only by the member that holds `raw`.
    value: UnsafeCell<T>,
}

// SAFETY: the value is reached only by the holder of the lock (value invariant 1), and passes from
// thread to thread, and process to process, by way of it; `T` is `Pod`, so it is plain bytes.
unsafe impl<T: Pod + Send> Sync for MutexCell<T> {}

/// This process's handle on a mutex in shared memory: exclusive access to a `T`, across processes
/// and threads, by one compare-and-swap where nobody else wants it.
///
/// - **Death.** The lock of a member that died is taken over by the next, whose guard comes inside
///   [`LockError::Poisoned`], which says who died; a panic while the lock is held poisons it too.
///   It stays poisoned until [`MutexGuard::clear_poison`].
/// - **Waiting.** Spins for at most a tenth of a millisecond, then sleeps, and looks every 40 ms
///   whether the holder still lives. A stopped holder (SIGSTOP) is waited for. Signals do not cut
///   a wait short. Waiters are not served in order.
/// - **Relocking** by the thread that holds the guard waits for ever, as in `std`; use a time-out
///   where that can happen.
/// - **Forgetting** a guard leaves the mutex locked; once this membership is dropped, that counts
///   as a death.
///
/// ```
/// # use std::os::fd::AsFd;
/// # use ndshm_sync::{Members, Mutex, Region};
/// # let (base, file) = ndshm_testkit::map_memfd(1 << 16);
/// # // SAFETY: fresh zeroed memory, used for nothing else.
/// # let region = unsafe { Region::new(base, 1 << 16, file.as_fd()) };
/// let members = Members::join(region)?;
/// let counter: Mutex<'_, u64> = members.layout().mutex(0)?;
/// *counter.lock()? += 1;
/// assert_eq!(*counter.lock()?, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// What cannot be shared does not compile. The bound is [`Pod`]; the crate's first page says
/// [what may live in shared memory](crate#what-may-live-in-shared-memory), and what to use instead:
///
/// ```compile_fail,E0277
/// # fn f(mut layout: ndshm_sync::Layout<'_>) {
/// layout.mutex(String::new()); // its bytes are on the heap of one process
/// # }
/// ```
///
/// ```compile_fail,E0277
/// # fn f(mut layout: ndshm_sync::Layout<'_>) {
/// layout.mutex(vec![0.0; 4]); // the same
/// # }
/// ```
///
/// ```compile_fail,E0277
/// # fn f(mut layout: ndshm_sync::Layout<'_>) {
/// layout.mutex(Box::new(0_u64)); // the same
/// # }
/// ```
///
/// ```compile_fail,E0277
/// # fn f(mut layout: ndshm_sync::Layout<'_>) {
/// layout.mutex(&0_u64); // an address of one process
/// # }
/// ```
///
/// ```compile_fail,E0277
/// # fn f(mut layout: ndshm_sync::Layout<'_>) {
/// layout.mutex(std::ptr::null_mut::<u64>()); // the same
/// # }
/// ```
///
/// ```compile_fail,E0277
/// # fn f(mut layout: ndshm_sync::Layout<'_>) {
/// layout.mutex(false); // not every byte is a `bool`
/// # }
/// ```
///
/// ```compile_fail,E0277
/// # fn f(mut layout: ndshm_sync::Layout<'_>) {
/// layout.mutex('a'); // not every four bytes are a `char`
/// # }
/// ```
///
/// ```compile_fail,E0277
/// # fn f(mut layout: ndshm_sync::Layout<'_>) {
/// layout.mutex(Some(0_u64)); // nor an `Option`
/// # }
/// ```
///
/// ```compile_fail,E0277
/// # fn f(mut layout: ndshm_sync::Layout<'_>) {
/// #[derive(Clone, Copy)]
/// #[repr(u8)]
/// enum State {
///     Idle,
///     Busy,
/// }
/// layout.mutex(State::Idle); // nor a value of an enum
/// # }
/// ```
///
/// ```compile_fail,E0277
/// # fn f(mut layout: ndshm_sync::Layout<'_>) {
/// #[derive(Clone, Copy)]
/// struct Pair(u64, u64); // nothing promises its layout: see `derive(Pod)`
/// layout.mutex(Pair(0, 0));
/// # }
/// ```
pub struct Mutex<'m, T> {
    cell: &'m MutexCell<T>,
    members: &'m Members<'m>,
}

debug_as_inspected!([T: Pod] Mutex<'_, T>);

/// Another handle on the same mutex.
impl<T> Clone for Mutex<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Mutex<'_, T> {}

// A panic with the lock held poisons, so what it leaves half-changed is not taken for whole.
impl<T> UnwindSafe for Mutex<'_, T> {}
impl<T> RefUnwindSafe for Mutex<'_, T> {}

impl<'m, T: Pod> Mutex<'m, T> {
    /// The mutex at `cell`, for this membership; `initial` becomes its value if it has none yet.
    ///
    /// [`Layout::mutex`](crate::Layout::mutex) finds the place, and is safe. This is for memory that is
    /// laid out otherwise. Where another process is just writing the first value, it waits for that.
    ///
    /// # Errors
    ///
    /// [`LayoutError::Differs`] where something else lies there, [`LayoutError::Forked`].
    ///
    /// # Safety
    ///
    /// `cell` is aligned, mapped shared for `'m`, and was zero before its first use; every process
    /// uses it through this function with the same `T`, and a membership of the same table as
    /// `members`.
    ///
    /// ```
    /// # use std::os::fd::AsFd;
    /// use ndshm_sync::{Members, Mutex, Region};
    ///
    /// # let (base, file) = ndshm_testkit::map_memfd(1 << 16);
    /// # // SAFETY: fresh zeroed memory, used for nothing else.
    /// # let region = unsafe { Region::new(base, 1 << 16, file.as_fd()) };
    /// let members = Members::join(region)?;
    /// // SAFETY: the region goes on behind the table.
    /// let cell = unsafe { base.add(Members::SIZE) }.cast();
    /// // SAFETY: aligned to 64, mapped as long as `members` lives, zero; nothing else is there.
    /// let total = unsafe { Mutex::at(cell, 0.5_f64, &members) }?;
    /// assert_eq!(*total.lock()?, 0.5);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub unsafe fn at(
        cell: NonNull<MutexCell<T>>,
        initial: T,
        members: &'m Members<'m>,
    ) -> Result<Self, LayoutError> {
        // SAFETY: aligned and mapped for `'m` (caller's promise); valid for any bytes.
        let cell: &'m MutexCell<T> = unsafe { cell.as_ref() };
        cell.place.settle(Place::describe(Kind::Mutex, size_of::<T>()))?;
        let mutex = Self { cell, members };
        mutex.initialise(initial).map_err(|_| LayoutError::Forked)?;
        Ok(mutex)
    }

    /// Takes the lock, and waits for it as long as its holder lives. One compare-and-swap where
    /// nobody holds it.
    ///
    /// # Errors
    ///
    /// [`LockError::Poisoned`] with the guard inside; [`LockError::Forked`].
    ///
    /// ```
    /// # let members = ndshm_testkit::members!();
    /// let total = members.layout().mutex(0.0_f64)?;
    /// *total.lock()? += 1.5; // locked for this statement
    /// let mut guard = total.lock()?; // until the guard is dropped
    /// *guard *= 2.0;
    /// assert_eq!(*guard, 3.0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline]
    pub fn lock(&self) -> Result<MutexGuard<'m, T>, LockError<MutexGuard<'m, T>>> {
        self.finish(self.cell.raw.lock(self.members))
    }

    /// Takes the lock if nobody living holds it, and does not wait. One compare-and-swap where it is
    /// free, one system call where somebody holds it, to see whether that member lives.
    ///
    /// # Errors
    ///
    /// [`LockError::WouldBlock`], [`LockError::Poisoned`] with the guard inside,
    /// [`LockError::Forked`].
    ///
    /// ```
    /// use ndshm_sync::LockError;
    ///
    /// # let members = ndshm_testkit::members!();
    /// let total = members.layout().mutex(0_u64)?;
    /// let guard = total.try_lock()?;
    /// match total.try_lock() {
    ///     Err(LockError::WouldBlock { owner }) => assert_eq!(owner.unwrap().id, members.me()),
    ///     _ => unreachable!("it is held"),
    /// }
    /// # drop(guard);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_lock(&self) -> Result<MutexGuard<'m, T>, LockError<MutexGuard<'m, T>>> {
        self.finish(self.cell.raw.try_lock(self.members)).map_err(LockError::of_a_try)
    }

    /// Takes the lock, or gives up after `timeout` on the monotonic clock; a zero `timeout` tries
    /// for as long as the spinning lasts, one too long for the clock is for ever.
    ///
    /// # Errors
    ///
    /// [`LockError::TimedOut`], [`LockError::Poisoned`] with the guard inside,
    /// [`LockError::Forked`].
    ///
    /// ```
    /// use std::time::{Duration, Instant};
    /// use ndshm_sync::LockError;
    ///
    /// # let members = ndshm_testkit::members!();
    /// let total = members.layout().mutex(0_u64)?;
    /// let guard = total.lock()?;
    /// let second = total.lock_timeout(Duration::from_millis(5));
    /// assert!(matches!(second, Err(LockError::TimedOut { .. })));
    /// # drop(guard);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn lock_timeout(
        &self,
        timeout: Duration,
    ) -> Result<MutexGuard<'m, T>, LockError<MutexGuard<'m, T>>> {
        self.finish(self.cell.raw.lock_timeout(self.members, timeout))
    }

    /// As [`lock_timeout`](Self::lock_timeout), until a moment on the monotonic clock.
    ///
    /// # Errors
    ///
    /// As [`lock_timeout`](Self::lock_timeout).
    ///
    /// ```
    /// use std::time::{Duration, Instant};
    ///
    /// # let members = ndshm_testkit::members!();
    /// let (a, b) = (members.layout().mutex(1_u64)?, members.layout().mutex(2_u64)?);
    /// let deadline = Instant::now() + Duration::from_secs(1); // for both together
    /// std::mem::swap(&mut *a.lock_deadline(deadline)?, &mut *b.lock_deadline(deadline)?);
    /// assert_eq!(*a.lock()?, 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn lock_deadline(
        &self,
        deadline: Instant,
    ) -> Result<MutexGuard<'m, T>, LockError<MutexGuard<'m, T>>> {
        self.finish(self.cell.raw.lock_deadline(self.members, deadline))
    }

    /// The word of the mutex alone, and the membership it is locked for.
    #[cfg(feature = "lock_api")]
    pub(super) const fn parts(&self) -> (&'m RawMutex, &'m Members<'m>) {
        (&self.cell.raw, self.members)
    }

    /// Whether the mutex is poisoned at this moment. One load. The death of the present holder shows
    /// only once somebody has taken the lock over.
    ///
    /// ```
    /// # let members = ndshm_testkit::members!();
    /// let total = members.layout().mutex(0_u64)?;
    /// assert!(!total.is_poisoned());
    /// # ndshm_testkit::panic_holding(|| total.lock());
    /// // ... a thread panics while it holds the lock ...
    /// assert!(total.is_poisoned());
    /// # Ok::<(), ndshm_sync::LayoutError>(())
    /// ```
    #[must_use]
    pub fn is_poisoned(&self) -> bool {
        self.cell.raw.is_poisoned()
    }

    /// What the mutex is doing at this moment: who holds it, whether that member lives, whether others
    /// sleep. A system call where it is held.
    ///
    /// ```
    /// # let members = ndshm_testkit::members!();
    /// let total = members.layout().mutex(0_u64)?;
    /// assert!(total.inspect().holders.is_empty());
    /// # Ok::<(), ndshm_sync::LayoutError>(())
    /// ```
    #[must_use]
    pub fn inspect(&self) -> Inspection {
        let (raw, members) = (&self.cell.raw, self.members);
        let holders: Vec<_> = raw.owner().map(|id| Holder::of(id, members)).into_iter().collect();
        Inspection {
            kind: "mutex",
            state: if holders.is_empty() { "free" } else { "held" }.to_owned(),
            holders,
            sleepers: raw.has_sleepers(),
            poisoned_by: raw.poisoned_by(members).map(|by| members.describe(by.member())),
        }
    }

    #[inline]
    fn finish(
        &self,
        got: Result<Acquired, NotAcquired>,
    ) -> Result<MutexGuard<'m, T>, LockError<MutexGuard<'m, T>>> {
        // SAFETY: every caller has just tried to lock it for this membership, and comes here once.
        unsafe { self.unlocked().finish(got) }
    }

    #[inline]
    fn unlocked(&self) -> Unlocked<'m, T> {
        let Self { cell, members } = *self;
        Unlocked::new(&cell.raw, &cell.value, members)
    }

    /// Writes the first value, unless somebody has: for a cell that may still be all zeroes.
    fn initialise(&self, value: T) -> Result<(), NotAcquired> {
        let MutexCell { place, raw, value: cell } = self.cell;
        initialise(place, raw, self.members, Deadline::Never, || {
            // SAFETY: `initialise` runs this while it holds the lock (value invariant 1).
            unsafe { cell.get().write(value) };
        })
    }
}

impl<'m> Layout<'m> {
    /// The next thing of the region is a mutex around a `T`. Whoever asks first has `initial`
    /// written there; for a moment others wait for that.
    ///
    /// It takes `size_of::<MutexCell<T>>()` bytes: 64 for a `T` of up to 32.
    ///
    /// # Errors
    ///
    /// [`LayoutError::Full`], [`LayoutError::Differs`], [`LayoutError::Forked`].
    ///
    /// ```
    /// # let members = ndshm_testkit::members!();
    /// let mut layout = members.layout();
    /// let best = layout.mutex([f64::INFINITY, 0.0])?;
    /// let hits = layout.mutex(0_u64)?; // a place of its own
    /// *hits.lock()? += 1;
    /// assert_eq!(*best.lock()?, [f64::INFINITY, 0.0]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn mutex<T: Pod + Send>(&mut self, initial: T) -> Result<Mutex<'m, T>, LayoutError> {
        let cell: NonNull<MutexCell<T>> = self.take(1)?;
        // SAFETY: in bounds and aligned (`take`), mapped for longer than `'m` (region invariant 1),
        // used by all in the same way, as members of the region's one table (region invariant 2).
        unsafe { Mutex::at(cell, initial, self.members()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::mem::offset_of;

    #[test]
    fn the_layout_is_as_documented() {
        assert_eq!(offset_of!(MutexCell<u64>, place), 0);
        assert_eq!(offset_of!(MutexCell<u64>, raw), 8);
        assert_eq!(offset_of!(MutexCell<u64>, value), 32);
        assert_eq!(offset_of!(MutexCell<u8>, value), 32);
        assert_eq!((size_of::<MutexCell<u64>>(), align_of::<MutexCell<u64>>()), (64, 64));
    }
}
