//! A value of which readers take copies.

use std::cell::UnsafeCell;
use std::mem::MaybeUninit;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::ptr::NonNull;
use std::slice;
use std::time::{Duration, Instant};

use bytemuck::{Pod, bytes_of, bytes_of_mut};

use super::raw::{Copies, Versions};
use crate::atomic::AtomicU64;
use crate::inspect::{Holder, Inspection, debug_as_inspected};
use crate::layout::{Kind, Layout, LayoutError, Place};
use crate::member::{Member, Members};
use crate::mutex::{Acquired, LockError, NotAcquired, RawMutex};
use crate::once::initialise;
use crate::wait::Deadline;

/// A sequence lock and the two copies of its value, as they lie in shared memory. Valid when zeroed.
///
/// # Layout
///
/// Aligned to 64 bytes. *s* is `size_of::<T>()`, rounded up to a multiple of 8 and of `T`'s alignment.
///
/// | offset | size | what |
/// |---|---|---|
/// | 0 | 8 | what lies here, written once by [`Layout`]; bit 63 once the first value was written, under the lock |
/// | 8 | 24 | the writers' lock, a [`RawMutex`] |
/// | 32 | 32 | zero |
/// | 64 | 8 | *n*, the version to be read |
/// | 72 | 8 | the last version that anybody has begun to write: *n*, or *n* + 1 |
/// | 80 | *s* | the version whose number is even, at the next multiple of `T`'s alignment |
/// | | *s* | the version whose number is odd |
///
/// Readers load the line at 64 and what follows it; a `T` of up to 24 bytes is in that line.
///
/// ```
/// use ndshm_sync::SeqLockCell;
///
/// assert_eq!(size_of::<SeqLockCell<[f64; 3]>>(), 128);
/// assert_eq!(size_of::<SeqLockCell<[f64; 4]>>(), 192);
/// ```
#[repr(C, align(64))]
#[derive(Debug)]
pub struct SeqLockCell<T> {
    place: Place,
    writers: RawMutex,
    reserved: [u64; 4],
    versions: Versions,
    /// # Invariants
    ///
    /// 1. Reached only as atomic words, through `SeqLock::copies`.
    copies: [UnsafeCell<Slot<T>>; 2],
}

/// Room for a `T`, in whole words.
#[repr(C, align(8))]
struct Slot<T>(MaybeUninit<T>);

// SAFETY: the copies are reached as atomics only (copies invariant 1); values pass from process to
// process by way of them, and `T` is `Pod`, so it is plain bytes.
unsafe impl<T: Pod + Send> Sync for SeqLockCell<T> {}

/// This process's handle on a sequence lock in shared memory: a value that writers replace as a whole,
/// one after another, and of which readers take copies without waiting for anybody.
///
/// A read loads two words and the value, and stores nothing, so any number of readers costs a writer
/// nothing. For small values that change often and are read often: positions, prices, settings, progress.
///
/// - **Readers** never wait: neither for a writer that holds the lock, dead, stopped or slow, nor for
///   each other. There are two copies of the value, and writers fill the one that is not read. A reader
///   begins anew only where in the time of its copying a version was published and the next one begun; so
///   while it makes no progress, writers do. It works in a forked child, too.
/// - **Death** of a writer throws its unfinished write away, and nothing else: the last value stays readable,
///   the next writer takes the lock over, and is told who that was. There is no poison: no reader can see
///   half a value.
/// - **Waiting**, of writers only: spins for at most a tenth of a millisecond, then sleeps, and looks
///   every 40 ms whether the holder still lives. A stopped writer (SIGSTOP) is waited for.
///
/// ```
/// # use std::os::fd::AsFd;
/// # use ndshm_sync::{Members, Region, SeqLock};
/// # let (base, file) = ndshm_testkit::map_memfd(1 << 16);
/// # // SAFETY: fresh zeroed memory, used for nothing else.
/// # let region = unsafe { Region::new(base, 1 << 16, file.as_fd()) };
/// let members = Members::join(region)?;
/// let position: SeqLock<'_, [f64; 3]> = members.layout().seqlock([0.0; 3])?;
/// position.write([1.0, 2.0, 3.0])?;
/// assert_eq!(position.read(), [1.0, 2.0, 3.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// What cannot be shared does not compile:
///
/// ```compile_fail,E0277
/// # fn f(members: ndshm_sync::Members<'_>) {
/// let name = members.layout().seqlock(String::new()); // `String` is not plain bytes
/// # }
/// ```
pub struct SeqLock<'m, T> {
    cell: &'m SeqLockCell<T>,
    members: &'m Members<'m>,
}

