//! A stopped process is alive: it is waited for, and never robbed.

use std::sync::atomic::Ordering::SeqCst;
use std::thread;
use std::time::{Duration, Instant};

use ndshm_sync::{Absence, BarrierError, LockError};
use ndshm_testkit::{arguments, until};

use crate::arena::Arena;

const LIMIT: Duration = Duration::from_secs(20);

/// Page 1, word 0: how far it has come.
pub(crate) fn holder() {
    let arena = Arena::inherited();
    let members = arena.join();
    let mutex = members.layout().mutex(0_u64).expect("no mutex");
    let mut guard = mutex.lock().expect("no lock");
    arena.word(1, 0).store(1, SeqCst);
    until("it may go on", LIMIT, || arena.word(1, 1).load(SeqCst) == 1);
    *guard += 1;
    drop(guard);
    arena.word(1, 0).store(2, SeqCst);
    thread::sleep(LIMIT);
}

pub(crate) fn a_stopped_holder_is_waited_for() {
    let arena = Arena::create();
    let members = arena.join();
    let mutex = members.layout().mutex(0_u64).expect("no mutex");
    let mut child = arena.role("stop::holder").spawn();
    until("it holds", LIMIT, || arena.word(1, 0).load(SeqCst) == 1);
    child.stop();
    arena.word(1, 1).store(1, SeqCst);

    let start = Instant::now();
    match mutex.lock_timeout(Duration::from_millis(500)) {
        Err(LockError::TimedOut { owner: Some(owner) }) => {
            assert_eq!(owner.pid, Some(child.pid()));
            assert!(owner.to_string().contains(&child.pid().to_string()), "{owner}");
        }
        other => panic!("a stopped holder was robbed: {other:?}"),
    }
    assert!(start.elapsed() >= Duration::from_millis(500));
    match mutex.try_lock() {
        Err(LockError::WouldBlock { owner: Some(owner) }) => {
            assert_eq!(owner.pid, Some(child.pid()));
        }
        other => panic!("a stopped holder was robbed: {other:?}"),
    }

    thread::scope(|s| {
        let waiting =
            s.spawn(|| mutex.lock().map(|guard| *guard).map_err(LockError::without_guard));
        thread::sleep(Duration::from_millis(200));
        assert!(!waiting.is_finished(), "a stopped holder was robbed");
        child.resume();
        let seen = waiting.join().expect("the waiter panicked");
        assert_eq!(seen.expect("neither dead nor poisoned"), 1);
    });
}

/// A party of a barrier of three: rank and phases to take part in.
pub(crate) fn waiter() {
    let arena = Arena::inherited();
    let members = arena.join();
    let barrier = members.layout().barrier(3).expect("no barrier");
    let arguments = arguments();
    let rank: usize = arguments[0].parse().expect("a rank");
    let mut party = barrier.join(rank).expect("no rank");
    arena.word(1 + rank, 0).store(1, SeqCst);
    let met = party.wait();
    arena.word(1 + rank, 0).store(if met.is_ok() { 2 } else { 3 }, SeqCst);
    thread::sleep(LIMIT);
}

/// It sleeps in a phase that is then completed; when it wakes, the next has been broken and the
/// barrier reset: its own phase was complete all the same, as it was for the others.
pub(crate) fn a_stopped_party_that_was_met_is_told_so() {
    let arena = Arena::create();
    let members = arena.join();
    let barrier = members.layout().barrier(3).expect("no barrier");
    let mut me = barrier.join(0).expect("no rank");
    let mut stopped = arena.role("stop::waiter").arg(1).spawn();
    until("it has joined", LIMIT, || arena.word(2, 0).load(SeqCst) == 1);
    thread::sleep(Duration::from_millis(20)); // it arrives, and sleeps
    stopped.stop();
    let mut third = arena.role("stop::waiter").arg(2).spawn();
    me.wait().expect("all three have arrived");
    until("the third goes on", LIMIT, || arena.word(3, 0).load(SeqCst) == 2);
    third.kill();
    match me.wait() {
        Err(BarrierError::Broken { lost }) => {
            let lost: Vec<_> = lost.iter().map(|l| (l.rank, l.why)).collect();
            assert_eq!(lost, [(2, Absence::Died)]);
        }
        other => panic!("a dead party was met: {other:?}"),
    }
    barrier.reset();
    stopped.resume();
    until("it has an answer", LIMIT, || arena.word(2, 0).load(SeqCst) > 1);
    assert_eq!(arena.word(2, 0).load(SeqCst), 2, "complete for others, broken for it");
}
