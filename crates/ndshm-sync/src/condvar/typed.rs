//! The handle that a process works with.

use std::ptr::NonNull;
use std::time::{Duration, Instant};

use super::raw::RawCondvar;
use super::timeout::{TimedGuard, WaitTimeoutResult};
use crate::inspect::{Inspection, debug_as_inspected};
use crate::layout::{Kind, Layout, LayoutError, Place};
use crate::member::Members;
use crate::mutex::{LockError, MutexGuard, Unlocked};
use crate::wait::{Deadline, Spin};

/// The longest that anybody waits without looking at what it waits for. It bounds what the death of
/// one that was about to notify can cost.
const RELOOK: Duration = Duration::from_secs(1);

/// A condvar as it lies in shared memory. Valid when zeroed.
///
/// # Layout
///
/// | offset | size | what |
/// |---|---|---|
/// | 0 | 8 | what lies here, written once by [`Layout`](crate::Layout) |
/// | 8 | 4 | bit 0: somebody waits; bit 1: somebody sleeps; bits 2-31: counts notifications, wraps; the futex |
/// | 12 | 52 | zero |
///
/// ```
/// use ndshm_sync::CondvarCell;
///
/// assert_eq!((size_of::<CondvarCell>(), align_of::<CondvarCell>()), (64, 64));
/// ```
#[repr(C, align(64))]
#[derive(Debug)]
pub struct CondvarCell {
    place: Place,
    raw: RawCondvar,
    reserved: [u32; 13],
}

/// This process's handle on a condvar in shared memory: waits, without a [`Mutex`](crate::Mutex),
/// until another process has made something true under that mutex.
///
/// As `std::sync::Condvar`, across processes:
///
/// - **Spurious returns** happen, so look again in a loop, or use [`wait_while`](Self::wait_while).
///   Every wait returns at least once a second; and where one of several waiters was notified, the
///   others return too, after at most 40 ms.
/// - **Death.** That is why no death hangs anybody: a notification that its receiver took to the grave,
///   or that its sender died before sending, is made up for. Where a member dies, or panics, *with the
///   mutex*, all who wait come back within 40 ms, with [`LockError::Poisoned`]. So notify before you
///   drop the guard, where waiters should hear of a death in between sooner than in a second. (That
///   one which was to notify has died long before is not seen here: wait with a time-out, and ask
///   [`Members::is_alive`].)
/// - **Waiting.** Spins for at most a tenth of a millisecond, then sleeps. Signals do not cut a wait
///   short. Waiters are not served in order.
/// - **Which mutex.** Any, of any membership or region; what counts is that waiters and those who notify
///   them use the same one. Waiting with two mutexes at one condvar does no harm (`std` may panic):
///   a notification may then reach one that waits for something else, so notify all.
///
/// A notification is one load where nobody waits; else a compare-and-swap, and a system call where
/// somebody sleeps.
///
/// ```
/// # let members = ndshm_testkit::members!();
/// let mut layout = members.layout();
/// let (ready, changed) = (layout.mutex(0_u32)?, layout.condvar()?);
/// std::thread::scope(|s| {
///     // In real life another process, with handles of its own:
///     s.spawn(|| {
///         *ready.lock().unwrap() = 1;
///         changed.notify_one();
///     });
///     let guard = changed.wait_while(ready.lock()?, |ready| *ready == 0)?;
///     assert_eq!(*guard, 1);
///     Ok::<(), Box<dyn std::error::Error>>(())
/// })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy)]
pub struct Condvar<'m> {
    cell: &'m CondvarCell,
    members: &'m Members<'m>,
}

