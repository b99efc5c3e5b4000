//! Sleeping and waking without futexes: one event of `raw_sync` a member, in shared memory.
//!
//! What is used of `raw_sync` is chosen by its faults. On unix its kernel event holds a mutex that a
//! death leaves locked for ever, so there it is [`BusyEvent`]: one byte, set by one store, that survives
//! every death. It can only be spun on, so it is looked at between naps that grow, and each look
//! ends at once: its own time-outs, which spin, are not used. On Windows the event is an object of the
//! kernel, and a nap is a wait for it.
//!
//! Nothing depends on an event alone. A sleeper also looks at its word, which most wakers change, and a
//! sleep ends after its slice in any case; so an event that is lost with its setter, or spoilt, costs a
//! slice.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::io;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering, fence};
use std::time::{Duration, Instant};

use raw_sync::Timeout;
#[cfg(not(windows))]
use raw_sync::events::BusyEvent as Event;
#[cfg(windows)]
use raw_sync::events::Event;
use raw_sync::events::{EventImpl, EventInit, EventState};

use crate::member::backend::PORTABLE_SIZE;
use crate::member::table::SLOTS;

/// The first nap, and the longest: what a wake-up may be late by.
const NAP: (Duration, Duration) = (Duration::from_micros(50), Duration::from_millis(2));

/// Behind the table of members. Valid when zeroed.
///
/// # Layout
///
/// | offset | size | what |
/// |---|---|---|
/// | 0 | 8 | a number of the region's own, in the names of the members' files; 0 before anybody joined |
/// | 8 | 8 | slots that were ever used lie below this one |
/// | 16 | 48 | zero, reserved |
/// | 64 | 16 x 1020 | the cells, one a slot |
#[repr(C, align(64))]
#[derive(Debug)]
pub(super) struct Events {
    region: AtomicU64,
    used: AtomicU64,
    reserved: [AtomicU64; 6],
    cells: [Cell; SLOTS],
}

/// # Layout
///
/// | offset | size | what |
/// |---|---|---|
/// | 0 | 8 | `raw_sync`'s event. Unix: byte 0 is 1 while it is set, byte 1 is 0. Windows: the number in the name of the kernel's object, in bytes 0 to 3 |
/// | 8 | 4 | how many threads of the member sleep; written by the holder of the slot |
/// | 12 | 4 | zero, reserved |
#[repr(C)]
#[derive(Debug)]
struct Cell {
    event: [AtomicU8; 8],
    asleep: AtomicU32,
    reserved: u32,
}

const _: () = assert!(size_of::<Events>() == PORTABLE_SIZE);

impl Events {
    /// The region's own number; the first to ask makes it.
    pub(super) fn region(&self) -> u64 {
        let random = RandomState::new().build_hasher().finish().max(1);
        // Relaxed: a constant, which guards nothing else.
        match self.region.compare_exchange(0, random, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => random,
            Err(known) => known,
        }
    }

    /// Makes the event of a slot ready for a new holder of it.
    ///
    /// # Safety
    ///
    /// The slot is the caller's.
    pub(super) unsafe fn bell(&self, slot: u16) -> io::Result<Bell> {
        let cell = &self.cells[usize::from(slot)];
        let event = cell.open().or_else(|_| cell.make()).map_err(io::Error::other)?;
        event.set(EventState::Clear).map_err(|e| io::Error::other(e.to_string()))?;
        cell.asleep.store(0, Ordering::Relaxed);
        // Relaxed: ordered, like `asleep`, by the fence of a sleep.
        self.used.fetch_max(u64::from(slot) + 1, Ordering::Relaxed);
        Ok(Bell { slot, event: Own(event), rung: AtomicU32::new(0) })
    }

    /// Sets the event of every member that sleeps and has not been rung for already; how many it
    /// were.
    pub(super) fn ring(&self) -> usize {
        // Between the caller's change of a word and the look at who sleeps: with the fence in `sleep`,
        // either the sleeper sees the change or this sees the sleeper.
        fence(Ordering::SeqCst);
        let used = usize::try_from(self.used.load(Ordering::Relaxed)).unwrap_or(SLOTS).min(SLOTS);
        let asleep = |cell: &&Cell| cell.asleep.load(Ordering::Relaxed) != 0;
        self.cells[..used].iter().filter(asleep).filter(|cell| cell.ring()).count()
    }
}

impl Cell {
    fn at(&self) -> *mut u8 {
        self.event.as_ptr().cast::<u8>().cast_mut()
    }

