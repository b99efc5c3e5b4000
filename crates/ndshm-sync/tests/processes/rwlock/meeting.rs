//! The living: who may be in together, who waits for whom, and for how long.

use std::sync::Barrier as Gate;
use std::sync::atomic::Ordering::SeqCst;
use std::thread;
use std::time::{Duration, Instant};

use ndshm_sync::{LayoutError, LockError, Members, RwLock};
use ndshm_testkit::{Child, Rng, arguments, panic_holding, takes, until};

use super::deaths::{a_writer_waits, held, lock, spawn};
use crate::arena::Arena;

const LIMIT: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(50);
const EACH: u64 = 25_000;

/// Reads and adds, by turns; page 1, words 1 and 2: how many read, who writes.
pub(crate) fn mixer() {
    let arena = Arena::inherited();
    let members = arena.join();
    let lock = lock(&members);
    let (readers, writers) = (arena.word(1, 1), arena.word(1, 2));
    arena.word(1, 0).fetch_add(1, SeqCst);
    until("all are there", LIMIT, || arena.word(1, 0).load(SeqCst) == 3);
    let mut rng = Rng::new(u64::from(std::process::id()));
    let mut seen = 0;
    for _ in 0..EACH {
        for _ in 0..rng.below(3) {
            let guard = lock.read().expect("nobody has died");
            readers.fetch_add(1, SeqCst);
            assert_eq!(writers.load(SeqCst), 0, "one reads while another writes");
            assert!(*guard >= seen, "an older value");
            seen = *guard;
            readers.fetch_sub(1, SeqCst);
        }
        let mut guard = lock.write().expect("nobody has died");
        assert_eq!(writers.fetch_add(1, SeqCst), 0, "two write");
        assert_eq!(readers.load(SeqCst), 0, "one writes while another reads");
        *guard += 1;
        writers.fetch_sub(1, SeqCst);
    }
}

pub(crate) fn no_increment_is_lost() {
    let arena = Arena::create();
    let members = arena.join();
    let lock = lock(&members);
    let mut children: Vec<Child> =
        (0..3).map(|_| arena.role("rwlock::meeting::mixer").spawn()).collect();
    children.iter_mut().for_each(|child| child.succeed(LIMIT * 4));
    assert_eq!(*lock.read().expect("nobody has died"), 3 * EACH);
}

/// Two threads that read again and again; page 2: how often each of four such threads has.
pub(crate) fn reader_without_end() {
    let arena = Arena::inherited();
    let members = arena.join();
    let lock = lock(&members);
    let count = |who: usize| arena.word(2, who).load(SeqCst);
    let read = |who: usize| {
        let guard = lock.read().expect("nobody has died");
        let others = (0..4).filter(|&other| other != who).collect::<Vec<_>>();
        let before: Vec<_> = others.iter().map(|&other| count(other)).collect();
        arena.word(2, who).fetch_add(1, SeqCst);
        // Until another has come in: so there is always one, unless a writer keeps them out.
        let start = Instant::now();
        while others.iter().zip(&before).all(|(&other, &before)| count(other) == before)
            && start.elapsed() < Duration::from_millis(5)
        {
            thread::yield_now();
        }
        drop(guard);
    };
    let first: usize = arguments()[0].parse().expect("a number");
    thread::scope(|s| {
        for who in [first, first + 1] {
            let read = &read;
            s.spawn(move || {
                loop {
                    read(who);
                }
            });
        }
    });
}

pub(crate) fn readers_starve_no_writer() {
    let arena = Arena::create();
    let members = arena.join();
    let lock = lock(&members);
    let _children: Vec<Child> = [0, 2]
        .map(|first| arena.role("rwlock::meeting::reader_without_end").arg(first).spawn())
        .into();
    let all = || (0..4).map(|who| arena.word(2, who).load(SeqCst));
    until("all read", LIMIT, || all().all(|n| n > 3));
    let start = Instant::now();
    for _ in 0..100 {
        *lock.write_timeout(LIMIT).expect("starved by readers") += 1;
        let before: u64 = all().sum();
        until("they read again", LIMIT, || all().sum::<u64>() > before + 3);
    }
    println!("  100 writes, each of them among readers, in {:.1?}", start.elapsed());
}