debug_as_inspected!([] Condvar<'_>);

/// A guard that came back, as the result of a wait.
type Waited<G> = Result<G, LockError<G>>;

impl<'m> Condvar<'m> {
    /// The condvar at `cell`, for this membership.
    ///
    /// [`Layout::condvar`](crate::Layout::condvar) finds the place, and is safe. This is for memory that
    /// is laid out otherwise.
    ///
    /// # Errors
    ///
    /// [`LayoutError::Differs`] where something else lies there.
    ///
    /// # Safety
    ///
    /// `cell` is aligned, mapped shared for `'m`, and was zero before its first use; every process
    /// uses it through this function.
    ///
    /// ```
    /// # use std::os::fd::AsFd;
    /// use ndshm_sync::{Condvar, Members, Region};
    ///
    /// # let (base, file) = ndshm_testkit::map_memfd(1 << 16);
    /// # // SAFETY: fresh zeroed memory, used for nothing else.
    /// # let region = unsafe { Region::new(base, 1 << 16, file.as_fd()) };
    /// let members = Members::join(region)?;
    /// // SAFETY: the region goes on behind the table.
    /// let cell = unsafe { base.add(Members::SIZE) }.cast();
    /// // SAFETY: aligned to 64, mapped as long as `members` lives, zero; nothing else is there.
    /// let changed = unsafe { Condvar::at(cell, &members) }?;
    /// changed.notify_all(); // nobody waits
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub unsafe fn at(
        cell: NonNull<CondvarCell>,
        members: &'m Members<'m>,
    ) -> Result<Self, LayoutError> {
        // SAFETY: aligned and mapped for `'m` (caller's promise); made of atomics.
        let cell: &'m CondvarCell = unsafe { cell.as_ref() };
        cell.place.settle(Place::describe(Kind::Condvar, 0))?;
        Ok(Self { cell, members })
    }

    /// Unlocks, waits until somebody notifies, and locks again. May return without a notification: look
    /// again.
    ///
    /// # Errors
    ///
    /// As [`Mutex::lock`](crate::Mutex::lock): [`LockError::Poisoned`] with the guard inside,
    /// [`LockError::Forked`].
    ///
    /// ```
    /// # let members = ndshm_testkit::members!();
    /// # let mut layout = members.layout();
    /// let (queue, changed) = (layout.mutex([0_u32; 4])?, layout.condvar()?);
    /// # std::thread::scope(|s| {
    /// # s.spawn(|| { queue.lock().unwrap()[0] = 7; changed.notify_one() });
    /// let mut guard = queue.lock()?;
    /// while guard[0] == 0 {
    ///     guard = changed.wait(guard)?;
    /// }
    /// assert_eq!(guard[0], 7);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn wait<'g, T>(&self, guard: MutexGuard<'g, T>) -> Waited<MutexGuard<'g, T>> {
        let (lock, _) = self.sleep(guard, Deadline::Never)?;
        lock.lock()
    }

    /// Waits as long as `condition` says so of the value; it is asked with the mutex held.
    ///
    /// # Errors
    ///
    /// As [`wait`](Self::wait); then the condition may still hold.
    ///
    /// ```
    /// # let members = ndshm_testkit::members!();
    /// # let mut layout = members.layout();
    /// let (left, changed) = (layout.mutex(2_u32)?, layout.condvar()?);
    /// # std::thread::scope(|s| {
    /// # for _ in 0..2 { s.spawn(|| { *left.lock().unwrap() -= 1; changed.notify_one() }); }
    /// let guard = changed.wait_while(left.lock()?, |left| *left > 0)?;
    /// assert_eq!(*guard, 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn wait_while<'g, T>(
        &self,
        mut guard: MutexGuard<'g, T>,
        mut condition: impl FnMut(&mut T) -> bool,
    ) -> Waited<MutexGuard<'g, T>> {
        while condition(&mut guard) {
            guard = self.wait(guard)?;
        }
        Ok(guard)
    }

    /// As [`wait`](Self::wait), for at most `timeout` on the monotonic clock; one too long for the
    /// clock is for ever. Then it locks again, for which there is no time-out.
    ///
    /// # Errors
    ///
    /// As [`wait`](Self::wait), with both inside.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// # let members = ndshm_testkit::members!();
    /// # let mut layout = members.layout();
    /// let (queue, changed) = (layout.mutex([0_u32; 4])?, layout.condvar()?);
    /// let (guard, result) = changed.wait_timeout(queue.lock()?, Duration::from_millis(2))?;
    /// assert!(result.timed_out() && guard[0] == 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn wait_timeout<'g, T>(
        &self,
        guard: MutexGuard<'g, T>,
        timeout: Duration,
    ) -> Waited<TimedGuard<'g, T>> {
        self.wait_until(guard, Deadline::after(timeout))
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
    /// # let mut layout = members.layout();
    /// let (ready, changed) = (layout.mutex(0_u32)?, layout.condvar()?);
    /// let deadline = Instant::now() + Duration::from_millis(2);
    /// let mut guard = ready.lock()?;
    /// while *guard == 0 {
    ///     let result;
    ///     (guard, result) = changed.wait_deadline(guard, deadline)?;
    ///     if result.timed_out() {
    ///         break;
    ///     }
    /// }
    /// assert_eq!(*guard, 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn wait_deadline<'g, T>(
        &self,
        guard: MutexGuard<'g, T>,
        deadline: Instant,
    ) -> Waited<TimedGuard<'g, T>> {
        self.wait_until(guard, Deadline::At(deadline))
    }

    /// As [`wait_while`](Self::wait_while), for at most `timeout` in all. Where it timed out, the
    /// condition still holds.
    ///
    /// # Errors
    ///
    /// As [`wait_timeout`](Self::wait_timeout).
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// # let members = ndshm_testkit::members!();
    /// # let mut layout = members.layout();
    /// let (ready, changed) = (layout.mutex(0_u32)?, layout.condvar()?);
    /// let most = Duration::from_millis(2);
    /// let (guard, result) = changed.wait_timeout_while(ready.lock()?, most, |r| *r == 0)?;
    /// assert!(result.timed_out() && *guard == 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn wait_timeout_while<'g, T>(
        &self,
        guard: MutexGuard<'g, T>,
        timeout: Duration,
        condition: impl FnMut(&mut T) -> bool,
    ) -> Waited<TimedGuard<'g, T>> {
        self.wait_until_while(guard, Deadline::after(timeout), condition)
    }

    /// As [`wait_timeout_while`](Self::wait_timeout_while), until a moment on the monotonic clock.
    ///
    /// # Errors
    ///
    /// As [`wait_timeout`](Self::wait_timeout).
    ///
    /// ```
    /// use std::time::{Duration, Instant};
    ///
    /// # let members = ndshm_testkit::members!();
    /// # let mut layout = members.layout();
    /// let (ready, changed) = (layout.mutex(0_u32)?, layout.condvar()?);
    /// let deadline = Instant::now() + Duration::from_millis(2);
    /// let (guard, result) = changed.wait_deadline_while(ready.lock()?, deadline, |r| *r == 0)?;
    /// assert!(result.timed_out() && *guard == 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn wait_deadline_while<'g, T>(
        &self,
        guard: MutexGuard<'g, T>,
        deadline: Instant,
        condition: impl FnMut(&mut T) -> bool,
    ) -> Waited<TimedGuard<'g, T>> {
        self.wait_until_while(guard, Deadline::At(deadline), condition)
    }

    /// Lets one of those who wait go on, at least. Never waits; one load where nobody waits. Does nothing in
    /// a forked child.
    ///
    /// With the mutex held or not: held, a death in between is noticed sooner; not held, the one that
    /// wakes need not wait for the mutex.
    ///
    /// ```
    /// # let members = ndshm_testkit::members!();
    /// # let mut layout = members.layout();
    /// let (ready, changed) = (layout.mutex(0_u32)?, layout.condvar()?);
    /// *ready.lock()? = 1;
    /// changed.notify_one();
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline]
    pub fn notify_one(&self) {
        if self.members.is_mine() {
            self.cell.raw.notify_one(self.members);
        }
    }

    /// Lets all who wait go on. Never waits; one load where nobody waits. Does nothing in a forked child.
    ///
    /// ```
    /// # let members = ndshm_testkit::members!();
    /// # let mut layout = members.layout();
    /// let (stop, changed) = (layout.mutex(0_u32)?, layout.condvar()?);
    /// *stop.lock()? = 1;
    /// changed.notify_all(); // different processes may wait for different things
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline]
    pub fn notify_all(&self) {
        if self.members.is_mine() {
            self.cell.raw.notify_all(self.members);
        }
    }

    /// What the condvar is doing at this moment: whether anybody waits. Two loads.
    ///
    /// ```
    /// # let members = ndshm_testkit::members!();
    /// let changed = members.layout().condvar()?;
    /// assert_eq!(changed.inspect().to_string(), "condvar: nobody waits");
    /// # Ok::<(), ndshm_sync::LayoutError>(())
    /// ```
    #[must_use]
    pub fn inspect(&self) -> Inspection {
        let raw = &self.cell.raw;
        Inspection {
            kind: "condvar",
            state: if raw.anybody() { "waited for" } else { "nobody waits" }.to_owned(),
            holders: Vec::new(),
            sleepers: raw.has_sleepers(),
            poisoned_by: None,
        }
    }

    fn wait_until<'g, T>(
        &self,
        guard: MutexGuard<'g, T>,
        deadline: Deadline,
    ) -> Waited<TimedGuard<'g, T>> {
        let (lock, result) = self.sleep(guard, deadline)?;
        match lock.lock() {
            Ok(guard) => Ok((guard, result)),
            Err(e) => Err(e.map(|guard| (guard, result))),
        }
    }

    fn wait_until_while<'g, T>(
        &self,
        mut guard: MutexGuard<'g, T>,
        deadline: Deadline,
        mut condition: impl FnMut(&mut T) -> bool,
    ) -> Waited<TimedGuard<'g, T>> {
        let mut result = WaitTimeoutResult { timed_out: false };
        while condition(&mut guard) {
            if result.timed_out {
                return Ok((guard, result));
            }
            (guard, result) = self.wait_until(guard, deadline)?;
        }
        Ok((guard, WaitTimeoutResult { timed_out: false }))
    }

    /// Unlocks and waits; gives back what it takes to lock again.
    fn sleep<'g, T, G>(
        &self,
        guard: MutexGuard<'g, T>,
        deadline: Deadline,
    ) -> Result<(Unlocked<'g, T>, WaitTimeoutResult), LockError<G>> {
        let lock = guard.lock_of();
        let (raw, members) = (lock.raw(), lock.members());
        if !self.members.is_mine() || !members.is_mine() {
            return Err(LockError::Forked);
        }
        let poisoned_before = raw.is_poisoned();
        let ticket = self.cell.raw.register();
        drop(guard);
        let mut since = None;
        let look = || {
            // Nobody may ever notify again, or need the mutex, if its holder died.
            raw.is_orphaned(members)
                || !poisoned_before && raw.is_poisoned()
                || since.get_or_insert_with(Instant::now).elapsed() > RELOOK
        };
        let mut spin = Spin::for_parties(2);
        let called = self.cell.raw.wait(self.members, ticket, &mut spin, deadline, look);
        Ok((lock, WaitTimeoutResult { timed_out: !called }))
    }
}