    /// The event that is there, or why it is none.
    fn open(&self) -> Result<Box<dyn EventImpl>, String> {
        // SAFETY: 8 bytes of shared memory that only `raw_sync` uses: more than its event takes, and at
        // a multiple of 16. It refers to them exclusively within each of its calls, which others may
        // do at the same time; each call reads and writes one atomic byte, once, through a pointer of
        // which nothing more is known to the compiler than here.
        unsafe { Event::from_existing(self.at()) }
            .map(|(event, _)| event)
            .map_err(|e| e.to_string())
    }

    /// A new event, that stays set until it is cleared.
    fn make(&self) -> Result<Box<dyn EventImpl>, String> {
        // SAFETY: as in `open`; the slot is the caller's, so nobody else makes one there.
        unsafe { Event::new(self.at(), false) }.map(|(event, _)| event).map_err(|e| e.to_string())
    }

    /// Sets the event; `false` where it was set already (its member will look, or is dead), or is spoilt.
    fn ring(&self) -> bool {
        let Ok(event) = self.open() else { return false };
        !is_set(&*event) && event.set(EventState::Signaled).is_ok()
    }
}

/// One look, whatever the platform: a wait that has no time.
fn is_set(event: &dyn EventImpl) -> bool {
    event.wait(Timeout::Val(Duration::ZERO)).is_ok()
}

/// This member's own event, and those of its threads that sleep.
#[derive(Debug)]
pub(super) struct Bell {
    slot: u16,
    event: Own,
    /// How often the event was found set. One thread finds it and clears it; the others see it here.
    rung: AtomicU32,
}

struct Own(Box<dyn EventImpl>);

// SAFETY: a pointer to shared memory that is used as `Cell::open` says, or on Windows a handle of the
// kernel's, good for any thread.
unsafe impl Send for Own {}
// SAFETY: as for `Send`.
unsafe impl Sync for Own {}

impl std::fmt::Debug for Own {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Event")
    }
}

impl Bell {
    /// Sleeps until the event is set, or while `*word` is `expected`, for at most `most`.
    pub(super) fn sleep(&self, events: &Events, word: &AtomicU32, expected: u32, most: Duration) {
        let start = Instant::now();
        let cell = &events.cells[usize::from(self.slot)];
        // Acquire pairs with the Release in `found`: this thread sleeps after that clearing, and whoever
        // rings now finds the event clear, or has changed the word before the look at it below.
        let rung = self.rung.load(Ordering::Acquire);
        cell.asleep.fetch_add(1, Ordering::Relaxed);
        // See `Events::ring`.
        fence(Ordering::SeqCst);
        let mut nap = NAP.0;
        while word.load(Ordering::Relaxed) == expected && self.rung.load(Ordering::Relaxed) == rung
        {
            let left = most.saturating_sub(start.elapsed());
            if left.is_zero() {
                break;
            }
            if self.doze(nap.min(left)) {
                self.found();
                break;
            }
            nap = NAP.1.min(nap * 2);
        }
        cell.asleep.fetch_sub(1, Ordering::Relaxed);
    }

    /// Whether the event is set, before the nap or (Windows) in it.
    #[cfg(not(windows))]
    fn doze(&self, nap: Duration) -> bool {
        let set = is_set(&*self.event.0);
        if !set {
            std::thread::sleep(nap);
        }
        set
    }

    #[cfg(windows)]
    fn doze(&self, nap: Duration) -> bool {
        // Whole milliseconds are all it knows.
        self.event.0.wait(Timeout::Val(nap.max(Duration::from_millis(1)))).is_ok()
    }

