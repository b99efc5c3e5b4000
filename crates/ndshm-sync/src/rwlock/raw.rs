//! The words of a reader-writer lock, as those see them who lay out memory themselves.

use std::time::{Duration, Instant};

use super::cells::{ReaderCell, ReaderSeat};
use super::head::Head;
use crate::member::{MemberId, Members};
use crate::mutex::{Acquired, Culprit, NotAcquired};
use crate::wait::{Deadline, Spin};

/// The words of a reader-writer lock in shared memory: no owner inside the type, valid when zeroed,
/// 64 x (1 + `READERS`) bytes.
///
/// # Layout
///
/// | offset | size | what |
/// |---|---|---|
/// | 0 | 24 | the writers' lock, a [`RawMutex`](crate::RawMutex): readers look at its word, and its poison is that of the whole |
/// | 24 | 4 | odd while a reader sleeps until no writer has the lock, or slept and has not been missed yet; counts; the futex |
/// | 28 | 4 | the same for who sleeps until a cell comes free: a writer that waits for readers to go, or a reader that found no cell |
/// | 32 | 32 | zero |
///
/// then for each of `READERS` cells, at 64 x (1 + *i*), on a cache line of its own:
///
/// | offset | size | what |
/// |---|---|---|
/// | 0 | 8 | who reads: slot in bits 0-15, generation in bits 32-63; how many of its threads in bits 16-28. 0: nobody |
/// | 8 | 56 | zero |
///
/// # How a reader and a writer meet
///
/// A reader counts itself into a cell, then looks whether a writer has the lock; a writer takes the
/// lock, then looks whether the cells are empty. Both stores are read-modify-writes with a full
/// barrier before the look, so at least one of the two sees the other. A reader that sees a writer
/// counts itself out again and waits; a writer that sees a reader waits, with the lock held, so that no
/// new reader comes in. On x86-64 a read-modify-write *is* that barrier, so a reader pays for one
/// compare-and-swap on a line of its own and no fence: there is nothing that `membarrier` could save.
///
/// | who has it | writers' lock | cells | next |
/// |---|---|---|---|
/// | nobody | free | empty | read, write |
/// | readers | free | some taken | more readers; a reader counts itself out |
/// | readers, and a writer waits | locked, `OUTSIDE` | some taken | a reader counts itself out; the last of them lets the writer in (`OUTSIDE` cleared); the writer's time is up: free |
/// | a writer | locked | empty, but for readers that count themselves out again at once | free |
///
/// A death in each: of a reader, its cell is emptied by whoever waits for it; of a writer that waits, its
/// lock is taken over as it was; of a writer that was in, its lock is taken over with poison, by the next
/// writer, or by a reader, which releases it at once.
///
/// ```
/// use ndshm_sync::{Acquired, RawRwLock};
///
/// # let members = ndshm_testkit::members!();
/// let lock = RawRwLock::<8>::new(); // in shared memory: 576 zero bytes
/// let (a, b) = (lock.read(&members), lock.read(&members)); // two at once
/// assert!(lock.try_write(&members).is_err());
/// for got in [a, b] {
///     let Ok((Acquired::Clean, seat)) = got else { unreachable!("nobody writes") };
///     // SAFETY: the seat is of this lock and membership, and given back once.
///     unsafe { lock.read_unlock(seat, &members) };
/// }
/// assert_eq!(lock.try_write(&members), Ok(Acquired::Clean));
/// // SAFETY: locked above, and no guard stands for it.
/// unsafe { lock.write_unlock(&members) };
/// ```
#[repr(C, align(64))]
#[derive(Debug)]
pub struct RawRwLock<const READERS: usize = 16> {
    pub(super) head: Head,
    pub(super) cells: [ReaderCell; READERS],
}

type Write = Result<Acquired, NotAcquired>;
type Read = Result<(Acquired, ReaderSeat), NotAcquired>;

impl<const READERS: usize> RawRwLock<READERS> {
    /// A free lock. The same as so many zero bytes. `READERS` is from 1 to 32,767.
    ///
    /// ```
    /// use ndshm_sync::RawRwLock;
    ///
    /// static LOCK: RawRwLock = RawRwLock::new();
    /// assert_eq!(size_of_val(&LOCK), 64 * (1 + 16));
    /// ```
    #[must_use]
    pub const fn new() -> Self {
        const { assert!(READERS > 0 && READERS < 1 << 15, "READERS is from 1 to 32767") };
        Self { head: Head::new(), cells: [const { ReaderCell::new() }; READERS] }
    }

