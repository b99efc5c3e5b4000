//! Who dies with what others wait for, and who dies waiting.

use std::sync::atomic::Ordering::SeqCst;
use std::thread;
use std::time::{Duration, Instant};

use ndshm_sync::{BackendKind, LockError, Mutex};
use ndshm_testkit::{Rng, Samples, until};

use crate::arena::Arena;
use crate::subject::{Entry, GOT_IT, LIMIT, SUBJECTS, Seen, let_go};

fn owned() -> impl Iterator<Item = &'static Entry> {
    SUBJECTS.iter().filter(|entry| entry.owned)
}

pub(crate) fn of_a_holder_is_noticed_with_its_name(kind: BackendKind) {
    for entry in owned() {
        let arena = Arena::create(kind);
        let members = arena.join();
        let subject = entry.make(&members, &arena);
        for _ in 0..5 {
            let mut child = entry.held(&arena);
            child.kill_to_zombie();
            assert_eq!(subject.wait(None), Seen::Died(Some(child.pid())), "{}", entry.name);
        }
        let mut child = entry.held(&arena);
        let_go(&arena);
        assert_eq!(subject.wait(None), Seen::Free, "{}: it was mended", entry.name);
        child.kill();
    }
}

pub(crate) fn of_a_holder_waited_for_is_noticed(kind: BackendKind) {
    for entry in owned() {
        let arena = Arena::create(kind);
        let members = arena.join();
        let mut samples = Samples::new();
        for _ in 0..10 {
            let mut child = entry.held(&arena);
            let pid = child.pid();
            thread::scope(|s| {
                let waiting = s.spawn(|| {
                    let members = arena.join(); // of its own, in this process too
                    let seen = entry.make(&members, &arena).wait(None);
                    (seen, Instant::now())
                });
                thread::sleep(Duration::from_millis(10)); // it is asleep by now, or will look later
                child.kill();
                let dead = Instant::now();
                let (seen, at) = waiting.join().expect("the waiter panicked");
                assert_eq!(seen, Seen::Died(Some(pid)), "{}", entry.name);
                samples.add(at.saturating_duration_since(dead));
            });
            assert_eq!(members.alive().count(), 1);
        }
        println!("  {}: from the reaping to the answer: {samples}", entry.name);
        assert!(samples.percentile(50) < Duration::from_secs(2));
    }
}

/// Killed while they wait, at any moment of it; who waits still is woken all the same.
pub(crate) fn of_waiters_is_harmless(kind: BackendKind) {
    for entry in SUBJECTS.iter().filter(|entry| entry.waits_freely) {
        let arena = Arena::create(kind);
        let members = arena.join();
        let subject = entry.make(&members, &arena);
        let mut rng = Rng::of_this_run();
        for _ in 0..4 {
            subject.hold(&mut || {
                let mut doomed: Vec<_> = (0..3).map(|n| entry.waiter(&arena, n)).collect();
                let survivor = entry.waiter(&arena, 3);
                for child in &mut doomed {
                    rng.pause(Duration::from_millis(5));
                    child.kill();
                }
                assert_eq!(arena.word(2, 3).load(SeqCst), 1, "{}: it has it already", entry.name);
                std::mem::forget(survivor); // it dies with this process
            });
            until("the survivor has it", LIMIT, || arena.word(2, 3).load(SeqCst) == GOT_IT);
        }
        assert_eq!(subject.wait(Some(LIMIT)), Seen::Free, "{}", entry.name);
    }
}

const LOCKS: usize = 1000;

fn locks<'m>(members: &'m ndshm_sync::Members<'m>) -> Vec<Mutex<'m, u64>> {
    let mut layout = members.layout();
    (0..LOCKS).map(|_| layout.mutex(0_u64).expect("no room")).collect()
}

/// Takes all to its grave.
pub(crate) fn orphaner() {
    let arena = Arena::inherited();
    let members = arena.join();
    let locks = locks(&members);
    let guards: Vec<_> = locks.iter().map(|lock| lock.lock().expect("no lock")).collect();
    arena.word(1, 0).store(1, SeqCst);
    thread::sleep(LIMIT * 2);
    drop(guards);
}

pub(crate) fn with_a_thousand_locks(kind: BackendKind) {
    let arena = Arena::create(kind);
    let members = arena.join();
    let locks = locks(&members);
    let mut child = arena.role("death::orphaner").spawn();
    until("it holds all", LIMIT, || arena.word(1, 0).load(SeqCst) == 1);
    for lock in &locks {
        assert!(matches!(lock.try_lock(), Err(LockError::WouldBlock { owner: Some(_) })));
    }
    child.kill();
    let start = Instant::now();
    for (n, lock) in locks.iter().enumerate() {
        match lock.try_lock() {
            Err(LockError::Poisoned(p)) => {
                assert_eq!(p.member().pid, Some(child.pid()), "lock {n}");
                p.into_inner().clear_poison();
            }
            other => panic!("lock {n} of a dead one: {other:?}"),
        }
    }
    println!("  {LOCKS} locks of a dead one taken over in {:.1?}", start.elapsed());
    assert!(locks.iter().all(|lock| lock.try_lock().is_ok()));
}