/// More members than cells; and more threads.
pub(crate) fn a_full_house_waits() {
    let arena = Arena::create();
    let members = arena.join();
    let lock: RwLock<'_, u64, 2> = members.layout().rwlock_with(0).expect("no lock");
    let (one, two, three) = (arena.join(), arena.join(), arena.join());
    let a: RwLock<'_, u64, 2> = one.layout().rwlock_with(0).expect("no lock");
    let b: RwLock<'_, u64, 2> = two.layout().rwlock_with(0).expect("no lock");
    let c: RwLock<'_, u64, 2> = three.layout().rwlock_with(0).expect("no lock");
    let first = a.read().expect("clean");
    let second = b.read().expect("clean");
    for full in [lock.try_read(), c.read_timeout(SHORT)] {
        let owner = match full {
            Err(LockError::WouldBlock { owner } | LockError::TimedOut { owner }) => owner,
            other => panic!("there was no cell left: {other:?}"),
        };
        let owner = owner.expect("one that sits there").id;
        assert!(owner == one.me() || owner == two.me());
    }
    // Who has a cell never waits for another.
    let again = [a.try_read(), a.try_read(), b.try_read()].map(|more| more.expect("a share"));
    thread::scope(|s| {
        let waiting = s.spawn(|| lock.read().map(|guard| *guard).map_err(LockError::without_guard));
        until("it sleeps", LIMIT, || lock.inspect().sleepers);
        let [_, _, third] = again;
        drop(third);
        thread::sleep(SHORT);
        assert!(!waiting.is_finished(), "no cell is free yet");
        drop(second);
        waiting.join().expect("it panicked").expect("clean");
    });
    drop(first);
    drop(a.try_write().expect("all have left"));

    // A cell of the dead is free, though nobody has left it.
    let _first = a.read().expect("clean");
    std::mem::forget(b.read().expect("clean"));
    assert!(lock.try_read().is_err(), "they live");
    drop(two);
    drop(lock.try_read().expect("one has gone"));
}

/// All threads of a process may share one cell.
pub(crate) fn threads_share_a_cell() {
    let arena = Arena::create();
    let members = arena.join();
    let lock: RwLock<'_, u64, 1> = members.layout().rwlock_with(0).expect("no lock");
    let gate = Gate::new(4);
    thread::scope(|s| {
        for _ in 0..4 {
            s.spawn(|| {
                for _ in 0..500 {
                    let guard = lock.read().expect("clean");
                    gate.wait(); // all four are in
                    assert!(lock.try_write().is_err());
                    gate.wait();
                    drop(guard);
                    gate.wait();
                    drop(lock.write().expect("clean"));
                    gate.wait();
                }
            });
        }
    });
    assert_eq!(lock.inspect().to_string().split(';').next(), Some("rwlock: free"));
}

pub(crate) fn time_outs() {
    let arena = Arena::create();
    let members = arena.join();
    let lock = lock(&members);
    let mut writer = held(&arena, "write");
    let pid = Some(writer.pid());
    for millis in [0, 1, 39, 41, 120] {
        let timeout = Duration::from_millis(millis);
        let read = takes(timeout, || lock.read_timeout(timeout)).map_err(LockError::without_guard);
        let written =
            takes(timeout, || lock.write_timeout(timeout)).map_err(LockError::without_guard);
        for e in [read.err(), written.err()] {
            assert!(matches!(e, Some(LockError::TimedOut { owner: Some(o) }) if o.pid == pid));
        }
    }
    let soon = || Instant::now() + SHORT;
    takes(SHORT, || lock.read_deadline(soon())).expect_err("it is written");
    takes(SHORT, || lock.write_deadline(soon())).expect_err("it is written");
    assert!(matches!(lock.try_read(), Err(LockError::WouldBlock { .. })));
    assert!(matches!(lock.try_write(), Err(LockError::WouldBlock { .. })));
    arena.word(1, 1).store(1, SeqCst);
    assert_eq!(*lock.read_timeout(Duration::MAX).expect("it is released"), 1);
    writer.kill();

    // While it drains; then all is as if nobody had wanted to write.
    let guard = lock.read().expect("clean");
    for millis in [0, 1, 41] {
        let timeout = Duration::from_millis(millis);
        match takes(timeout, || lock.write_timeout(timeout)) {
            Err(LockError::TimedOut { owner: Some(o) }) => assert_eq!(o.id, members.me()),
            other => panic!("it was read: {other:?}"),
        }
        drop(lock.try_read().expect("no writer is left"));
    }
    thread::scope(|s| {
        // A reader that came meanwhile goes on when the writer gives up.
        let writer = s.spawn(|| lock.write_timeout(SHORT * 6).map(drop).is_ok());
        until("it waits", LIMIT, || a_writer_waits(&lock));
        let reader = s.spawn(|| lock.read().map(drop).map_err(LockError::without_guard));
        assert!(!writer.join().expect("it panicked"), "it was read");
        reader.join().expect("it panicked").expect("clean");
    });
    drop(guard);
    thread::scope(|s| {
        // And a writer with all the time there is.
        let guard = lock.read().expect("clean");
        let writer =
            s.spawn(|| lock.write_timeout(Duration::MAX).map(|mut guard| *guard += 1).is_ok());
        until("it waits", LIMIT, || a_writer_waits(&lock));
        drop(guard);
        assert!(writer.join().expect("it panicked"), "nobody reads any more");
    });
    assert_eq!(*lock.read().expect("clean"), 2);
}