    /// Takes a share of the lock, and waits for it as long as a living writer has the lock or waits for
    /// it, or others sit in all cells. One compare-and-swap where neither is so.
    ///
    /// # Errors
    ///
    /// [`NotAcquired::Forked`].
    ///
    /// ```
    /// # use ndshm_sync::{Acquired, RawRwLock};
    /// # let members = ndshm_testkit::members!();
    /// let lock = RawRwLock::<8>::new();
    /// let Ok((got, seat)) = lock.read(&members) else { unreachable!("not forked") };
    /// assert_eq!(got, Acquired::Clean);
    /// // SAFETY: the seat is of this lock and membership, and given back once.
    /// unsafe { lock.read_unlock(seat, &members) };
    /// ```
    #[inline]
    pub fn read(&self, members: &Members<'_>) -> Read {
        match self.head.read_fast(&self.cells, members)? {
            Some(got) => Ok(got),
            None => self.read_slowly(members, Spin::for_lock(), Deadline::Never),
        }
    }

    /// Takes a share of the lock, or returns at once. What the dead hold is not held, which costs a
    /// system call to find out.
    ///
    /// # Errors
    ///
    /// [`NotAcquired::Held`], [`NotAcquired::Forked`].
    ///
    /// ```
    /// # use ndshm_sync::{NotAcquired, RawRwLock};
    /// # let members = ndshm_testkit::members!();
    /// let lock = RawRwLock::<8>::new();
    /// let _ = lock.write(&members);
    /// let held = NotAcquired::Held(Some(members.me()));
    /// assert_eq!(lock.try_read(&members).err(), Some(held));
    /// ```
    #[inline]
    pub fn try_read(&self, members: &Members<'_>) -> Read {
        match self.head.read_fast(&self.cells, members)? {
            Some(got) => Ok(got),
            None => self.read_slowly(members, Spin::none(), Deadline::Passed),
        }
    }

    /// As [`read`](Self::read), but gives up after `timeout` on the monotonic clock; a zero `timeout`
    /// tries for as long as the spinning lasts, one too long for the clock is for ever.
    ///
    /// # Errors
    ///
    /// [`NotAcquired::Held`], [`NotAcquired::Forked`].
    ///
    /// ```
    /// # use ndshm_sync::RawRwLock;
    /// # use std::time::Duration;
    /// # let members = ndshm_testkit::members!();
    /// let lock = RawRwLock::<8>::new();
    /// let _ = lock.write(&members);
    /// assert!(lock.read_timeout(&members, Duration::from_millis(5)).is_err());
    /// ```
    #[inline]
    pub fn read_timeout(&self, members: &Members<'_>, timeout: Duration) -> Read {
        match self.head.read_fast(&self.cells, members)? {
            Some(got) => Ok(got),
            None => self.read_slowly(members, Spin::for_lock(), Deadline::after(timeout)),
        }
    }

    /// As [`read_timeout`](Self::read_timeout), until a moment on the monotonic clock.
    ///
    /// # Errors
    ///
    /// As [`read_timeout`](Self::read_timeout).
    ///
    /// ```
    /// # use ndshm_sync::RawRwLock;
    /// # use std::time::Instant;
    /// # let members = ndshm_testkit::members!();
    /// let lock = RawRwLock::<8>::new();
    /// let _ = lock.write(&members);
    /// assert!(lock.read_deadline(&members, Instant::now()).is_err());
    /// ```
    #[inline]
    pub fn read_deadline(&self, members: &Members<'_>, deadline: Instant) -> Read {
        match self.head.read_fast(&self.cells, members)? {
            Some(got) => Ok(got),
            None => self.read_slowly(members, Spin::for_lock(), Deadline::At(deadline)),
        }
    }

    /// Takes the whole lock, and waits for it as long as a living writer or reader has it; readers that
    /// come meanwhile wait. One compare-and-swap, and a look at `READERS` cache lines.
    ///
    /// # Errors
    ///
    /// [`NotAcquired::Forked`].
    ///
    /// ```
    /// # use ndshm_sync::{Acquired, RawRwLock};
    /// # let members = ndshm_testkit::members!();
    /// let lock = RawRwLock::<8>::new();
    /// assert_eq!(lock.write(&members), Ok(Acquired::Clean));
    /// assert_eq!(lock.writer(), Some(members.me()));
    /// ```
    pub fn write(&self, members: &Members<'_>) -> Write {
        self.head.write(&self.cells, members, Spin::for_lock(), Deadline::Never)
    }