    /// The event was set: clears it, and tells the other threads. In this order: a ring that found it
    /// still set, and so did nothing, is one whose word all these look at afterwards.
    fn found(&self) {
        let _ = self.event.0.set(EventState::Clear);
        fence(Ordering::SeqCst);
        self.rung.fetch_add(1, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::mem::offset_of;
    use std::ptr::NonNull;
    use std::thread;

    use crate::park::Sleepers;
    use crate::{Backend, Members, Region};

    fn events() -> &'static Events {
        let (base, _) = ndshm_testkit::map_memfd(size_of::<Events>());
        // SAFETY: a fresh mapping that lives as long as the process; made of atomics and bytes.
        unsafe { base.cast::<Events>().as_ref() }
    }

    #[test]
    fn the_layout_is_as_documented() {
        assert_eq!((offset_of!(Events, region), offset_of!(Events, used)), (0, 8));
        assert_eq!((offset_of!(Events, cells), size_of::<Cell>()), (64, 16));
        assert_eq!((offset_of!(Cell, event), offset_of!(Cell, asleep)), (0, 8));
        assert!(Event::size_of(None) <= 8);
    }

    #[test]
    fn a_sleep_ends_by_the_word_by_the_event_and_by_the_clock() {
        let events = events();
        // SAFETY: nobody else has this slot.
        let bell = unsafe { events.bell(3) }.expect("no event");
        let word = AtomicU32::new(1);
        let long = Duration::from_secs(30);
        assert_eq!(events.ring(), 0, "nobody sleeps");
        bell.sleep(events, &word, 0, long); // not what was expected

        let sleeps_on = || {
            let start = Instant::now();
            bell.sleep(events, &word, 1, Duration::from_millis(20));
            assert!(start.elapsed() >= Duration::from_millis(20));
        };
        sleeps_on();

        let start = Instant::now();
        thread::scope(|s| {
            s.spawn(|| bell.sleep(events, &word, 1, long));
            ndshm_testkit::until("the word ends it", Duration::from_secs(20), || {
                events.cells[3].asleep.load(Ordering::Relaxed) == 1
            });
            word.store(0, Ordering::Relaxed);
        });
        assert_eq!(events.cells[3].asleep.load(Ordering::Relaxed), 0);

        // All threads of a member are woken by its one event.
        word.store(1, Ordering::Relaxed);
        thread::scope(|s| {
            for _ in 0..3 {
                s.spawn(|| bell.sleep(events, &word, 1, long));
            }
            ndshm_testkit::until("they sleep", Duration::from_secs(20), || {
                events.cells[3].asleep.load(Ordering::Relaxed) == 3
            });
            assert_eq!(events.ring(), 1);
        });
        assert!(start.elapsed() < long, "somebody was not woken");
        sleeps_on();
    }

    #[test]
    fn the_event_of_a_dead_sleeper_is_rung_once_and_is_clear_for_the_next() {
        let events = events();
        // SAFETY: nobody else has this slot.
        drop(unsafe { events.bell(5) });
        events.cells[5].asleep.store(2, Ordering::Relaxed); // as a SIGKILL leaves it
        assert_eq!((events.ring(), events.ring()), (1, 0));
        // SAFETY: nobody else has this slot.
        let bell = unsafe { events.bell(5) }.expect("no event");
        assert!(!is_set(&*bell.event.0));
        assert_eq!(events.ring(), 0);
    }

    #[test]
    fn who_sleeps_for_something_else_hides_nobody() {
        let (base, directory) = (ndshm_testkit::map_memfd(1 << 16).0, ndshm_testkit::scratch());
        // SAFETY: a fresh mapping that lives as long as the process, and is used through this crate.
        let region = unsafe { Region::without_file(base, 1 << 16) };
        let portable = Backend::portable(directory.path());
        let members = Members::options().backend(portable).join(region).expect("it can be joined");
        let events: NonNull<Events> = region.at(Members::SIZE).expect("behind the table");
        // SAFETY: in a region that was joined this way; made of atomics and bytes in cells.
        let events = unsafe { events.as_ref() };
        // SAFETY: nobody else has this slot.
        let _other = unsafe { events.bell(9) }.expect("no event");
        events.cells[9].asleep.store(1, Ordering::Relaxed);

        let (sleepers, long, start) = (Sleepers::new(), Duration::from_secs(30), Instant::now());
        let about_to = sleepers.announce(&members);
        sleepers.wake_one(&members); // rings for the other, which does not sleep here
        about_to.sleep(&members, long);
        assert!(start.elapsed() < long, "it was not woken");
    }

    #[test]
    fn a_spoilt_event_costs_a_slice_and_not_more() {
        let events = events();
        // SAFETY: nobody else has this slot.
        let bell = unsafe { events.bell(0) }.expect("no event");
        let spoil = || events.cells[0].event.iter().for_each(|b| b.store(0xff, Ordering::Relaxed));
        spoil();
        events.cells[0].asleep.store(1, Ordering::Relaxed);
        assert_eq!(events.ring(), 0);
        let word = AtomicU32::new(1);
        bell.sleep(events, &word, 1, Duration::from_millis(5));
        spoil();
        // SAFETY: nobody else has this slot.
        let bell = unsafe { events.bell(0) }.expect("it is made anew");
        assert!(!is_set(&*bell.event.0));
    }
}
