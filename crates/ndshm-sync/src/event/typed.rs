//! The handle that a process works with.

use std::ptr::NonNull;
use std::time::{Duration, Instant};

use super::raw::{RawEvent, Sets, Undone};
use crate::inspect::{Inspection, debug_as_inspected};
use crate::layout::{Kind, Layout, LayoutError, Place};
use crate::member::Members;
use crate::wait::{Deadline, Spin};
use crate::wait_error::WaitError;

/// An event as it lies in shared memory. Valid when zeroed.
///
/// # Layout
///
/// | offset | size | what |
/// |---|---|---|
/// | 0 | 8 | what lies here, and who resets it; written once by [`Layout`](crate::Layout) |
/// | 8 | 8 | how often it was set |
/// | 16 | 4 | odd while somebody sleeps, or slept and has not been missed yet; counts; the futex |
/// | 20 | 44 | zero |
/// | 64 | 8 | how many of the sets are over: the event is set while this is less |
/// | 72 | 56 | zero |
///
/// ```
/// use ndshm_sync::EventCell;
///
/// assert_eq!((size_of::<EventCell>(), align_of::<EventCell>()), (128, 64));
/// ```
#[repr(C, align(64))]
#[derive(Debug)]
pub struct EventCell {
    place: Place,
    sets: Sets,
    reserved: [u64; 5],
    undone: Undone,
    also_reserved: [u64; 7],
}

/// Who takes an event back. Every process has to say the same.
///
/// ```
/// use ndshm_sync::{LayoutError, Members, Reset};
///
/// # let members = ndshm_testkit::members!();
/// members.layout().event(Reset::Manual)?;
/// let other = Members::join(members.region())?; // another process, say
/// assert!(matches!(other.layout().event(Reset::Auto), Err(LayoutError::Differs { .. })));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reset {
    /// It stays set until [`Event::reset`], and lets all go on.
    Manual,
    /// One waiter goes on, and with that it is not set any more.
    Auto,
}

impl Reset {
    const fn kind(self) -> Kind {
        match self {
            Self::Manual => Kind::Event,
            Self::Auto => Kind::AutoEvent,
        }
    }
}

/// This process's handle on an event in shared memory: something that has happened, or not yet.
///
/// - **[`Reset::Manual`]**: once set, all that wait go on, and all that come, until it is reset. Who
///   waits when it is set goes on even where it is reset at once.
/// - **[`Reset::Auto`]**: lets one go on for each time that it is set; setting it again before anybody
///   went on changes nothing.
/// - **Seen.** One that goes on sees what all wrote who set it before.
/// - **Death.** Nobody owns it. A death between setting and waking costs those that sleep the rest of
///   their slice of 40 ms; one that an auto-reset event let go, and died of it, has had it. That who was
///   to set it has died is not seen here: wait with a time-out, and ask [`Members::is_alive`].
/// - **Waiting.** Spins for at most a tenth of a millisecond, as fast as on a bare atomic where each
///   side has a processor; then sleeps. Signals do not cut a wait short.
/// - **Cost.** To set is one addition, and a system call where somebody sleeps; to wait for what is set,
///   two loads, and for auto-reset one compare-and-swap.
///
/// ```
/// use ndshm_sync::Reset;
///
/// # let members = ndshm_testkit::members!();
/// let loaded = members.layout().event(Reset::Manual)?;
/// std::thread::scope(|s| {
///     // In real life another process, with a handle of its own:
///     s.spawn(|| loaded.set());
///     loaded.wait()
/// })?;
/// assert!(loaded.is_set());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy)]
pub struct Event<'m> {
    raw: RawEvent<'m>,
    members: &'m Members<'m>,
}

