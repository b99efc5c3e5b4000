//! How soon the lock of a dead one is had. Printed; only a hang fails.

use std::sync::atomic::Ordering::SeqCst;
use std::thread;
use std::time::{Duration, Instant};

use ndshm_sync::{LockError, Mutex};
use ndshm_testkit::{Child, Samples, until};

use crate::arena::Arena;

const LIMIT: Duration = Duration::from_secs(20);
const ROUNDS: u32 = 100;

/// Takes the lock to its grave.
pub(crate) fn orphaner() {
    let arena = Arena::inherited();
    let members = arena.join();
    let _guard = members.layout().mutex(0_u64).expect("no mutex").lock();
    arena.word(1, 0).store(1, SeqCst);
    thread::sleep(LIMIT);
}

fn holder(arena: &Arena) -> Child {
    arena.word(1, 0).store(0, SeqCst);
    let child = arena.role("recovery::orphaner").spawn();
    until("it holds", LIMIT, || arena.word(1, 0).load(SeqCst) == 1);
    child
}

fn take_over(mutex: &Mutex<'_, u64>) {
    match mutex.lock_timeout(LIMIT) {
        Err(LockError::Poisoned(p)) => p.into_inner().clear_poison(),
        other => panic!("not the lock of a dead one: {other:?}"),
    }
}

/// Whoever takes over and does not mend leaves it to the next, who is told of the same death.
pub(crate) fn poison_stays_until_it_is_cleared() {
    let arena = Arena::create();
    let members = arena.join();
    let mutex = members.layout().mutex(0_u64).expect("no mutex");
    let mut child = holder(&arena);
    child.kill();
    for _ in 0..3 {
        match mutex.lock() {
            Err(LockError::Poisoned(p)) => assert_eq!(p.member().pid, Some(child.pid())),
            other => panic!("nobody has mended it: {other:?}"),
        }
        assert!(mutex.is_poisoned());
    }
    take_over(&mutex);
    assert!(!mutex.is_poisoned());
    drop(mutex.lock().expect("it was cleared"));
}

pub(crate) fn of_an_orphaned_lock() {
    let arena = Arena::create();
    let members = arena.join();
    let mutex = members.layout().mutex(0_u64).expect("no mutex");
    let mut samples = Samples::new();
    for _ in 0..ROUNDS {
        holder(&arena).kill();
        let start = Instant::now();
        take_over(&mutex);
        samples.add(start.elapsed());
    }
    println!("  from lock() to the guard (target: median under 1 ms): {samples}");
    assert!(samples.percentile(50) < Duration::from_secs(1));
}

pub(crate) fn of_a_lock_orphaned_during_a_wait() {
    let arena = Arena::create();
    let members = arena.join();
    let mutex = members.layout().mutex(0_u64).expect("no mutex");
    let mut samples = Samples::new();
    for _ in 0..ROUNDS {
        let mut child = holder(&arena);
        thread::scope(|s| {
            let waiter = s.spawn(|| {
                take_over(&mutex);
                Instant::now()
            });
            thread::sleep(Duration::from_millis(10));
            child.kill();
            let dead = Instant::now();
            let had = waiter.join().expect("the waiter panicked");
            samples.add(had.saturating_duration_since(dead));
        });
    }
    println!("  from the reaping to the guard (target: under 100 ms): {samples}");
    assert!(samples.percentile(50) < Duration::from_secs(2));
}
