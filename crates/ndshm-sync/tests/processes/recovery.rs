//! How soon the lock of a dead one is had. Printed; only a hang fails.

use std::os::fd::AsFd;
use std::sync::atomic::Ordering::SeqCst;
use std::thread;
use std::time::{Duration, Instant};

use ndshm_sync::{LockError, Members, Mutex, MutexCell, Region};
use ndshm_testkit::{Child, Role, Samples, SharedMemory, until};

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

/// More than the kernel's list of robust futexes takes, on which thousands would be lost.
const HOARD: usize = 5000;
const HOARD_REGION: usize = Members::SIZE + HOARD * size_of::<MutexCell<u64>>();

fn hoard_members(memory: &SharedMemory) -> Members<'_> {
    // SAFETY: a fresh memfd, mapped for the rest of the process's life; the first `HOARD_REGION`
    // bytes are used through this crate only.
    let region = unsafe { Region::new(memory.base(), HOARD_REGION, memory.file().as_fd()) };
    Members::join(region).expect("cannot join")
}

fn hoard<'m>(members: &'m Members<'m>) -> Vec<Mutex<'m, u64>> {
    let mut layout = members.layout();
    (0..HOARD as u64).map(|n| layout.mutex(n).expect("no place for a mutex")).collect()
}

/// Holds all of them, by one thread.
pub(crate) fn hoarder() {
    let memory = SharedMemory::inherited();
    let members = hoard_members(&memory);
    let mutexes = hoard(&members);
    let held: Vec<_> = mutexes.iter().map(|m| m.lock().expect("nobody has died")).collect();
    memory.word(HOARD_REGION).store(held.len() as u64, SeqCst);
    thread::sleep(LIMIT);
}

pub(crate) fn of_all_that_one_thread_held() {
    let memory = SharedMemory::create(HOARD_REGION + 8);
    let members = hoard_members(&memory);
    let mutexes = hoard(&members);
    let mut child = Role::new("recovery::hoarder").shared(memory.file()).spawn();
    until("it holds them all", LIMIT, || memory.word(HOARD_REGION).load(SeqCst) == HOARD as u64);
    for mutex in [&mutexes[0], &mutexes[HOARD / 2], &mutexes[HOARD - 1]] {
        let held = mutex.try_lock();
        assert!(matches!(held, Err(LockError::WouldBlock { owner: Some(_) })), "{held:?}");
    }
    child.kill();
    for (n, mutex) in mutexes.iter().enumerate() {
        match mutex.try_lock() {
            Err(LockError::Poisoned(p)) => {
                assert_eq!((p.member().pid, p.panicked()), (Some(child.pid()), false));
                assert_eq!(**p.get_ref(), n as u64);
                p.into_inner().clear_poison();
            }
            other => panic!("lock {n} of {HOARD}: {other:?}"),
        }
    }
    assert!(mutexes.iter().all(|m| m.try_lock().is_ok()), "they were mended");
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