debug_as_inspected!([] Event<'_>);

impl<'m> Event<'m> {
    /// The event at `cell`, for this membership.
    ///
    /// [`Layout::event`](crate::Layout::event) finds the place, and is safe. This is for memory that is
    /// laid out otherwise.
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
    /// use ndshm_sync::{Event, Members, Region, Reset};
    ///
    /// # let (base, file) = ndshm_testkit::map_memfd(1 << 16);
    /// # // SAFETY: fresh zeroed memory, used for nothing else.
    /// # let region = unsafe { Region::new(base, 1 << 16, file.as_fd()) };
    /// let members = Members::join(region)?;
    /// // SAFETY: the region goes on behind the table.
    /// let cell = unsafe { base.add(Members::SIZE) }.cast();
    /// // SAFETY: aligned to 64, mapped as long as `members` lives, zero; nothing else is there.
    /// let ready = unsafe { Event::at(cell, Reset::Manual, &members) }?;
    /// assert!(!ready.is_set());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub unsafe fn at(
        cell: NonNull<EventCell>,
        reset: Reset,
        members: &'m Members<'m>,
    ) -> Result<Self, LayoutError> {
        // SAFETY: aligned and mapped for `'m` (caller's promise); made of atomics.
        let cell: &'m EventCell = unsafe { cell.as_ref() };
        cell.place.settle(Place::describe(reset.kind(), 0))?;
        let auto = reset == Reset::Auto;
        Ok(Self { raw: RawEvent { sets: &cell.sets, undone: &cell.undone, auto }, members })
    }

    /// Sets it, and wakes those who may go on. Never waits; does nothing in a forked child. One addition,
    /// and a system call where somebody sleeps.
    ///
    /// ```
    /// # use ndshm_sync::Reset;
    /// # let members = ndshm_testkit::members!();
    /// let turn = members.layout().event(Reset::Auto)?;
    /// turn.set();
    /// assert!(turn.is_set());
    /// # Ok::<(), ndshm_sync::LayoutError>(())
    /// ```
    #[inline]
    pub fn set(&self) {
        if self.members.is_mine() {
            self.raw.set(self.members);
        }
    }

    /// Takes back that it was set, for those who come from now on. Never waits; does nothing in a forked
    /// child, or where it is not set.
    ///
    /// ```
    /// # use ndshm_sync::Reset;
    /// # let members = ndshm_testkit::members!();
    /// let ready = members.layout().event(Reset::Manual)?;
    /// ready.set();
    /// ready.reset();
    /// assert!(!ready.is_set());
    /// # Ok::<(), ndshm_sync::LayoutError>(())
    /// ```
    pub fn reset(&self) {
        if self.members.is_mine() {
            self.raw.reset();
        }
    }

    /// Whether it is set at this moment. Two loads.
    ///
    /// ```
    /// # use ndshm_sync::Reset;
    /// # let members = ndshm_testkit::members!();
    /// let ready = members.layout().event(Reset::Manual)?;
    /// assert!(!ready.is_set());
    /// # Ok::<(), ndshm_sync::LayoutError>(())
    /// ```
    #[must_use]
    pub fn is_set(&self) -> bool {
        self.raw.is_set()
    }

    /// Waits until it is set: for ever, where nobody sets it.
    ///
    /// # Errors
    ///
    /// [`WaitError::Forked`].
    ///
    /// ```
    /// # use ndshm_sync::Reset;
    /// # let members = ndshm_testkit::members!();
    /// let turn = members.layout().event(Reset::Auto)?;
    /// turn.set();
    /// turn.wait()?;
    /// assert!(!turn.is_set()); // that was it
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline]
    pub fn wait(&self) -> Result<(), WaitError> {
        self.wait_until(|| Deadline::Never)
    }

    /// Whether it may go on, as [`wait`](Self::wait) would, without waiting.
    ///
    /// # Errors
    ///
    /// [`WaitError::WouldBlock`], [`WaitError::Forked`].
    ///
    /// ```
    /// use ndshm_sync::{Reset, WaitError};
    ///
    /// # let members = ndshm_testkit::members!();
    /// let turn = members.layout().event(Reset::Auto)?;
    /// turn.set();
    /// assert_eq!(turn.try_wait(), Ok(()));
    /// assert_eq!(turn.try_wait(), Err(WaitError::WouldBlock));
    /// # Ok::<(), ndshm_sync::LayoutError>(())
    /// ```
    #[inline]
    pub fn try_wait(&self) -> Result<(), WaitError> {
        if self.raw.pass(self.begin()?) { Ok(()) } else { Err(WaitError::WouldBlock) }
    }

    /// As [`wait`](Self::wait), for at most `timeout` on the monotonic clock; a zero `timeout` tries
    /// for as long as the spinning lasts, one too long for the clock is for ever.
    ///
    /// # Errors
    ///
    /// [`WaitError::TimedOut`], [`WaitError::Forked`].
    ///
    /// ```
    /// # use ndshm_sync::{Reset, WaitError};
    /// use std::time::Duration;
    ///
    /// # let members = ndshm_testkit::members!();
    /// let ready = members.layout().event(Reset::Manual)?;
    /// assert_eq!(ready.wait_timeout(Duration::from_millis(2)), Err(WaitError::TimedOut));
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
    /// # use ndshm_sync::{Reset, WaitError};
    /// use std::time::Instant;
    ///
    /// # let members = ndshm_testkit::members!();
    /// let ready = members.layout().event(Reset::Manual)?;
    /// let now = Instant::now();
    /// assert_eq!(ready.wait_deadline(now), Err(WaitError::TimedOut));
    /// ready.set();
    /// assert_eq!(ready.wait_deadline(now), Ok(()));
    /// # Ok::<(), ndshm_sync::LayoutError>(())
    /// ```
    #[inline]
    pub fn wait_deadline(&self, deadline: Instant) -> Result<(), WaitError> {
        self.wait_until(|| Deadline::At(deadline))
    }

    /// What it is doing at this moment: whether it is set, whether anybody sleeps. Three loads.
    ///
    /// ```
    /// # use ndshm_sync::Reset;
    /// # let members = ndshm_testkit::members!();
    /// let ready = members.layout().event(Reset::Manual)?;
    /// assert_eq!(ready.inspect().to_string(), "event: not set");
    /// # Ok::<(), ndshm_sync::LayoutError>(())
    /// ```
    #[must_use]
    pub fn inspect(&self) -> Inspection {
        Inspection {
            kind: if self.raw.auto { "auto-reset event" } else { "event" },
            state: if self.is_set() { "set" } else { "not set" }.to_owned(),
            holders: Vec::new(),
            sleepers: self.raw.sets.sleepers.any(),
            poisoned_by: None,
        }
    }

    #[inline]
    fn wait_until(&self, deadline: impl FnOnce() -> Deadline) -> Result<(), WaitError> {
        let since = self.begin()?;
        if self.raw.pass(since) {
            return Ok(());
        }
        let mut spin = Spin::for_parties(2);
        if self.raw.wait(since, self.members, &mut spin, deadline()) {
            Ok(())
        } else {
            Err(WaitError::TimedOut)
        }
    }

    #[inline]
    fn begin(&self) -> Result<u64, WaitError> {
        if self.members.is_mine() { Ok(self.raw.sets_so_far()) } else { Err(WaitError::Forked) }
    }
}