debug_as_inspected!([T: Pod] SeqLock<'_, T>);

/// Another handle on the same lock.
impl<T> Clone for SeqLock<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for SeqLock<'_, T> {}

// A panic in `update` publishes nothing.
impl<T> UnwindSafe for SeqLock<'_, T> {}
impl<T> RefUnwindSafe for SeqLock<'_, T> {}

/// What a writer is told: whose unfinished write was thrown away, if anybody's was.
type Written = Result<Option<Member>, LockError<()>>;

impl<'m, T: Pod> SeqLock<'m, T> {
    /// The lock at `cell`, for this membership; `initial` becomes its value if it has none yet.
    ///
    /// [`Layout::seqlock`] finds the place, and is safe. This is for memory that is laid out otherwise.
    /// Where another process is just writing the first value, it waits for that.
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
    /// use ndshm_sync::{Members, Region, SeqLock};
    ///
    /// # let (base, file) = ndshm_testkit::map_memfd(1 << 16);
    /// # // SAFETY: fresh zeroed memory, used for nothing else.
    /// # let region = unsafe { Region::new(base, 1 << 16, file.as_fd()) };
    /// let members = Members::join(region)?;
    /// // SAFETY: the region goes on behind the table.
    /// let cell = unsafe { base.add(Members::SIZE) }.cast();
    /// // SAFETY: aligned to 64, mapped as long as `members` lives, zero; nothing else is there.
    /// let price = unsafe { SeqLock::at(cell, 0.5_f64, &members) }?;
    /// assert_eq!(price.read(), 0.5);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub unsafe fn at(
        cell: NonNull<SeqLockCell<T>>,
        initial: T,
        members: &'m Members<'m>,
    ) -> Result<Self, LayoutError> {
        // SAFETY: aligned and mapped for `'m` (caller's promise); valid for any bytes.
        let cell: &'m SeqLockCell<T> = unsafe { cell.as_ref() };
        cell.place.settle(Place::describe(Kind::SeqLock, size_of::<T>()))?;
        let lock = Self { cell, members };
        lock.initialise(initial).map_err(|_| LayoutError::Forked)?;
        Ok(lock)
    }

    /// A copy of the value, as one writer wrote it. Never waits, and makes no system call: two loads
    /// and the copying; again where writers publish faster than it copies.
    ///
    /// ```
    /// # let members = ndshm_testkit::members!();
    /// let position = members.layout().seqlock([0.5_f64; 3])?;
    /// let [x, ..] = position.read();
    /// assert_eq!(x, 0.5);
    /// # Ok::<(), ndshm_sync::LayoutError>(())
    /// ```
    #[inline]
    #[must_use]
    pub fn read(&self) -> T {
        let mut value = T::zeroed();
        let (whole, rest) = bytes_of_mut(&mut value).as_chunks_mut();
        self.cell.versions.read(self.copies(), |i, word| match whole.get_mut(i) {
            Some(bytes) => *bytes = word.to_ne_bytes(),
            None => rest.copy_from_slice(&word.to_ne_bytes()[..rest.len()]),
        });
        value
    }

    /// The number of the version that [`read`](Self::read) would copy at this moment: how many writes
    /// there were. One load: cheaper than a read, for who only wants to know whether something changed.
    ///
    /// ```
    /// # let members = ndshm_testkit::members!();
    /// let price = members.layout().seqlock(1.5_f64)?;
    /// let seen = price.version();
    /// price.write(1.25)?;
    /// assert_eq!(price.version(), seen + 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn version(&self) -> u64 {
        self.cell.versions.published()
    }

    /// Replaces the value. Waits for other writers as long as they live.
    ///
    /// Returns whose unfinished write was thrown away: a writer that died since it had begun it, for whose
    /// lock this one is the next; where several did, one after another, the last.
    ///
    /// # Errors
    ///
    /// [`LockError::Forked`].
    ///
    /// ```
    /// # let members = ndshm_testkit::members!();
    /// let price = members.layout().seqlock(1.5_f64)?;
    /// if let Some(dead) = price.write(1.25)? {
    ///     println!("{dead} died while it wrote; its price was never seen");
    /// }
    /// assert_eq!(price.read(), 1.25);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn write(&self, value: T) -> Written {
        self.replace(self.cell.writers.lock(self.members), |_| value)
    }

    /// Replaces the value, if no living writer is at it, and does not wait.
    ///
    /// Returns as [`write`](Self::write).
    ///
    /// # Errors
    ///
    /// [`LockError::WouldBlock`], [`LockError::Forked`].
    ///
    /// ```
    /// # let members = ndshm_testkit::members!();
    /// let progress = members.layout().seqlock(0_u64)?;
    /// let _ = progress.try_write(10); // no matter if another just does
    /// assert_eq!(progress.read(), 10);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_write(&self, value: T) -> Written {
        let got = self.cell.writers.try_lock(self.members);
        self.replace(got, |_| value).map_err(LockError::of_a_try)
    }

    /// As [`write`](Self::write), but gives up after `timeout` on the monotonic clock; a zero `timeout`
    /// tries for as long as the spinning lasts, one too long for the clock is for ever.
    ///
    /// # Errors
    ///
    /// [`LockError::TimedOut`], [`LockError::Forked`].
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// # let members = ndshm_testkit::members!();
    /// let price = members.layout().seqlock(1.5_f64)?;
    /// price.write_timeout(1.25, Duration::from_secs(1))?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn write_timeout(&self, value: T, timeout: Duration) -> Written {
        self.replace(self.cell.writers.lock_timeout(self.members, timeout), |_| value)
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
    /// let price = members.layout().seqlock(1.5_f64)?;
    /// price.write_deadline(1.25, Instant::now() + Duration::from_secs(1))?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn write_deadline(&self, value: T, deadline: Instant) -> Written {
        self.replace(self.cell.writers.lock_deadline(self.members, deadline), |_| value)
    }

    /// Changes the value by `change`, which no other writer comes between; readers see the old one until
    /// it is through. Waits for other writers as long as they live.
    ///
    /// A panic in `change` publishes nothing. Writing to the same lock in `change` waits for ever.
    ///
    /// Returns as [`write`](Self::write).
    ///
    /// # Errors
    ///
    /// [`LockError::Forked`].
    ///
    /// ```
    /// # let members = ndshm_testkit::members!();
    /// let extent = members.layout().seqlock([f64::INFINITY, f64::NEG_INFINITY])?;
    /// extent.update(|[least, most]| {
    ///     *least = least.min(2.0);
    ///     *most = most.max(2.0);
    /// })?;
    /// assert_eq!(extent.read(), [2.0, 2.0]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn update(&self, change: impl FnOnce(&mut T)) -> Written {
        self.replace(self.cell.writers.lock(self.members), Self::changed_by(change))
    }

    /// As [`update`](Self::update), if no living writer is at it; does not wait.
    ///
    /// # Errors
    ///
    /// [`LockError::WouldBlock`], then `change` was not called; [`LockError::Forked`].
    ///
    /// ```
    /// # let members = ndshm_testkit::members!();
    /// let most = members.layout().seqlock(0_u64)?;
    /// most.try_update(|most| *most = 10.max(*most))?;
    /// assert_eq!(most.read(), 10);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_update(&self, change: impl FnOnce(&mut T)) -> Written {
        let got = self.cell.writers.try_lock(self.members);
        self.replace(got, Self::changed_by(change)).map_err(LockError::of_a_try)
    }

    /// As [`update`](Self::update), but gives up after `timeout` on the monotonic clock, as
    /// [`write_timeout`](Self::write_timeout) does.
    ///
    /// # Errors
    ///
    /// [`LockError::TimedOut`], then `change` was not called; [`LockError::Forked`].
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// # let members = ndshm_testkit::members!();
    /// let sum = members.layout().seqlock(0_u64)?;
    /// sum.update_timeout(Duration::from_secs(1), |sum| *sum += 10)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn update_timeout(&self, timeout: Duration, change: impl FnOnce(&mut T)) -> Written {
        let got = self.cell.writers.lock_timeout(self.members, timeout);
        self.replace(got, Self::changed_by(change))
    }

    /// As [`update_timeout`](Self::update_timeout), until a moment on the monotonic clock.
    ///
    /// # Errors
    ///
    /// As [`update_timeout`](Self::update_timeout).
    ///
    /// ```
    /// use std::time::{Duration, Instant};
    ///
    /// # let members = ndshm_testkit::members!();
    /// let sum = members.layout().seqlock(0_u64)?;
    /// sum.update_deadline(Instant::now() + Duration::from_secs(1), |sum| *sum += 10)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn update_deadline(&self, deadline: Instant, change: impl FnOnce(&mut T)) -> Written {
        let got = self.cell.writers.lock_deadline(self.members, deadline);
        self.replace(got, Self::changed_by(change))
    }

    /// What the lock is doing at this moment: its version, who writes and whether that member lives,
    /// whether other writers sleep. A system call where somebody writes.
    ///
    /// ```
    /// # let members = ndshm_testkit::members!();
    /// let price = members.layout().seqlock(1.5_f64)?;
    /// price.write(1.25)?;
    /// assert_eq!(price.inspect().to_string(), "seqlock: at version 1");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn inspect(&self) -> Inspection {
        let (writers, version) = (&self.cell.writers, self.version());
        let writer = writers.owner().map(|id| Holder::of(id, self.members));
        let written = if writer.is_some() { ", being written" } else { "" };
        Inspection {
            kind: "seqlock",
            state: format!("at version {version}{written}"),
            holders: writer.into_iter().collect(),
            sleepers: writers.has_sleepers(),
            poisoned_by: None,
        }
    }

    /// The value, read and changed, of a lock that is held.
    fn changed_by(change: impl FnOnce(&mut T)) -> impl FnOnce(&Self) -> T {
        |lock| {
            let mut value = lock.read();
            change(&mut value);
            value
        }
    }

    /// Publishes what `value` makes, where the writers' lock was had.
    fn replace(
        &self,
        got: Result<Acquired, NotAcquired>,
        value: impl FnOnce(&Self) -> T,
    ) -> Written {
        let got = got.map_err(|not| LockError::<()>::of(not, self.members))?;
        let SeqLockCell { writers, versions, .. } = self.cell;
        let _held = Held { writers, members: self.members };
        let lost = self.lost(got);
        let next = versions.begin();
        let value = value(self);
        if !self.members.is_mine() {
            return Err(LockError::Forked); // It has forked in there: the lock is the parent's.
        }
        versions.publish(next, self.copies(), words_of(&value));
        if got != Acquired::Clean {
            // SAFETY: held. Nothing is half-changed; and who was lost is told now: where `value`
            // panics, the next is told of both.
            unsafe { writers.clear_poison(self.members) };
        }
        Ok(lost)
    }

    /// Whose write was begun and not published; by the holder of the lock.
    fn lost(&self, got: Acquired) -> Option<Member> {
        let Acquired::Poisoned(by) = got else { return None };
        self.cell.versions.is_unfinished().then(|| self.members.describe(by.member()))
    }

    fn copies(&self) -> Copies<'m> {
        self.cell.copies.each_ref().map(|copy| {
            let words = copy.get().cast::<AtomicU64>();
            // SAFETY: inside the cell, which is mapped for `'m`; aligned to 8 and that many words long
            // (`Slot`); behind an `UnsafeCell`, valid for any bytes, and reached in no other way (copies
            // invariant 1).
            unsafe { slice::from_raw_parts(words, size_of::<Slot<T>>() / 8) }
        })
    }

    /// Writes the first value, unless somebody has: for a cell that may still be all zeroes.
    fn initialise(&self, value: T) -> Result<(), NotAcquired> {
        let SeqLockCell { place, writers, .. } = self.cell;
        initialise(place, writers, self.members, Deadline::Never, || {
            Versions::initialise(self.copies(), words_of(&value));
        })
    }
}

