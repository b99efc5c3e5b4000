//! Mutexes: lock, add one, unlock.

use std::cell::UnsafeCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ndshm_benches::Target::{AtLeast, AtMost};
use process_sync::SharedMutex;
use raw_sync::locks::{LockImpl, LockInit};

use crate::arena::Arena;
use crate::boost::BoostMutex;
use crate::contest::{Among, Contest, Pace, Rival};
use crate::crew::{Placement, Run};
use crate::ours::Ours;
use crate::posix::PthreadMutex;

const NDSHM: &str = "ndshm";
const PARKING_LOT: &str = "parking_lot (threads)";
const STD: &str = "std (threads)";
const PTHREAD: &str = "pthread";
const ROBUST: &str = "pthread robust";
const RAW_SYNC: &str = "raw_sync";
const PROCESS_SYNC: &str = "process-sync";
const BOOST: &str = "Boost.Interprocess";

const ONE_LOCKED_OPERATION: &str = "beside the one locked operation (9 ns here) there are two looks whether the process was forked, and two at the panic counter";

/// A lock between threads, on cache lines of its own.
#[repr(align(128))]
#[derive(Debug, Default)]
struct InProcess<L>(L);

/// A guarded number that is written by rivals without a place for one.
fn add_one(value: &AtomicU64) {
    // Not one atomic operation: that is what the lock is for.
    value.store(value.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
}

/// Adds all mutexes, and the contests between them.
pub(crate) fn enter(arena: &'static Arena, rivals: &mut Vec<Rival>, contests: &mut Vec<Contest>) {
    let first = rivals.len();
    rivals.push(ndshm(arena));
    rivals.push(parking_lot());
    rivals.push(std_mutex());
    rivals.push(pthread(PTHREAD, PthreadMutex::create(arena, false)));
    rivals.push(pthread(ROBUST, PthreadMutex::create(arena, true)));
    rivals.push(raw_sync(arena));
    rivals.push(process_sync(arena));
    rivals.extend(BoostMutex::create(arena).map(boost));
    let all: Vec<usize> = (first..rivals.len()).collect();

    contests.push(Contest {
        group: "locks, uncontended".to_owned(),
        rivals: all.clone(),
        yardstick: PARKING_LOT,
        targets: vec![
            AtMost(1.05, &[PARKING_LOT]).into(),
            AtLeast(2.0, &[ROBUST]).into(),
            AtLeast(3.3, &[RAW_SYNC]).because(ONE_LOCKED_OPERATION),
        ],
        parties: 1,
        placement: Placement::Spread,
        hogs: false,
        pace: Pace::InStep(0),
        slice: Duration::from_micros(500),
        rounds: 151,
        fair_for: None,
    });
    for (parties, least) in [(2, 0.9), (4, 0.75), (8, 0.9)] {
        contests.push(Contest {
            group: format!("locks, contended by {parties}"),
            rivals: all.clone(),
            yardstick: PARKING_LOT,
            targets: vec![AtLeast(4.0, &[ROBUST]).into(), AtLeast(least, &[PARKING_LOT]).into()],
            parties,
            placement: Placement::Spread,
            hogs: false,
            pace: Pace::Free,
            slice: Duration::from_millis(if parties == 2 { 5 } else { 40 }),
            rounds: if parties == 2 { 101 } else { 25 },
            fair_for: Some((Duration::from_secs(1), 0.6)),
        });
    }
}

fn ndshm(arena: &'static Arena) -> Rival {
    let increment = |ours: &Ours| *ours.mutex.lock().expect("nobody died") += 1;
    Rival {
        name: NDSHM,
        among: Among::Processes,
        prepare: Box::new(move |_| {
            let ours = Ours::here(arena);
            Box::new(move |run| run.repeat(|| increment(ours)))
        }),
        counted: Some(Box::new(move || *Ours::here(arena).mutex.lock().expect("nobody died"))),
    }
}

fn parking_lot() -> Rival {
    let lock = Arc::new(InProcess(parking_lot::Mutex::new(0_u64)));
    let shared = Arc::clone(&lock);
    Rival {
        name: PARKING_LOT,
        among: Among::Threads,
        prepare: Box::new(move |_| {
            let lock = Arc::clone(&shared);
            Box::new(move |run| run.repeat(|| *lock.0.lock() += 1))
        }),
        counted: Some(Box::new(move || *lock.0.lock())),
    }
}

fn std_mutex() -> Rival {
    let lock = Arc::new(InProcess(std::sync::Mutex::new(0_u64)));
    let shared = Arc::clone(&lock);
    Rival {
        name: STD,
        among: Among::Threads,
        prepare: Box::new(move |_| {
            let lock = Arc::clone(&shared);
            Box::new(move |run| run.repeat(|| *lock.0.lock().expect("nobody panicked") += 1))
        }),
        counted: Some(Box::new(move || *lock.0.lock().expect("nobody panicked"))),
    }
}

fn pthread(name: &'static str, lock: &'static PthreadMutex) -> Rival {
    Rival {
        name,
        among: Among::Processes,
        prepare: Box::new(move |_| Box::new(move |run| run.repeat(|| lock.with(|n| *n += 1)))),
        counted: Some(Box::new(move || lock.with(|n| *n))),
    }
}

/// raw_sync's lock, and what it guards.
struct RawSync(Box<dyn LockImpl>);

// SAFETY: made for use by several processes; all that it has is an address in shared memory.
unsafe impl Send for RawSync {}
// SAFETY: as for `Send`.
unsafe impl Sync for RawSync {}

impl RawSync {
    #[inline]
    fn with<R>(&self, body: impl FnOnce(&mut u64) -> R) -> R {
        let guard = self.0.lock().expect("raw_sync locks");
        // SAFETY: the address of the value, aligned; the lock is held.
        body(unsafe { &mut *guard.cast::<u64>() })
    }
}

fn raw_sync(arena: &'static Arena) -> Rival {
    let (mutex, value) = (arena.take_bytes(64), arena.take_bytes(8));
    // SAFETY: room for the mutex and its value, zeroed, never unmapped.
    let made = unsafe { raw_sync::locks::Mutex::new(mutex, value) };
    let lock: &RawSync = Box::leak(Box::new(RawSync(made.expect("raw_sync makes a mutex").0)));
    Rival {
        name: RAW_SYNC,
        among: Among::Processes,
        prepare: Box::new(move |_| Box::new(move |run| run.repeat(|| lock.with(|n| *n += 1)))),
        counted: Some(Box::new(move || lock.with(|n| *n))),
    }
}

/// process-sync's mutex, which finds its own shared memory, and which its users have by `&mut`.
struct ProcessSync(UnsafeCell<SharedMutex>);

// SAFETY: each process that is forked has a value of its own, and uses it in one thread.
unsafe impl Send for ProcessSync {}
// SAFETY: as for `Send`.
unsafe impl Sync for ProcessSync {}

impl ProcessSync {
    #[inline]
    fn with<R>(&self, body: impl FnOnce() -> R) -> R {
        // SAFETY: used by one thread of this process, and not while `body` runs.
        let mutex = unsafe { &mut *self.0.get() };
        mutex.lock().expect("process-sync locks");
        let result = body();
        mutex.unlock().expect("process-sync unlocks");
        result
    }
}

fn process_sync(arena: &'static Arena) -> Rival {
    let made = SharedMutex::new().expect("process-sync makes a mutex");
    let lock: &ProcessSync = Box::leak(Box::new(ProcessSync(UnsafeCell::new(made))));
    let value: &AtomicU64 = arena.take();
    Rival {
        name: PROCESS_SYNC,
        among: Among::Processes,
        prepare: Box::new(move |_| {
            Box::new(move |run| run.repeat(|| lock.with(|| add_one(value))))
        }),
        counted: Some(Box::new(move || lock.with(|| value.load(Ordering::Relaxed)))),
    }
}

fn boost(lock: BoostMutex) -> Rival {
    Rival {
        name: BOOST,
        among: Among::Processes,
        prepare: Box::new(move |_| {
            Box::new(move |run: &Run<'_>| {
                let (count, stop) = run.limits();
                lock.increments(count, stop)
            })
        }),
        counted: Some(Box::new(move || lock.value())),
    }
}