impl<'m> Layout<'m> {
    /// The next thing of the region is a condvar. It takes 64 bytes. Does not wait.
    ///
    /// # Errors
    ///
    /// [`LayoutError::Full`], [`LayoutError::Differs`], [`LayoutError::Forked`].
    ///
    /// ```
    /// # let members = ndshm_testkit::members!();
    /// let mut layout = members.layout();
    /// let (queue, not_empty, not_full) =
    ///     (layout.mutex([0_u64; 16])?, layout.condvar()?, layout.condvar()?);
    /// # let _ = (queue, not_empty, not_full);
    /// # Ok::<(), ndshm_sync::LayoutError>(())
    /// ```
    pub fn condvar(&mut self) -> Result<Condvar<'m>, LayoutError> {
        let cell = self.take(1)?;
        // SAFETY: in bounds and aligned (`take`), mapped for longer than `'m` (region invariant 1),
        // used by all in the same way (region invariant 2).
        unsafe { Condvar::at(cell, self.members()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::mem::offset_of;

    #[test]
    fn the_layout_is_as_documented() {
        assert_eq!(offset_of!(CondvarCell, place), 0);
        assert_eq!(offset_of!(CondvarCell, raw), 8);
        assert_eq!((size_of::<CondvarCell>(), align_of::<CondvarCell>()), (64, 64));
    }

    #[test]
    fn a_notification_takes_the_flags_that_nobody_needs() {
        let members = ndshm_testkit::members!();
        let mut layout = members.layout();
        let (mutex, condvar) = (layout.mutex(0_u64).unwrap(), layout.condvar().unwrap());
        let raw = &condvar.cell.raw;
        let flags = || (raw.anybody(), raw.has_sleepers());
        let before = raw.register();
        assert_eq!(flags(), (true, false));
        condvar.notify_one();
        assert_eq!(flags(), (false, false));
        let after = raw.register();
        condvar.notify_all();
        for ticket in [before, after] {
            let mut spin = Spin::none();
            assert!(raw.wait(&members, ticket, &mut spin, Deadline::Passed, || false));
        }
        // One that slept and is gone: a wake-up finds nobody, and the flags go.
        // Longer than it spins, and than it may lose the processor meanwhile.
        let timeout = Duration::from_millis(200);
        let (guard, result) = condvar.wait_timeout(mutex.lock().unwrap(), timeout).unwrap();
        assert!(result.timed_out());
        assert_eq!(flags(), (true, true));
        condvar.notify_one();
        assert_eq!(flags(), (false, false));
        drop(guard);
    }
}
