//! A reader-writer lock with the value it guards.

use std::cell::UnsafeCell;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::ptr::NonNull;
use std::time::{Duration, Instant};

use bytemuck::Pod;

use super::cells::ReaderSeat;
use super::guard::{RwLockReadGuard, RwLockWriteGuard};
use super::raw::RawRwLock;
use crate::inspect::{Holder, Inspection, debug_as_inspected};
use crate::layout::{Kind, Layout, LayoutError, Place};
use crate::member::Members;
use crate::mutex::{Acquired, LockError, NotAcquired, Poisoned};
use crate::once::initialise;
use crate::wait::Deadline;

/// A reader-writer lock and the value it guards, as they lie in shared memory. Valid when zeroed.
///
/// # Layout
///
/// Aligned to 64 bytes.
///
/// | offset | size | what |
/// |---|---|---|
/// | 0 | 8 | what lies here, written once by [`Layout`]; bit 63 once the first value was written, under the lock |
/// | 8 | `size_of::<T>()` | the value, at the next multiple of its alignment |
/// | next multiple of 64 | 64 x (1 + `READERS`) | the [`RawRwLock`] |
///
/// ```
/// use ndshm_sync::RwLockCell;
///
/// assert_eq!(size_of::<RwLockCell<[f64; 7]>>(), 64 + 64 * (1 + 16));
/// assert_eq!(size_of::<RwLockCell<[f64; 8], 4>>(), 128 + 64 * (1 + 4));
/// ```
#[repr(C, align(64))]
#[derive(Debug)]
pub struct RwLockCell<T, const READERS: usize = 16> {
    place: Place,
    /// # Invariants
    ///
    /// 1. Read only by members that have a share of `raw` or all of it, written only by one that has
    ///    all of it.
    value: UnsafeCell<T>,
    raw: RawRwLock<READERS>,
}

// SAFETY: the value is reached only through the lock (value invariant 1): shared among readers, so `T`
// is `Sync`, and passed from writer to writer, so it is `Send`; it is `Pod`, so it is plain bytes.
unsafe impl<T: Pod + Send + Sync, const READERS: usize> Sync for RwLockCell<T, READERS> {}

/// This process's handle on a reader-writer lock in shared memory: many read a `T` at once, or one
/// writes it, across processes and threads.
///
/// A read is one compare-and-swap on a cache line that other readers do not touch, so readers do not
/// slow each other down; a write has to look at the cells of all. For what is read much more often than
/// it is written, and for longer than a few words take to copy: for less see [`SeqLock`](crate::SeqLock).
///
/// - **Cells.** `READERS` threads, of all processes together, are sure of a cell of their own. Beyond
///   that, threads of one process share; a reader that finds every cell taken by other processes waits
///   for one as it would for a writer.
/// - **Death.** A reader's takes nothing from the others. A writer's poisons: the lock is taken over by
///   the next, reader or writer, whose guard comes inside [`LockError::Poisoned`], which says who died;
///   so does a panic with a write guard. It stays poisoned until [`RwLockWriteGuard::clear_poison`]. One
///   that dies while it still waits for readers to go has changed nothing, and poisons nothing.
/// - **Waiting.** Spins for at most a tenth of a millisecond, then sleeps, and looks every 40 ms whether
///   those it waits for still live. A stopped process (SIGSTOP) is waited for. Signals do not cut a
///   wait short.
/// - **Order.** A writer that waits keeps new readers out, so readers cannot starve it. Writers that follow
///   each other without a pause can keep readers waiting, as in `std`.
/// - **Relocking** waits for ever where a thread has the lock already and one of the two is a write; and
///   where it reads twice and a writer has begun to wait in between, as in `std`. Use a time-out where
///   that can happen.
/// - **Forgetting** a guard leaves the lock held; once this membership is dropped, that counts as a
///   death.
///
/// ```
/// # use std::os::fd::AsFd;
/// # use ndshm_sync::{Members, Region, RwLock};
/// # let (base, file) = ndshm_testkit::map_memfd(1 << 16);
/// # // SAFETY: fresh zeroed memory, used for nothing else.
/// # let region = unsafe { Region::new(base, 1 << 16, file.as_fd()) };
/// let members = Members::join(region)?;
/// let table: RwLock<'_, [f64; 32]> = members.layout().rwlock([0.0; 32])?;
/// table.write()?[3] = 1.5;
/// assert_eq!(table.read()?[3], 1.5);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// What cannot be shared does not compile:
///
/// ```compile_fail,E0277
/// # fn f(members: ndshm_sync::Members<'_>) {
/// let names = members.layout().rwlock(String::new()); // `String` is not plain bytes
/// # }
/// ```
pub struct RwLock<'m, T, const READERS: usize = 16> {
    cell: &'m RwLockCell<T, READERS>,
    members: &'m Members<'m>,
}

