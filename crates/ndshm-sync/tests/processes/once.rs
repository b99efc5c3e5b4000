//! What is made once: by one of many at a time, and again where that one is lost.

use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::thread;
use std::time::{Duration, Instant};

use ndshm_sync::{LayoutError, LockError, Members, OnceCell, OnceError};
use ndshm_testkit::{Child, Rng, arguments, ends_well, fork, panic_holding, until};

use crate::arena::Arena;

const LIMIT: Duration = Duration::from_secs(20);
const RACERS: u64 = 4;
const CELLS: usize = 300;

fn cell<'m>(members: &'m Members<'m>) -> OnceCell<'m, u64> {
    members.layout().once_cell().expect("no place for the cell")
}

/// Asks for cell after cell, as all others do at the same time.
pub(crate) fn racer() {
    let arena = Arena::inherited();
    let members = arena.join();
    let number: u64 = arguments()[0].parse().expect("a number");
    let mut layout = members.layout();
    let cells = [(); CELLS].map(|()| layout.once_cell::<[u64; 6]>().expect("no cell"));
    let (here, made, wrong) = (arena.word(1, 0), arena.word(1, 1), arena.word(1, 2));
    let mut rng = Rng::new(number);
    for (i, cell) in cells.iter().enumerate() {
        here.fetch_add(1, SeqCst);
        until("all are there", LIMIT, || here.load(SeqCst) > RACERS * i as u64 + 1);
        let value = cell.get_or_init(|| {
            made.fetch_add(1, Relaxed);
            rng.pause(Duration::from_micros(20));
            [number; 6]
        });
        let value = *value.expect("nobody has died");
        // What the first has said of it is what all find.
        let first = arena.word(2, i).compare_exchange(0, value[0] + 1, SeqCst, SeqCst);
        let same = first.is_ok() || first == Err(value[0] + 1);
        wrong.fetch_add(u64::from(!same || value != [value[0]; 6]), SeqCst);
        assert_eq!(cell.get(), Some(&value));
    }
}

pub(crate) fn one_of_all_makes_it() {
    let arena = Arena::create();
    let racers = (1..=RACERS).map(|n| arena.role("once::racer").arg(n).spawn());
    racers.collect::<Vec<_>>().iter_mut().for_each(|racer| racer.succeed(LIMIT));
    assert_eq!(arena.word(1, 2).load(SeqCst), 0, "values that differ");
    assert_eq!(arena.word(1, 1).load(SeqCst), CELLS as u64, "one maker for each");
}

/// Begins to make the value, says so, and ends it once it may.
pub(crate) fn initialiser() {
    let arena = Arena::inherited();
    let members = arena.join();
    let _ = cell(&members).get_or_init(|| {
        arena.word(1, 0).store(1, SeqCst);
        until("it may go on", LIMIT * 2, || arena.word(1, 1).load(SeqCst) == 1);
        7
    });
    thread::sleep(LIMIT);
}

fn at_it(arena: &Arena) -> Child {
    arena.word(1, 0).store(0, SeqCst);
    let child = arena.role("once::initialiser").spawn();
    until("it has begun", LIMIT, || arena.word(1, 0).load(SeqCst) == 1);
    child
}

pub(crate) fn who_waits_is_told_of_a_death() {
    let arena = Arena::create();
    let members = arena.join();
    let cell = cell(&members);
    for round in 0..3 {
        let mut child = at_it(&arena);
        let pid = child.pid();
        let died = |outcome| match outcome {
            Err(OnceError::Abandoned { by, panicked: false }) => {
                assert_eq!(by.pid, Some(pid));
            }
            other => panic!("a maker died: {other:?}"),
        };
        let waited = thread::scope(|s| {
            let waiting = s.spawn(|| cell.wait());
            until("it sleeps", LIMIT, || cell.inspect().sleepers);
            assert!(!waiting.is_finished());
            let now = cell.inspect();
            assert_eq!(now.state, "being initialised");
            assert_eq!(now.holders[0].member.pid, Some(pid));
            child.kill_to_zombie();
            waiting.join().expect("it panicked")
        });
        died(waited);
        died(cell.try_wait());
        died(cell.wait_timeout(Duration::MAX));
        assert_eq!(cell.get(), None);
        child.kill();
        if round == 1 {
            // Somebody else begins anew: there is something to wait for again.
            let another = at_it(&arena);
            match cell.wait_timeout(Duration::from_millis(60)) {
                Err(OnceError::TimedOut { by: Some(by) }) => {
                    assert_eq!(by.pid, Some(another.pid()))
                }
                other => panic!("another is at it: {other:?}"),
            }
        }
    }
    assert_eq!(cell.get_or_init(|| 3), Ok(&3), "the next makes up for it");
    assert_eq!((cell.wait(), cell.set(4)), (Ok(&3), Err(OnceError::AlreadySet)));
    assert_eq!(cell.inspect().to_string(), "once cell: initialised");
}

