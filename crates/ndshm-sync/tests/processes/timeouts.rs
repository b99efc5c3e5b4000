//! Waits that end in time, and not before.

use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::thread;
use std::time::{Duration, Instant};

use ndshm_sync::{Absence, BarrierError, LockError};
use ndshm_testkit::{Child, takes, until};

use crate::arena::Arena;

const LIMIT: Duration = Duration::from_secs(20);

/// Holds the lock until it is killed.
pub(crate) fn holder() {
    let arena = Arena::inherited();
    let members = arena.join();
    let _guard = members.layout().mutex(0_u64).expect("no mutex").lock();
    arena.word(1, 0).store(1, SeqCst);
    thread::sleep(LIMIT * 2);
}

fn held(arena: &Arena) -> Child {
    let child = arena.role("timeouts::holder").spawn();
    until("it holds", LIMIT, || arena.word(1, 0).load(SeqCst) == 1);
    child
}

pub(crate) fn of_a_held_lock() {
    let arena = Arena::create();
    let members = arena.join();
    let mutex = members.layout().mutex(0_u64).expect("no mutex");
    let mut child = held(&arena);
    for millis in [0, 1, 30, 39, 41, 150] {
        let timeout = Duration::from_millis(millis);
        match takes(timeout, || mutex.lock_timeout(timeout)) {
            Err(LockError::TimedOut { owner: Some(owner) }) => {
                assert_eq!(owner.pid, Some(child.pid()));
            }
            other => panic!("{timeout:?}: {other:?}"),
        }
    }
    takes(Duration::from_nanos(1), || mutex.lock_timeout(Duration::from_nanos(1)))
        .expect_err("held by another");
    let tried = takes(Duration::ZERO, || mutex.try_lock());
    assert!(matches!(tried, Err(LockError::WouldBlock { owner: Some(_) })), "{tried:?}");

    thread::scope(|s| {
        let waiter = s.spawn(|| {
            mutex.lock_timeout(Duration::MAX).map(drop).map_err(LockError::without_guard)
        });
        thread::sleep(Duration::from_millis(100));
        assert!(!waiter.is_finished(), "for ever is longer");
        child.kill();
        let got = waiter.join().expect("the waiter panicked");
        assert!(matches!(got, Err(LockError::Poisoned(_))));
    });
}

pub(crate) fn of_a_dead_mans_lock() {
    let arena = Arena::create();
    let members = arena.join();
    let mutex = members.layout().mutex(0_u64).expect("no mutex");
    for timeout in [None, Some(Duration::ZERO), Some(Duration::MAX)] {
        arena.word(1, 0).store(0, SeqCst);
        let mut child = held(&arena);
        child.kill_to_zombie();
        let got = match timeout {
            None => mutex.try_lock(),
            Some(timeout) => mutex.lock_timeout(timeout),
        };
        let died = got.err().and_then(died);
        assert_eq!(died, Some(child.pid()), "{timeout:?}: an unreaped zombie is dead too");
    }
}

/// Who has died with the lock; clears the poison.
fn died(e: LockError<ndshm_sync::MutexGuard<'_, u64>>) -> Option<u32> {
    let LockError::Poisoned(p) = e else { return None };
    let pid = p.member().pid;
    p.into_inner().clear_poison();
    pid
}