debug_as_inspected!([T: Pod, const READERS: usize] RwLock<'_, T, READERS>);

/// Another handle on the same lock.
impl<T, const READERS: usize> Clone for RwLock<'_, T, READERS> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T, const READERS: usize> Copy for RwLock<'_, T, READERS> {}

// A panic with a write guard poisons, so what it leaves half-changed is not taken for whole.
impl<T, const READERS: usize> UnwindSafe for RwLock<'_, T, READERS> {}
impl<T, const READERS: usize> RefUnwindSafe for RwLock<'_, T, READERS> {}

type Read<'m, T> = Result<RwLockReadGuard<'m, T>, LockError<RwLockReadGuard<'m, T>>>;
type Write<'m, T> = Result<RwLockWriteGuard<'m, T>, LockError<RwLockWriteGuard<'m, T>>>;

impl<'m, T: Pod, const READERS: usize> RwLock<'m, T, READERS> {
    /// The lock at `cell`, for this membership; `initial` becomes its value if it has none yet.
    ///
    /// [`Layout::rwlock`] finds the place, and is safe. This is for memory that is laid out otherwise.
    /// Where another process is just writing the first value, it waits for that.
    ///
    /// # Errors
    ///
    /// [`LayoutError::Differs`] where something else lies there, [`LayoutError::Forked`].
    ///
    /// # Safety
    ///
    /// `cell` is aligned, mapped shared for `'m`, and was zero before its first use; every process
    /// uses it through this function with the same `T` and `READERS`, and a membership of the same
    /// table as `members`.
    ///
    /// ```
    /// # use std::os::fd::AsFd;
    /// use ndshm_sync::{Members, Region, RwLock};
    ///
    /// # let (base, file) = ndshm_testkit::map_memfd(1 << 16);
    /// # // SAFETY: fresh zeroed memory, used for nothing else.
    /// # let region = unsafe { Region::new(base, 1 << 16, file.as_fd()) };
    /// let members = Members::join(region)?;
    /// // SAFETY: the region goes on behind the table.
    /// let cell = unsafe { base.add(Members::SIZE) }.cast();
    /// // SAFETY: aligned to 64, mapped as long as `members` lives, zero; nothing else is there.
    /// let total: RwLock<'_, f64> = unsafe { RwLock::at(cell, 0.5, &members) }?;
    /// assert_eq!(*total.read()?, 0.5);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub unsafe fn at(
        cell: NonNull<RwLockCell<T, READERS>>,
        initial: T,
        members: &'m Members<'m>,
    ) -> Result<Self, LayoutError> {
        const { assert!(READERS > 0 && READERS < 1 << 15, "READERS is from 1 to 32767") };
        // SAFETY: aligned and mapped for `'m` (caller's promise); valid for any bytes.
        let cell: &'m RwLockCell<T, READERS> = unsafe { cell.as_ref() };
        cell.place.settle(Place::describe_two(Kind::RwLock, size_of::<T>(), READERS))?;
        let lock = Self { cell, members };
        lock.initialise(initial).map_err(|_| LayoutError::Forked)?;
        Ok(lock)
    }

    /// Takes a share, and waits for it as long as a living writer has the lock or waits for it. One
    /// compare-and-swap where none does.
    ///
    /// # Errors
    ///
    /// [`LockError::Poisoned`] with the guard inside; [`LockError::Forked`].
    ///
    /// ```
    /// # let members = ndshm_testkit::members!();
    /// let total = members.layout().rwlock(1.5_f64)?;
    /// assert_eq!(*total.read()?, 1.5);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline]
    pub fn read(&self) -> Read<'m, T> {
        self.finish_read(self.cell.raw.read(self.members))
    }

    /// Takes a share if no living writer has the lock or waits for it, and does not wait. One
    /// compare-and-swap where none does, else system calls to see whether it lives.
    ///
    /// # Errors
    ///
    /// [`LockError::WouldBlock`], which names the writer, or where all cells are taken a reader;
    /// [`LockError::Poisoned`] with the guard inside, [`LockError::Forked`].
    ///
    /// ```
    /// use ndshm_sync::LockError;
    ///
    /// # let members = ndshm_testkit::members!();
    /// let total = members.layout().rwlock(0_u64)?;
    /// let guard = total.write()?;
    /// match total.try_read() {
    ///     Err(LockError::WouldBlock { owner }) => assert_eq!(owner.unwrap().id, members.me()),
    ///     _ => unreachable!("it is being written"),
    /// }
    /// # drop(guard);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline]
    pub fn try_read(&self) -> Read<'m, T> {
        self.finish_read(self.cell.raw.try_read(self.members)).map_err(LockError::of_a_try)
    }

    /// Takes a share, or gives up after `timeout` on the monotonic clock; a zero `timeout` tries for
    /// as long as the spinning lasts, one too long for the clock is for ever.
    ///
    /// # Errors
    ///
    /// [`LockError::TimedOut`], which names as [`try_read`](Self::try_read) does;
    /// [`LockError::Poisoned`] with the guard inside, [`LockError::Forked`].
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// # let members = ndshm_testkit::members!();
    /// let total = members.layout().rwlock(0_u64)?;
    /// assert_eq!(*total.read_timeout(Duration::from_secs(1))?, 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn read_timeout(&self, timeout: Duration) -> Read<'m, T> {
        self.finish_read(self.cell.raw.read_timeout(self.members, timeout))
    }

    /// As [`read_timeout`](Self::read_timeout), until a moment on the monotonic clock.
    ///
    /// # Errors
    ///
    /// As [`read_timeout`](Self::read_timeout).
    ///
    /// ```
    /// use std::time::{Duration, Instant};
    ///
    /// # let members = ndshm_testkit::members!();
    /// let mut layout = members.layout();
    /// let (a, b) = (layout.rwlock(1_u64)?, layout.rwlock(2_u64)?);
    /// let deadline = Instant::now() + Duration::from_secs(1); // for both together
    /// assert_eq!(*a.read_deadline(deadline)? + *b.read_deadline(deadline)?, 3);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn read_deadline(&self, deadline: Instant) -> Read<'m, T> {
        self.finish_read(self.cell.raw.read_deadline(self.members, deadline))
    }

    /// Takes the whole lock, and waits for it as long as a living member has it or a share; new
    /// readers wait meanwhile. One compare-and-swap, and a look at each cell.
    ///
    /// # Errors
    ///
    /// [`LockError::Poisoned`] with the guard inside; [`LockError::Forked`].
    ///
    /// ```
    /// # let members = ndshm_testkit::members!();
    /// let total = members.layout().rwlock(0.0_f64)?;
    /// *total.write()? += 1.5; // locked for this statement
    /// assert_eq!(*total.read()?, 1.5);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline]
    pub fn write(&self) -> Write<'m, T> {
        self.finish_write(self.cell.raw.write(self.members))
    }

    /// Takes the whole lock if nobody living has it or a share, and does not wait. System calls where
    /// somebody has, to see whether it lives.
    ///
    /// # Errors
    ///
    /// [`LockError::WouldBlock`], which names the writer or one of the readers;
    /// [`LockError::Poisoned`] with the guard inside, [`LockError::Forked`].
    ///
    /// ```
    /// use ndshm_sync::LockError;
    ///
    /// # let members = ndshm_testkit::members!();
    /// let total = members.layout().rwlock(0_u64)?;
    /// let guard = total.read()?;
    /// assert!(matches!(total.try_write(), Err(LockError::WouldBlock { .. })));
    /// drop(guard);
    /// *total.try_write()? += 1;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline]
    pub fn try_write(&self) -> Write<'m, T> {
        self.finish_write(self.cell.raw.try_write(self.members)).map_err(LockError::of_a_try)
    }

    /// Takes the whole lock, or gives up after `timeout` on the monotonic clock, and lets readers in
    /// again; a zero `timeout` tries for as long as the spinning lasts, one too long for the clock is
    /// for ever.
    ///
    /// # Errors
    ///
    /// [`LockError::TimedOut`], which names as [`try_write`](Self::try_write) does;
    /// [`LockError::Poisoned`] with the guard inside, [`LockError::Forked`].
    ///
    /// ```
    /// use std::time::Duration;
    /// use ndshm_sync::LockError;
    ///
    /// # let members = ndshm_testkit::members!();
    /// let total = members.layout().rwlock(0_u64)?;
    /// let guard = total.read()?;
    /// let late = total.write_timeout(Duration::from_millis(5));
    /// assert!(matches!(late, Err(LockError::TimedOut { .. })));
    /// # drop(guard);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn write_timeout(&self, timeout: Duration) -> Write<'m, T> {
        self.finish_write(self.cell.raw.write_timeout(self.members, timeout))
    }

    /// As [`write_timeout`](Self::write_timeout), until a moment on the monotonic clock.
    ///
    /// # Errors
    ///
    /// As [`write_timeout`](Self::write_timeout).
    ///
    /// ```
    /// use std::time::{Duration, Instant};
    ///
    /// # let members = ndshm_testkit::members!();
    /// let total = members.layout().rwlock(0_u64)?;
    /// *total.write_deadline(Instant::now() + Duration::from_secs(1))? += 1;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn write_deadline(&self, deadline: Instant) -> Write<'m, T> {
        self.finish_write(self.cell.raw.write_deadline(self.members, deadline))
    }

    /// Whether the lock is poisoned at this moment. One load. The death of the present writer shows
    /// only once somebody has come upon it.
    ///
    /// ```
    /// # let members = ndshm_testkit::members!();
    /// let total = members.layout().rwlock(0_u64)?;
    /// # ndshm_testkit::panic_holding(|| total.read());
    /// assert!(!total.is_poisoned()); // a reader's panic does not
    /// # ndshm_testkit::panic_holding(|| total.write());
    /// // ... a thread panics while it writes ...
    /// assert!(total.is_poisoned());
    /// # Ok::<(), ndshm_sync::LayoutError>(())
    /// ```
    #[must_use]
    pub fn is_poisoned(&self) -> bool {
        self.cell.raw.is_poisoned()
    }

    /// What the lock is doing at this moment: who reads or writes, whether they live, whether others
    /// sleep. A system call for each of them.
    ///
    /// ```
    /// # let members = ndshm_testkit::members!();
    /// let total = members.layout().rwlock(0_u64)?;
    /// assert_eq!(total.inspect().to_string(), "rwlock: free");
    /// let guard = total.read()?;
    /// let read = format!("rwlock: read by pid {}", std::process::id());
    /// assert_eq!(total.inspect().to_string(), read);
    /// # drop(guard);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn inspect(&self) -> Inspection {
        let (raw, members) = (&self.cell.raw, self.members);
        let writer = raw.writer();
        let (state, holders): (_, Vec<_>) = match writer {
            Some(_) if raw.head.writer.is_held_outside() => {
                ("a writer waits for readers to go: held", raw.readers().chain(writer).collect())
            }
            Some(writer) => ("written", vec![writer]),
            None => ("read", raw.readers().collect()),
        };
        Inspection {
            kind: "rwlock",
            state: if holders.is_empty() { "free" } else { state }.to_owned(),
            holders: holders.into_iter().map(|id| Holder::of(id, members)).collect(),
            sleepers: raw.has_sleepers(),
            poisoned_by: raw.poisoned_by(members).map(|by| members.describe(by.member())),
        }
    }

    #[inline]
    fn finish_read(&self, got: Result<(Acquired, ReaderSeat), NotAcquired>) -> Read<'m, T> {
        let (got, seat) = got.map_err(|not| LockError::of(not, self.members))?;
        let RwLockCell { value, raw, .. } = self.cell;
        // SAFETY: `got` is a share in that cell for this membership, and one guard is made of it; the
        // value is reached only through the lock (value invariant 1).
        let guard =
            unsafe { RwLockReadGuard::new(&raw.head, &raw.cells[seat.0], value, self.members) };
        told(got, guard, self.members)
    }

    #[inline]
    fn finish_write(&self, got: Result<Acquired, NotAcquired>) -> Write<'m, T> {
        let got = got.map_err(|not| LockError::of(not, self.members))?;
        told(got, self.write_guard(), self.members)
    }

    #[inline]
    fn write_guard(&self) -> RwLockWriteGuard<'m, T> {
        // SAFETY: called by those who have got the whole lock for this membership, once, and make one
        // guard of it; the value is reached only through the lock (value invariant 1).
        unsafe { RwLockWriteGuard::new(&self.cell.raw.head, &self.cell.value, self.members) }
    }

    /// Writes the first value, unless somebody has: for a cell that may still be all zeroes.
    fn initialise(&self, value: T) -> Result<(), NotAcquired> {
        let RwLockCell { place, raw, value: cell } = self.cell;
        // Before it there is no handle, and so no reader: the writers' lock is enough.
        initialise(place, &raw.head.writer, self.members, Deadline::Never, || {
            // SAFETY: `initialise` runs this while it holds the lock (value invariant 1).
            unsafe { cell.get().write(value) };
        })
    }
}

