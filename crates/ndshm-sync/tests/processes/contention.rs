//! Many at one lock.

use std::mem;
use std::sync::atomic::Ordering::SeqCst;
use std::thread;
use std::time::Duration;

use ndshm_sync::{LockError, Members};
use ndshm_testkit::until;

use crate::arena::Arena;

const EACH: u64 = 25_000;
const LIMIT: Duration = Duration::from_secs(100);

/// Adds one, `EACH` times.
pub(crate) fn adder() {
    let arena = Arena::inherited();
    let members = arena.join();
    let mutex = members.layout().mutex(0_u64).expect("no mutex");
    arena.word(1, 0).fetch_add(1, SeqCst);
    until("all are there", LIMIT, || arena.word(1, 0).load(SeqCst) == 4);
    for _ in 0..EACH {
        *mutex.lock().expect("nobody has died") += 1;
    }
}

pub(crate) fn no_increment_is_lost() {
    let arena = Arena::create();
    let members = arena.join();
    let mutex = members.layout().mutex(0_u64).expect("no mutex");
    let mut children: Vec<_> = (0..4).map(|_| arena.role("contention::adder").spawn()).collect();
    children.iter_mut().for_each(|child| child.succeed(LIMIT));
    assert_eq!(*mutex.lock().expect("nobody has died"), 4 * EACH);
}

/// Forgets a guard and leaves; then goes on living.
pub(crate) fn leaker() {
    let arena = Arena::inherited();
    let members = arena.join();
    mem::forget(members.layout().mutex(0_u64).expect("no mutex").lock().expect("no lock"));
    arena.word(1, 0).store(1, SeqCst);
    until("it may leave", LIMIT, || arena.word(1, 1).load(SeqCst) == 1);
    drop(members);
    arena.word(1, 0).store(2, SeqCst);
    thread::sleep(LIMIT);
}

pub(crate) fn a_forgotten_guard_counts_as_a_death() {
    let arena = Arena::create();
    let members = arena.join();
    let mutex = members.layout().mutex(0_u64).expect("no mutex");

    // In another process, which lives on.
    let child = arena.role("contention::leaker").spawn();
    until("it has leaked", LIMIT, || arena.word(1, 0).load(SeqCst) == 1);
    let held = mutex.lock_timeout(Duration::from_millis(50));
    assert!(matches!(held, Err(LockError::TimedOut { owner: Some(_) })), "{held:?}");
    arena.word(1, 1).store(1, SeqCst);
    until("it has left", LIMIT, || arena.word(1, 0).load(SeqCst) == 2);
    match mutex.lock() {
        Err(LockError::Poisoned(p)) => {
            assert_eq!(p.member().pid, Some(child.pid()));
            p.into_inner().clear_poison();
        }
        other => panic!("a lock that was left locked: {other:?}"),
    }

    // In this process, by another membership.
    let other = Members::join_as(arena.region(), 5).expect("cannot join twice");
    mem::forget(other.layout().mutex(0_u64).expect("no mutex").lock().expect("no lock"));
    let held = mutex.try_lock();
    assert!(matches!(held, Err(LockError::WouldBlock { owner: Some(_) })), "{held:?}");
    drop(other);
    match mutex.try_lock() {
        Err(LockError::Poisoned(p)) => assert_eq!(p.member().rank, Some(5)),
        other => panic!("a lock that was left locked: {other:?}"),
    };
}