pub(crate) fn of_a_barrier() {
    let arena = Arena::create();
    let members = arena.join();
    let barrier = members.layout().barrier(3).expect("no barrier");
    let [mut a, mut b, mut c] = [0, 1, 2].map(|rank| barrier.join(rank).expect("no rank"));
    assert!(matches!(barrier.join(3), Err(BarrierError::NoSuchRank { rank: 3, parties: 3 })));
    assert!(matches!(barrier.join(1), Err(BarrierError::RankTaken { rank: 1, .. })));

    let short = Duration::from_millis(70);
    thread::scope(|s| {
        let waiting = s.spawn(|| b.wait());
        until("the other has arrived", LIMIT, || arena_has_arrived(&arena, 1));
        match takes(short, || a.wait_timeout(short)) {
            Err(BarrierError::TimedOut { missing }) => assert_eq!(missing, [2]),
            other => panic!("{other:?}"),
        }
        let met = waiting.join().expect("it panicked");
        match met {
            Err(BarrierError::Broken { lost }) => {
                let lost: Vec<_> = lost.iter().map(|l| (l.rank, l.why)).collect();
                assert_eq!(lost, [(0, Absence::TimedOut)]);
            }
            other => panic!("{other:?}"),
        }
    });
    assert!(barrier.is_broken());
    assert!(matches!(c.wait(), Err(BarrierError::Broken { .. })), "it stays broken");
    let again = barrier.join(0);
    assert!(matches!(again, Err(BarrierError::RankTaken { rank: 0, .. })), "{again:?}");

    barrier.reset();
    let missed = takes(Duration::ZERO, || c.wait_timeout(Duration::ZERO));
    assert!(matches!(missed, Err(BarrierError::TimedOut { .. })), "{missed:?}");
    barrier.reset();
    thread::scope(|s| {
        for party in [&mut a, &mut b] {
            s.spawn(|| party.wait_timeout(Duration::MAX).expect("all are there"));
        }
        c.wait_timeout(Duration::from_secs(20)).expect("all are there");
    });
}

/// The arrivals of the first five begin at byte 24 of a barrier: the phase plus one; all begins with phase 0.
fn arena_has_arrived(arena: &Arena, rank: usize) -> bool {
    arena.inside(ndshm_sync::Members::SIZE + 24 + 8 * rank).load(SeqCst) != 0
}

static SIGNALS: AtomicU32 = AtomicU32::new(0);

extern "C" fn on_alarm(_: libc::c_int) {
    SIGNALS.fetch_add(1, Relaxed);
}

/// SIGALRM every `micros` microseconds; never for 0. System calls are not restarted.
pub(crate) fn storm(micros: libc::suseconds_t) {
    // SAFETY: all zeroes are a valid `sigaction`: no flags, nothing blocked.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = on_alarm as *const () as usize;
    // SAFETY: the handler only adds to an atomic.
    let r = unsafe { libc::sigaction(libc::SIGALRM, &raw const action, std::ptr::null_mut()) };
    assert_eq!(r, 0, "sigaction");
    let every = libc::timeval { tv_sec: 0, tv_usec: micros };
    let timer = libc::itimerval { it_interval: every, it_value: every };
    // SAFETY: reads `timer`, and writes nowhere.
    let r = unsafe { libc::setitimer(libc::ITIMER_REAL, &raw const timer, std::ptr::null_mut()) };
    assert_eq!(r, 0, "setitimer");
}

pub(crate) fn in_a_storm_of_signals() {
    let arena = Arena::create();
    let members = arena.join();
    let mut layout = members.layout();
    let mutex = layout.mutex(0_u64).expect("no mutex");
    let barrier = layout.barrier(2).expect("no barrier");
    let mut child = held(&arena);
    let mut party = barrier.join(0).expect("no rank");
    for (micros, name) in [(100, "10 kHz"), (1000, "1 kHz")] {
        SIGNALS.store(0, Relaxed);
        storm(micros);
        let timeout = Duration::from_millis(400);
        let start = Instant::now();
        let locked = takes(timeout, || mutex.lock_timeout(timeout));
        let took = start.elapsed();
        assert!(matches!(locked, Err(LockError::TimedOut { .. })), "{locked:?}");
        let met = takes(timeout, || party.wait_timeout(timeout));
        assert!(matches!(met, Err(BarrierError::TimedOut { .. })), "{met:?}");
        barrier.reset();
        storm(0);
        let signals = SIGNALS.load(Relaxed);
        println!("  {signals} signals at {name}: 400 ms took {took:.1?}");
        assert!(signals > 20, "there was no storm");
    }
    // Nor does a storm keep anybody from noticing a death.
    storm(100);
    child.kill();
    let got = mutex.lock();
    assert!(matches!(got, Err(LockError::Poisoned(_))), "{got:?}");
    storm(0);
}