pub(crate) fn who_waits_is_told_of_a_panic() {
    let arena = Arena::create();
    let members = arena.join();
    let once = members.layout().once().expect("no once");
    thread::scope(|s| {
        let waiting = s.spawn(|| once.wait());
        until("it sleeps", LIMIT, || once.inspect().sleepers);
        panic_holding(|| once.call_once(|| std::panic::resume_unwind(Box::new(()))));
        match waiting.join().expect("it panicked") {
            Err(OnceError::Abandoned { by, panicked: true }) => assert_eq!(by.id, members.me()),
            other => panic!("the maker panicked: {other:?}"),
        }
    });
    assert!(!once.is_completed());
    assert_eq!(once.inspect().poisoned_by.map(|by| by.id), Some(members.me()));
    once.call_once(|| ()).expect("again");
    assert!(once.is_completed());
    assert_eq!((once.wait(), once.inspect().poisoned_by), (Ok(()), None));
}

pub(crate) fn a_stopped_initialiser_is_waited_for() {
    let arena = Arena::create();
    let members = arena.join();
    let cell = cell(&members);
    let mut child = at_it(&arena);
    child.stop();
    let short = Duration::from_millis(150);
    for outcome in [cell.get_or_init_timeout(short, || 1), cell.wait_timeout(short)] {
        match outcome {
            Err(OnceError::TimedOut { by: Some(by) }) => assert_eq!(by.pid, Some(child.pid())),
            other => panic!("a stopped maker was robbed: {other:?}"),
        }
    }
    thread::scope(|s| {
        let asking = s.spawn(|| cell.get_or_init(|| 1));
        let waiting = s.spawn(|| cell.wait());
        arena.word(1, 1).store(1, SeqCst);
        child.resume();
        assert_eq!(asking.join().expect("it panicked"), Ok(&7));
        assert_eq!(waiting.join().expect("it panicked"), Ok(&7));
    });
}

pub(crate) fn time_outs() {
    let arena = Arena::create();
    let members = arena.join();
    let mut layout = members.layout();
    let cell = layout.once_cell::<u64>().expect("no cell");
    let start = Instant::now();
    for millis in [0, 1, 45] {
        let timeout = Duration::from_millis(millis);
        let early = [cell.wait_timeout(timeout), cell.wait_deadline(Instant::now() + timeout)];
        assert_eq!(early, [Err(OnceError::TimedOut { by: None }); 2]);
    }
    assert!(start.elapsed() >= Duration::from_millis(90));
    assert_eq!(cell.try_wait(), Err(OnceError::WouldBlock { by: None }));
    assert_eq!(cell.wait_deadline(start), Err(OnceError::TimedOut { by: None }));

    // An initialiser that waits for itself.
    let (me, short) = (members.describe(members.me()), Duration::from_millis(45));
    let made = cell.get_or_init(|| {
        let late = Err(OnceError::TimedOut { by: Some(me) });
        assert_eq!(cell.get_or_init_timeout(short, || 2), late);
        assert_eq!(cell.get_or_init_deadline(Instant::now() + short, || 2), late);
        assert_eq!(cell.wait_timeout(short), late);
        assert_eq!(cell.try_get_or_init(|| 2), Err(OnceError::WouldBlock { by: Some(me) }));
        1
    });
    assert_eq!(made, Ok(&1));
    assert_eq!(cell.wait_timeout(Duration::ZERO), Ok(&1));

    thread::scope(|s| {
        let once = layout.once().expect("no once");
        let waiting = s.spawn(move || once.wait_timeout(Duration::MAX));
        thread::sleep(Duration::from_millis(60));
        assert!(!waiting.is_finished(), "for ever is longer");
        once.call_once(|| ()).expect("nobody is at it");
        waiting.join().expect("it panicked").expect("it is done");
    });

    let other = arena.join();
    let differs = other.layout().once_cell::<u32>();
    assert!(matches!(differs, Err(LayoutError::Differs { .. })), "{differs:?}");
    let other = arena.join();
    let differs = other.layout().once();
    assert!(differs.is_err_and(|e| e.to_string().contains("a once cell of 8 bytes")));
}

