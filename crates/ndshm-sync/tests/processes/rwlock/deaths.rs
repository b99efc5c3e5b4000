//! What the dead, the stopped and the forked leave behind.

use std::sync::atomic::Ordering::SeqCst;
use std::thread;
use std::time::Duration;

use ndshm_sync::{LayoutError, LockError, Members, RwLock};
use ndshm_testkit::{Child, arguments, ends_well, fork, until};

use crate::arena::Arena;

const LIMIT: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(50);

pub(super) fn lock<'m>(members: &'m Members<'m>) -> RwLock<'m, u64> {
    members.layout().rwlock(0).expect("no place for the lock")
}

/// Has the lock, as the argument says, until it is told or killed; says so in word 0 of page 1.
pub(crate) fn holder() {
    let arena = Arena::inherited();
    let members = arena.join();
    let lock = lock(&members);
    let at = arena.word(1, 0);
    let wait = || until("it may go on", LIMIT, || arena.word(1, 1).load(SeqCst) == 1);
    match arguments()[0].as_str() {
        "read" => {
            let guard = lock.read().expect("not poisoned");
            at.fetch_add(1, SeqCst);
            wait();
            drop(guard);
        }
        _ => {
            let mut guard = lock.write().expect("not poisoned");
            *guard += 1;
            at.fetch_add(1, SeqCst);
            wait();
            drop(guard);
        }
    }
    at.fetch_add(1, SeqCst);
    thread::sleep(LIMIT);
}

pub(super) fn spawn(arena: &Arena, how: &str) -> Child {
    arena.role("rwlock::deaths::holder").arg(how).spawn()
}

pub(super) fn held(arena: &Arena, how: &str) -> Child {
    let before = arena.word(1, 0).load(SeqCst);
    let child = spawn(arena, how);
    until("it has the lock", LIMIT, || arena.word(1, 0).load(SeqCst) == before + 1);
    child
}

pub(super) fn a_writer_waits(lock: &RwLock<'_, u64>) -> bool {
    lock.inspect().state.starts_with("a writer waits")
}

pub(crate) fn dead_readers_hold_nobody_up() {
    let arena = Arena::create();
    let members = arena.join();
    let lock = lock(&members);
    let mut readers: Vec<Child> = (0..10).map(|_| held(&arena, "read")).collect();
    assert_eq!(lock.inspect().holders.len(), 10, "{}", lock.inspect());
    assert!(matches!(lock.try_write(), Err(LockError::WouldBlock { owner: Some(_) })));
    thread::scope(|s| {
        let writer =
            s.spawn(|| lock.write().map(|mut guard| *guard += 1).map_err(LockError::without_guard));
        until("it waits", LIMIT, || a_writer_waits(&lock));
        let (last, others) = readers.split_last_mut().expect("ten");
        for reader in others {
            reader.kill();
        }
        thread::sleep(SHORT * 2);
        assert!(!writer.is_finished(), "one still reads");
        last.kill();
        writer.join().expect("it panicked").expect("a reader's death poisons nothing");
    });
    assert_eq!(*lock.read().expect("nor does it later"), 1);

    // At once, where nobody waits.
    readers = (0..3).map(|_| held(&arena, "read")).collect();
    readers.iter_mut().for_each(Child::kill_to_zombie);
    drop(lock.try_write().expect("they are dead"));
}

pub(crate) fn a_writer_that_waits_takes_nothing_to_its_grave() {
    let arena = Arena::create();
    let members = arena.join();
    let lock = lock(&members);
    for by_a_reader in [true, false] {
        let guard = lock.read().expect("not poisoned");
        let mut writer = spawn(&arena, "write");
        until("it waits", LIMIT, || a_writer_waits(&lock));
        match lock.read_timeout(SHORT) {
            Err(LockError::TimedOut { owner: Some(o) }) => assert_eq!(o.pid, Some(writer.pid())),
            other => panic!("a reader came in before a writer that waits: {other:?}"),
        }
        writer.kill();
        if by_a_reader {
            drop(lock.try_read().expect("it had changed nothing"));
            drop(guard);
        } else {
            drop(guard);
            drop(lock.try_write().expect("it had changed nothing"));
        }
        assert_eq!(*lock.read().expect("nor was anybody else told"), 0);
        assert_eq!(lock.inspect().to_string().split(';').next(), Some("rwlock: free"));
    }

    // What was poisoned before stays so, by the same name.
    let mut first = held(&arena, "write");
    first.kill();
    let guard = lock.read().expect_err("poisoned").into_guard().expect("poisoned");
    let mut second = arena.role("rwlock::deaths::waiter").spawn();
    until("it waits", LIMIT, || a_writer_waits(&lock));
    second.kill();
    match lock.read() {
        Err(LockError::Poisoned(p)) => assert_eq!(p.member().pid, Some(first.pid())),
        other => panic!("nobody has mended it: {other:?}"),
    };
    drop(guard);
}