pub(crate) fn a_writers_panic_poisons_and_a_readers_does_not() {
    let arena = Arena::create();
    let members = arena.join();
    let lock = lock(&members);
    panic_holding(|| lock.read());
    drop(lock.try_write().expect("the share was given back, and nothing is poisoned"));
    panic_holding(|| lock.write());
    for told in [lock.read(), lock.try_read()] {
        let Err(LockError::Poisoned(p)) = told else { panic!("not poisoned") };
        assert!(p.panicked() && p.member().id == members.me());
    }
    let mut guard = lock.write().expect_err("poisoned").into_guard().expect("poisoned");
    guard.clear_poison();
    drop(guard);
    drop(lock.read().expect("it was cleared"));
}

pub(crate) fn what_differs_is_refused() {
    let arena = Arena::create();
    let [a, b, c] = [(); 3].map(|()| arena.join());
    a.layout().rwlock(0_u64).expect("the first");
    let other = b.layout().rwlock_with::<u64, 8>(0).expect_err("other cells");
    assert!(matches!(other, LayoutError::Differs { .. }));
    let text = other.to_string();
    assert!(text.contains("16 cells around 8 bytes") && text.contains("8 cells"), "{text}");
    assert!(matches!(c.layout().rwlock(0_u32), Err(LayoutError::Differs { .. })));
}

/// The words of the lock begin at the line that follows its value's.
pub(crate) fn garbage_is_no_panic_and_no_hang() {
    let arena = Arena::create();
    let members = arena.join();
    let lock = lock(&members);
    let me = members.me();
    let start = Members::SIZE + 64;
    let mut rng = Rng::of_this_run();
    for _ in 0..300 {
        // Cells, some of them of living members' names: those are another's shares.
        for cell in 1..=16 {
            let garbage = if rng.chance(50) { 0 } else { rng.next() | 1 << 63 };
            arena.inside(start + 64 * cell).store(garbage, SeqCst);
        }
        let word = if rng.chance(50) { 0 } else { rng.next() };
        let alive = word & 0xffff == u64::from(me.slot()) && word >> 32 == 1;
        arena.inside(start).store(if alive { 0 } else { word }, SeqCst);
        drop(lock.read_timeout(LIMIT).map_err(|e| e.into_guard().expect("a share")));
        let mut guard = lock
            .write_timeout(LIMIT)
            .or_else(|e| e.into_guard().ok_or("not had"))
            .expect("the lock of nobody");
        guard.clear_poison();
        drop(guard);
        drop(lock.try_read().expect("whole again"));
    }
    // A share that is not there any more when it is given back.
    let guard = lock.read().expect("clean");
    for cell in 1..=16 {
        arena.inside(start + 64 * cell).store(0, SeqCst);
    }
    drop(guard);
    drop(lock.try_write().expect("nobody reads"));
}

pub(crate) fn two_processes_read_at_once() {
    let arena = Arena::create();
    let members = arena.join();
    let lock = lock(&members);
    let _mine = lock.read().expect("clean");
    let mut other = held(&arena, "read"); // would hang, were it to wait for this one
    drop(lock.try_read().expect("three shares"));
    other.kill();
    let mut writer = spawn(&arena, "write");
    until("it waits", LIMIT, || a_writer_waits(&lock));
    assert!(lock.try_read().is_err(), "a writer that waits comes before a new reader");
    writer.kill();
}