/// Forks while it makes a value.
pub(crate) fn forker() {
    let arena = Arena::inherited();
    let members = arena.join();
    let mut layout = members.layout();
    let [one, two] = [(); 2].map(|()| layout.once_cell::<u64>().expect("no cell"));
    one.set(1).expect("nobody else is here");
    let mut in_child = None;
    let made = two.get_or_init(|| {
        let pid = fork(true, || {
            assert_eq!(one.get(), Some(&1), "to look is no harm");
            assert_eq!(two.get(), None);
            assert_eq!(two.wait(), Err(OnceError::Forked));
            assert_eq!(two.set(3), Err(OnceError::Forked));
            assert_eq!(two.try_get_or_init(|| 3), Err(OnceError::Forked));
            assert_eq!(one.set(3), Err(OnceError::AlreadySet));
        });
        ends_well(pid);
        // And one that goes on in here, as if the value were its own to make.
        // SAFETY: this process has one thread, so the child finds everything as it was.
        let pid = unsafe { libc::fork() };
        in_child = Some(pid);
        if pid != 0 { 2 } else { 3 }
    });
    match in_child {
        Some(0) => {
            let refused = made == Err(OnceError::Forked) && two.get().is_none_or(|&v| v == 2);
            // SAFETY: ends the child without running what belongs to the parent.
            unsafe { libc::_exit(i32::from(!refused)) }
        }
        Some(pid) => ends_well(pid),
        None => panic!("somebody else has made it"),
    }
    assert_eq!(made, Ok(&2));
}

pub(crate) fn a_forked_child_makes_nothing() {
    let arena = Arena::create();
    arena.role("once::forker").spawn().succeed(LIMIT);
    let members = arena.join();
    let mut layout = members.layout();
    let cells = [(); 2].map(|()| layout.once_cell::<u64>().expect("no cell"));
    assert_eq!(cells.map(|cell| cell.get().copied()), [Some(1), Some(2)]);
}

/// A mutex whose first writer died under the lock: the state that leaves, written by hand.
pub(crate) fn a_dead_first_writer_of_a_mutex_is_made_up_for() {
    let arena = Arena::create();
    let gone = arena.join().me();
    // Kind and size, no mark; locked by one that is gone; half a value.
    arena.inside(Members::SIZE).store(16 << 8 | u64::from(b'm'), SeqCst);
    arena.inside(Members::SIZE + 8).store(1 << 31 | gone.to_bits(), SeqCst);
    arena.inside(Members::SIZE + 32).store(99, SeqCst);
    let members = arena.join();
    let mutex = members.layout().mutex([5_u64, 6]).expect("no mutex");
    assert_eq!(*mutex.lock().expect("written whole, so nothing to tell"), [5, 6]);

    // The same after the mark: the value is whole, and who died is told.
    let other = arena.join();
    let again = other.layout().mutex([5_u64, 6]).expect("no mutex");
    arena.inside(Members::SIZE + 8).store(1 << 31 | gone.to_bits(), SeqCst);
    match again.lock() {
        Err(LockError::Poisoned(p)) => assert_eq!((p.member().id, **p.get_ref()), (gone, [5, 6])),
        other => panic!("it died with the lock: {other:?}"),
    }
    assert!(mutex.is_poisoned(), "nobody has cleared it");
}