/// Writes whatever it finds.
pub(crate) fn waiter() {
    let arena = Arena::inherited();
    let members = arena.join();
    drop(lock(&members).write());
}

pub(crate) fn a_writer_that_dies_inside_is_told_of() {
    let arena = Arena::create();
    let members = arena.join();
    let lock = lock(&members);
    for first in ["read", "try_read", "write", "try_write", "waiting reader"] {
        let mut writer = held(&arena, "write");
        let pid = Some(writer.pid());
        let told = match first {
            "read" => {
                writer.kill();
                lock.read().err().map(LockError::without_guard)
            }
            "try_read" => {
                writer.kill_to_zombie();
                lock.try_read().err().map(LockError::without_guard)
            }
            "write" => {
                writer.kill();
                lock.write().err().map(LockError::without_guard)
            }
            "try_write" => {
                writer.kill_to_zombie();
                lock.try_write().err().map(LockError::without_guard)
            }
            _ => thread::scope(|s| {
                let reader = s.spawn(|| lock.read().err().map(LockError::without_guard));
                until("it sleeps", LIMIT, || lock.inspect().sleepers);
                writer.kill();
                reader.join().expect("it panicked")
            }),
        };
        let Some(LockError::Poisoned(p)) = told else { panic!("{first}: {told:?}") };
        assert_eq!((p.member().pid, p.panicked()), (pid, false), "{first}");
        // And everybody after that, until it is mended.
        let [a, b] = [(); 2].map(|()| lock.read().err().and_then(LockError::into_guard));
        assert!(a.is_some() && b.is_some(), "{first}: two readers at once, both told");
        drop((a, b));
        let mut guard = lock.write().expect_err("poisoned").into_guard().expect("poisoned");
        guard.clear_poison();
        drop(guard);
        drop(lock.read().expect("it was cleared"));
    }
}

pub(crate) fn the_stopped_are_waited_for() {
    let arena = Arena::create();
    let members = arena.join();
    let lock = lock(&members);
    for how in ["read", "write"] {
        arena.word(1, 1).store(0, SeqCst);
        let mut child = held(&arena, how);
        child.stop();
        arena.word(1, 1).store(1, SeqCst);
        match lock.write_timeout(SHORT * 4) {
            Err(LockError::TimedOut { owner: Some(o) }) => assert_eq!(o.pid, Some(child.pid())),
            other => panic!("a stopped one was robbed: {other:?}"),
        }
        thread::scope(|s| {
            let writer = s.spawn(|| lock.write().map(drop).map_err(LockError::without_guard));
            thread::sleep(SHORT * 2);
            assert!(!writer.is_finished(), "a stopped one was robbed");
            child.resume();
            writer.join().expect("it panicked").expect("nobody has died");
        });
    }
}

/// Reads one lock, writes another, and forks.
pub(crate) fn forker() {
    let arena = Arena::inherited();
    let members = arena.join();
    let mut layout = members.layout();
    let read: RwLock<'_, u64> = layout.rwlock(0).expect("no lock");
    let written: RwLock<'_, u64> = layout.rwlock(0).expect("no lock");
    let mut owned = Some((read.read().expect("clean"), written.write().expect("clean")));
    let child = fork(true, || {
        assert!(matches!(read.read(), Err(LockError::Forked)));
        assert!(matches!(read.try_read(), Err(LockError::Forked)));
        assert!(matches!(read.read_timeout(Duration::MAX), Err(LockError::Forked)));
        assert!(matches!(read.write(), Err(LockError::Forked)));
        assert!(matches!(read.try_write(), Err(LockError::Forked)));
        assert!(matches!(written.write_timeout(Duration::MAX), Err(LockError::Forked)));
        assert!(matches!(members.layout().rwlock(0_u64), Err(LayoutError::Forked)));
        drop(owned.take()); // the child's copies, which stand for nothing
        let anew = arena.join();
        let mut layout = anew.layout();
        let read: RwLock<'_, u64> = layout.rwlock(0).expect("no lock");
        let written: RwLock<'_, u64> = layout.rwlock(0).expect("no lock");
        drop(read.try_read().expect("the parent only reads"));
        let held = read.try_write();
        assert!(
            matches!(&held, Err(LockError::WouldBlock { owner: Some(o) }) if o.id == members.me()),
            "{held:?}"
        );
        assert!(matches!(written.try_read(), Err(LockError::WouldBlock { owner: Some(_) })));
    });
    ends_well(child);
    drop(owned);
    drop(written.try_read().expect("not poisoned"));
    drop(read.try_write().expect("not held"));
}

pub(crate) fn a_forked_child_has_no_share() {
    let arena = Arena::create();
    arena.role("rwlock::deaths::forker").spawn().succeed(LIMIT);
}
