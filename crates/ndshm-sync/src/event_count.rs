//! A counter to sleep on until something changed.

use std::time::Duration;

use crate::atomic::{AtomicU32, Ordering};
use crate::member::Members;
use crate::park::Sleepers;
use crate::wait::SLICE;

/// Counts changes of something else in shared memory, for those who wait for it to change: the
/// piece from which other primitives are made. Valid when zeroed, no owner, nothing to mend after
/// a death.
///
/// Read the counter, then look; if what you see does not suit, [`wait`](Self::wait) with what you
/// read. Whoever changes the thing calls [`notify_all`](Self::notify_all) afterwards: an addition
/// and, where somebody sleeps, one system call. A change between look and wait is not missed.
///
/// # Layout
///
/// | offset | size | what |
/// |---|---|---|
/// | 0 | 4 | counts changes, wraps |
/// | 4 | 4 | odd while somebody sleeps, or slept and has not been missed yet; counts; the futex |
///
/// ```
/// use std::sync::atomic::{AtomicU64, Ordering};
/// use std::time::Duration;
/// use ndshm_sync::EventCount;
///
/// # let members = ndshm_testkit::members!();
/// let (events, version) = (EventCount::new(), AtomicU64::new(0));
/// std::thread::scope(|s| {
///     s.spawn(|| {
///         version.store(7, Ordering::Release);
///         events.notify_all(&members);
///     });
///     loop {
///         let seen = events.read();
///         if version.load(Ordering::Acquire) == 7 {
///             break;
///         }
///         events.wait(&members, seen, Duration::MAX);
///     }
/// });
/// ```
#[repr(C)]
#[derive(Debug, Default)]
pub struct EventCount {
    count: AtomicU32,
    sleepers: Sleepers,
}

impl EventCount {
    /// A counter at zero. The same as eight zero bytes.
    ///
    /// ```
    /// use ndshm_sync::EventCount;
    ///
    /// assert_eq!(EventCount::new().read(), 0);
    /// assert_eq!(size_of::<EventCount>(), 8);
    /// ```
    #[must_use]
    pub const fn new() -> Self {
        Self { count: AtomicU32::new(0), sleepers: Sleepers::new() }
    }

    /// The counter, to be read before the look at what it counts the changes of.
    /// One load.
    ///
    /// ```
    /// # let members = ndshm_testkit::members!();
    /// let events = ndshm_sync::EventCount::new();
    /// let seen = events.read();
    /// events.notify_all(&members);
    /// assert_ne!(events.read(), seen);
    /// ```
    #[inline]
    #[must_use]
    pub fn read(&self) -> u32 {
        // Acquire pairs with the Release in `notify_all`: who reads a count sees the change that
        // it counts.
        self.count.load(Ordering::Acquire)
    }

    /// Whether anybody sleeps on it, or slept and has not been missed yet. One load.
    ///
    /// ```
    /// assert!(!ndshm_sync::EventCount::new().has_sleepers());
    /// ```
    #[must_use]
    pub fn has_sleepers(&self) -> bool {
        self.sleepers.any()
    }

    /// Sleeps while the counter is `seen`, for at most `most`, and never for more than 40 ms: then
    /// look again, also after those whose change is waited for. Returns early on a signal, and at
    /// once where the counter is not `seen` any more. One system call.
    ///
    /// ```
    /// use std::time::{Duration, Instant};
    ///
    /// # let members = ndshm_testkit::members!();
    /// let (events, start) = (ndshm_sync::EventCount::new(), Instant::now());
    /// events.wait(&members, events.read(), Duration::from_millis(2)); // nobody notifies
    /// assert!(start.elapsed() < Duration::from_secs(10));
    /// ```
    pub fn wait(&self, members: &Members<'_>, seen: u32, most: Duration) {
        let sleeper = self.sleepers.announce(members);
        if self.read() == seen {
            sleeper.sleep(members, most.min(SLICE));
        }
    }

    /// Counts a change, and wakes all who sleep. Never waits; a system call only where somebody
    /// sleeps. Does nothing in a forked child.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// # let members = ndshm_testkit::members!();
    /// let events = ndshm_sync::EventCount::new();
    /// let seen = events.read();
    /// events.notify_all(&members); // between the look and the sleep
    /// events.wait(&members, seen, Duration::MAX); // returns at once
    /// assert_eq!(events.read(), seen + 1);
    /// ```
    #[inline]
    pub fn notify_all(&self, members: &Members<'_>) {
        if !members.is_mine() {
            return; // In a forked child: what changed is its parent's.
        }
        // Release pairs with the Acquire in `read`.
        self.count.fetch_add(1, Ordering::Release);
        self.sleepers.wake_all(members);
    }
}