    /// Takes the whole lock, or returns at once. What the dead hold is not held, which costs a system
    /// call to find out.
    ///
    /// # Errors
    ///
    /// [`NotAcquired::Held`], with a writer or one of the readers; [`NotAcquired::Forked`].
    ///
    /// ```
    /// # use ndshm_sync::{NotAcquired, RawRwLock};
    /// # let members = ndshm_testkit::members!();
    /// let lock = RawRwLock::<8>::new();
    /// let _seat = lock.read(&members);
    /// assert_eq!(lock.try_write(&members), Err(NotAcquired::Held(Some(members.me()))));
    /// ```
    pub fn try_write(&self, members: &Members<'_>) -> Write {
        self.head.write(&self.cells, members, Spin::none(), Deadline::Passed)
    }

    /// As [`write`](Self::write), but gives up after `timeout` on the monotonic clock; a zero `timeout`
    /// tries for as long as the spinning lasts, one too long for the clock is for ever.
    ///
    /// # Errors
    ///
    /// As [`try_write`](Self::try_write).
    ///
    /// ```
    /// # use ndshm_sync::RawRwLock;
    /// # use std::time::Duration;
    /// # let members = ndshm_testkit::members!();
    /// let lock = RawRwLock::<8>::new();
    /// let _seat = lock.read(&members);
    /// assert!(lock.write_timeout(&members, Duration::from_millis(5)).is_err());
    /// assert!(lock.try_read(&members).is_ok()); // readers come in again
    /// ```
    pub fn write_timeout(&self, members: &Members<'_>, timeout: Duration) -> Write {
        self.head.write(&self.cells, members, Spin::for_lock(), Deadline::after(timeout))
    }

    /// As [`write_timeout`](Self::write_timeout), until a moment on the monotonic clock.
    ///
    /// # Errors
    ///
    /// As [`try_write`](Self::try_write).
    ///
    /// ```
    /// # use ndshm_sync::RawRwLock;
    /// # use std::time::Instant;
    /// # let members = ndshm_testkit::members!();
    /// let lock = RawRwLock::<8>::new();
    /// let _seat = lock.read(&members);
    /// assert!(lock.write_deadline(&members, Instant::now()).is_err());
    /// ```
    pub fn write_deadline(&self, members: &Members<'_>, deadline: Instant) -> Write {
        self.head.write(&self.cells, members, Spin::for_lock(), Deadline::At(deadline))
    }

    /// Gives a share back, and wakes who waits for it: one compare-and-swap, and a system call where
    /// somebody sleeps. Does nothing in a forked child.
    ///
    /// # Safety
    ///
    /// The seat was had from this lock by this membership, and what the lock guards is no longer
    /// referred to by its holder.
    ///
    /// ```
    /// # use ndshm_sync::RawRwLock;
    /// # let members = ndshm_testkit::members!();
    /// let lock = RawRwLock::<8>::new();
    /// let Ok((_, seat)) = lock.read(&members) else { unreachable!("nobody writes") };
    /// // SAFETY: the seat is of this lock and membership.
    /// unsafe { lock.read_unlock(seat, &members) };
    /// assert!(lock.try_write(&members).is_ok());
    /// ```
    #[inline]
    pub unsafe fn read_unlock(&self, seat: ReaderSeat, members: &Members<'_>) {
        // SAFETY: as the caller promises.
        unsafe { self.head.read_unlock(&self.cells[seat.0], members) };
    }

    /// Releases the whole lock, and wakes who waits for it: one store, and system calls where somebody
    /// sleeps. Poison stays. Does nothing in a forked child.
    ///
    /// # Safety
    ///
    /// This membership holds the whole lock, and what it guards is no longer referred to.
    ///
    /// ```
    /// # use ndshm_sync::RawRwLock;
    /// # let members = ndshm_testkit::members!();
    /// let lock = RawRwLock::<8>::new();
    /// let _ = lock.write(&members);
    /// // SAFETY: locked above, and no guard stands for it.
    /// unsafe { lock.write_unlock(&members) };
    /// assert_eq!(lock.writer(), None);
    /// ```
    #[inline]
    pub unsafe fn write_unlock(&self, members: &Members<'_>) {
        // SAFETY: as the caller promises.
        unsafe { self.head.write_unlock(members) };
    }