/// The guard, with what its holder must be told.
#[inline]
fn told<G>(got: Acquired, guard: G, members: &Members<'_>) -> Result<G, LockError<G>> {
    match got {
        Acquired::Clean => Ok(guard),
        Acquired::Poisoned(by) => Err(LockError::Poisoned(Poisoned::new(guard, by, members))),
    }
}

impl<'m> Layout<'m> {
    /// The next thing of the region is a reader-writer lock around a `T`, with 16 cells for readers.
    /// Whoever asks first has `initial` written there; for a moment others wait for that.
    ///
    /// It takes `size_of::<RwLockCell<T>>()` bytes: 1,152 for a `T` of up to 56.
    ///
    /// # Errors
    ///
    /// [`LayoutError::Full`], [`LayoutError::Differs`], [`LayoutError::Forked`].
    ///
    /// ```
    /// # let members = ndshm_testkit::members!();
    /// let limits = members.layout().rwlock([0.0_f64, 1.0])?;
    /// limits.write()?[1] = 2.0;
    /// assert_eq!(*limits.read()?, [0.0, 2.0]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn rwlock<T: Pod + Send + Sync>(
        &mut self,
        initial: T,
    ) -> Result<RwLock<'m, T>, LayoutError> {
        self.rwlock_with(initial)
    }

    /// As [`rwlock`](Self::rwlock), with `READERS` cells, from 1 to 32,767: as many threads as are to
    /// read at once without sharing a cache line, and at least as many processes as are to read at once.
    ///
    /// # Errors
    ///
    /// As [`rwlock`](Self::rwlock).
    ///
    /// ```
    /// # let members = ndshm_testkit::members!();
    /// let limits = members.layout().rwlock_with::<_, 64>([0.0_f64, 1.0])?;
    /// assert_eq!(*limits.read()?, [0.0, 1.0]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn rwlock_with<T: Pod + Send + Sync, const READERS: usize>(
        &mut self,
        initial: T,
    ) -> Result<RwLock<'m, T, READERS>, LayoutError> {
        let cell: NonNull<RwLockCell<T, READERS>> = self.take(1)?;
        // SAFETY: in bounds and aligned (`take`), mapped for longer than `'m` (region invariant 1),
        // used by all in the same way, as members of the region's one table (region invariant 2).
        unsafe { RwLock::at(cell, initial, self.members()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::mem::offset_of;

    #[test]
    fn the_layout_is_as_documented() {
        assert_eq!(offset_of!(RwLockCell<u64>, place), 0);
        assert_eq!(offset_of!(RwLockCell<u64>, value), 8);
        assert_eq!(offset_of!(RwLockCell<u8>, value), 8);
        assert_eq!(offset_of!(RwLockCell<[u64; 7]>, raw), 64);
        assert_eq!(offset_of!(RwLockCell<[u64; 8]>, raw), 128);
        assert_eq!((size_of::<RwLockCell<u64>>(), align_of::<RwLockCell<u64>>()), (1152, 64));
    }
}