/// The bytes of `value` as words, the last one filled up with zeroes.
fn words_of<T: Pod>(value: &T) -> impl Iterator<Item = u64> {
    let (whole, rest) = bytes_of(value).as_chunks();
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    let whole = whole.iter().map(|&bytes| u64::from_ne_bytes(bytes));
    whole.chain((!rest.is_empty()).then_some(u64::from_ne_bytes(last)))
}

/// The writers' lock, until this is dropped.
struct Held<'m> {
    /// # Invariants
    ///
    /// 1. Held by `members`; no other value stands for that.
    writers: &'m RawMutex,
    members: &'m Members<'m>,
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        // SAFETY: held (writers invariant 1); the copies are lent to nobody.
        unsafe { self.writers.unlock(self.members) };
    }
}

impl<'m> Layout<'m> {
    /// The next thing of the region is a sequence lock around a `T`. Whoever asks first has `initial`
    /// written there; for a moment others wait for that.
    ///
    /// It takes `size_of::<SeqLockCell<T>>()` bytes: 128 for a `T` of up to 24, then twice its size.
    ///
    /// # Errors
    ///
    /// [`LayoutError::Full`], [`LayoutError::Differs`], [`LayoutError::Forked`].
    ///
    /// ```
    /// # let members = ndshm_testkit::members!();
    /// let mut layout = members.layout();
    /// let position = layout.seqlock([0.0_f64; 3])?;
    /// let progress = layout.seqlock(0_u32)?; // a place of its own
    /// progress.write(7)?;
    /// assert_eq!((position.read(), progress.read()), ([0.0; 3], 7));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn seqlock<T: Pod + Send>(&mut self, initial: T) -> Result<SeqLock<'m, T>, LayoutError> {
        let cell: NonNull<SeqLockCell<T>> = self.take(1)?;
        // SAFETY: in bounds and aligned (`take`), mapped for longer than `'m` (region invariant 1),
        // used by all in the same way, as members of the region's one table (region invariant 2).
        unsafe { SeqLock::at(cell, initial, self.members()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::mem::offset_of;

    #[test]
    fn the_layout_is_as_documented() {
        assert_eq!(offset_of!(SeqLockCell<u64>, writers), 8);
        assert_eq!(offset_of!(SeqLockCell<u64>, versions), 64);
        assert_eq!(offset_of!(SeqLockCell<u8>, copies), 80);
        assert_eq!(offset_of!(SeqLockCell<u128>, copies), 80);
        assert_eq!((size_of::<SeqLockCell<u64>>(), align_of::<SeqLockCell<u64>>()), (128, 64));
        assert_eq!([size_of::<Slot<u8>>(), size_of::<Slot<[u8; 9]>>()], [8, 16]);
        assert_eq!([size_of::<Slot<()>>(), size_of::<Slot<u128>>()], [0, 16]);
    }

    #[test]
    fn words_hold_all_bytes() {
        assert_eq!(words_of(&()).count(), 0);
        assert!(words_of(&[1_u8, 0, 0]).eq([u64::from_ne_bytes([1, 0, 0, 0, 0, 0, 0, 0])]));
        let nine: Vec<_> = words_of(&[0xff_u8; 9]).collect();
        assert_eq!(nine, [u64::MAX, u64::from_ne_bytes([0xff, 0, 0, 0, 0, 0, 0, 0])]);
        assert_eq!(words_of(&[7_u64; 5]).collect::<Vec<_>>(), [7; 5]);
    }
}