impl<'m> Layout<'m> {
    /// The next thing of the region is an event. It takes 128 bytes. Does not wait.
    ///
    /// # Errors
    ///
    /// [`LayoutError::Full`], [`LayoutError::Differs`], [`LayoutError::Forked`].
    ///
    /// ```
    /// use ndshm_sync::Reset;
    ///
    /// # let members = ndshm_testkit::members!();
    /// let mut layout = members.layout();
    /// let (ping, pong) = (layout.event(Reset::Auto)?, layout.event(Reset::Auto)?);
    /// ping.set();
    /// assert!(ping.is_set() && !pong.is_set());
    /// # Ok::<(), ndshm_sync::LayoutError>(())
    /// ```
    pub fn event(&mut self, reset: Reset) -> Result<Event<'m>, LayoutError> {
        let cell = self.take(1)?;
        // SAFETY: in bounds and aligned (`take`), mapped for longer than `'m` (region invariant 1),
        // used by all in the same way (region invariant 2).
        unsafe { Event::at(cell, reset, self.members()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::mem::offset_of;

    #[test]
    fn the_layout_is_as_documented() {
        assert_eq!(offset_of!(EventCell, place), 0);
        assert_eq!(offset_of!(EventCell, sets), 8);
        assert_eq!(offset_of!(EventCell, sets) + offset_of!(Sets, sleepers), 16);
        assert_eq!(offset_of!(EventCell, undone), 64);
        assert_eq!((size_of::<EventCell>(), align_of::<EventCell>()), (128, 64));
    }

    #[test]
    fn what_was_reset_was_set_all_the_same() {
        let members = ndshm_testkit::members!();
        let mut layout = members.layout();
        let event = layout.event(Reset::Manual).unwrap();
        let since = event.raw.sets_so_far();
        assert!(!event.raw.pass(since));
        event.set();
        event.set();
        assert!(event.is_set() && event.raw.pass(since));
        event.reset();
        assert!(!event.is_set());
        assert!(event.raw.pass(since), "it waited when the event was set");
        assert_eq!(event.try_wait(), Err(WaitError::WouldBlock), "it came later");

        let event = layout.event(Reset::Auto).unwrap();
        let since = event.raw.sets_so_far();
        event.set();
        event.reset();
        assert!(!event.raw.pass(since), "not set, whatever was before");
        event.set();
        event.set();
        assert!(event.raw.pass(since) && !event.raw.pass(since), "set twice, one goes");
    }
}