    /// Marks what the lock guards as half-changed by a panic of this process. The lock stays held.
    ///
    /// # Safety
    ///
    /// This membership holds the whole lock.
    ///
    /// ```
    /// # use ndshm_sync::RawRwLock;
    /// # let members = ndshm_testkit::members!();
    /// let lock = RawRwLock::<8>::new();
    /// let _ = lock.write(&members);
    /// // SAFETY: locked above.
    /// unsafe { lock.poison(&members) };
    /// assert!(lock.is_poisoned());
    /// ```
    #[cold]
    pub unsafe fn poison(&self, members: &Members<'_>) {
        // SAFETY: as the caller promises.
        unsafe { self.head.writer.poison(members) };
    }

    /// Declares what the lock guards whole again. The lock stays held.
    ///
    /// # Safety
    ///
    /// This membership holds the whole lock.
    ///
    /// ```
    /// # use ndshm_sync::RawRwLock;
    /// # let members = ndshm_testkit::members!();
    /// let lock = RawRwLock::<8>::new();
    /// let _ = lock.write(&members);
    /// # // SAFETY: locked above.
    /// # unsafe { lock.poison(&members) };
    /// // SAFETY: locked above.
    /// unsafe { lock.clear_poison(&members) };
    /// assert!(!lock.is_poisoned());
    /// ```
    pub unsafe fn clear_poison(&self, members: &Members<'_>) {
        // SAFETY: as the caller promises.
        unsafe { self.head.writer.clear_poison(members) };
    }

    /// Who writes, or waits for readers to go in order to, at this moment. One load.
    ///
    /// ```
    /// # use ndshm_sync::RawRwLock;
    /// assert_eq!(RawRwLock::<8>::new().writer(), None);
    /// ```
    #[must_use]
    pub fn writer(&self) -> Option<MemberId> {
        self.head.writer.owner()
    }

    /// Who reads at this moment, each once for every cell it sits in. `READERS` loads.
    ///
    /// ```
    /// # use ndshm_sync::RawRwLock;
    /// # let members = ndshm_testkit::members!();
    /// let lock = RawRwLock::<8>::new();
    /// let _seat = lock.read(&members);
    /// assert!(lock.readers().eq([members.me()]));
    /// ```
    pub fn readers(&self) -> impl Iterator<Item = MemberId> + '_ {
        self.cells.iter().filter_map(ReaderCell::owner)
    }

    /// Whether the lock is poisoned at this moment. One load.
    ///
    /// ```
    /// # use ndshm_sync::RawRwLock;
    /// assert!(!RawRwLock::<8>::new().is_poisoned());
    /// ```
    #[must_use]
    pub fn is_poisoned(&self) -> bool {
        self.head.writer.is_poisoned()
    }

    /// Who poisoned the lock, where nobody has cleared that. Two loads.
    ///
    /// ```
    /// # use ndshm_sync::RawRwLock;
    /// # let members = ndshm_testkit::members!();
    /// assert_eq!(RawRwLock::<8>::new().poisoned_by(&members), None);
    /// ```
    #[must_use]
    pub fn poisoned_by(&self, members: &Members<'_>) -> Option<Culprit> {
        self.head.writer.poisoned_by(members)
    }

    /// Whether anybody sleeps on the lock, or slept and has not been missed yet. Three loads.
    ///
    /// ```
    /// # use ndshm_sync::RawRwLock;
    /// assert!(!RawRwLock::<8>::new().has_sleepers());
    /// ```
    #[must_use]
    pub fn has_sleepers(&self) -> bool {
        self.head.has_sleepers()
    }

    #[cold]
    fn read_slowly(&self, members: &Members<'_>, spin: Spin, deadline: Deadline) -> Read {
        self.head.read_slowly(&self.cells, members, spin, deadline)
    }
}

impl<const READERS: usize> Default for RawRwLock<READERS> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::mem::offset_of;

    #[test]
    fn the_layout_is_as_documented() {
        assert_eq!((size_of::<RawRwLock<3>>(), align_of::<RawRwLock<3>>()), (256, 64));
        assert_eq!(offset_of!(RawRwLock<3>, head), 0);
        assert_eq!(offset_of!(RawRwLock<3>, cells), 64);
    }
}
