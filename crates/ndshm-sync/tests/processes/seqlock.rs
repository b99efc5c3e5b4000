//! Values that readers copy while writers are killed.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering::SeqCst;
use std::thread;
use std::time::Duration;

use ndshm_sync::{LockError, Members, SeqLock};
use ndshm_testkit::{Child, Rng, arguments, ends_well, fork, panic_holding, takes, until};

use crate::arena::Arena;

const LIMIT: Duration = Duration::from_secs(30);
const SHORT: Duration = Duration::from_millis(50);

/// Kills that must have hit a writer in `write`; so many of them must have left it unfinished.
const KILLS: u32 = 200;
const UNFINISHED: u32 = 30;

/// Long enough that most of a write is the writing.
type Long = [u64; 256];

/// The same word throughout: a count, and who wrote it. Any two that differ are torn.
fn of(head: u64) -> Long {
    [head; 256]
}

fn count(words: &Long) -> u64 {
    words[0] >> 20
}

fn long<'m>(members: &'m Members<'m>) -> SeqLock<'m, Long> {
    members.layout().seqlock(of(0)).expect("no place for the lock")
}

/// Page: word 0, what it does: 1 writes, 2 does not; above that, its completed writes. Word 1: of whose
/// unfinished writes it was told, how often; word 2: the last of them, by process id.
pub(crate) fn writer() {
    let arena = Arena::inherited();
    let members = arena.join();
    let arguments = arguments();
    let page: usize = arguments[0].parse().expect("a page");
    let number: u64 = arguments[1].parse().expect("a number");
    let lock = long(&members);
    let mut rng = Rng::new(number);
    let mut done = 0_u64;
    while arena.word(1, 0).load(SeqCst) == 0 {
        arena.word(page, 0).store(done << 2 | 1, SeqCst);
        let lost = lock.update(|v| *v = of((count(v) + 1) << 20 | number)).expect("not forked");
        done += 1;
        arena.word(page, 0).store(done << 2 | 2, SeqCst);
        if let Some(lost) = lost {
            let pid = lost.pid.expect("its slot is not taken yet");
            arena.word(page, 2).store(pid.into(), SeqCst);
            arena.word(page, 1).fetch_add(1, SeqCst);
        }
        rng.pause(Duration::from_micros(3));
    }
}

/// Reads without end; page 2, word 0: how often.
pub(crate) fn reader() {
    let arena = Arena::inherited();
    let members = arena.join();
    let lock = long(&members);
    let mut last = 0;
    while arena.word(1, 0).load(SeqCst) == 0 {
        let version = lock.version();
        let value = lock.read();
        assert_eq!(value, of(value[0]), "torn");
        assert!(count(&value) >= last.max(version), "an older value: {} {last}", count(&value));
        last = count(&value);
        arena.word(2, 0).fetch_add(1, SeqCst);
    }
}

pub(crate) fn writers_are_killed() {
    const SURVIVOR: usize = 3;
    const VICTIM: usize = 4;
    let arena = Arena::create();
    let members = arena.join();
    let lock = long(&members);
    let mut rng = Rng::of_this_run();
    let spawn = |page: usize, number: u64| {
        (0..3).for_each(|word| arena.word(page, word).store(0, SeqCst));
        arena.role("seqlock::writer").arg(page).arg(number).spawn()
    };
    let mut survivor = spawn(SURVIVOR, 1);
    let mut reader = arena.role("seqlock::reader").spawn();
    until("the reader reads", LIMIT, || arena.word(2, 0).load(SeqCst) > 0);
    let mut hits: BTreeMap<&str, u32> = BTreeMap::new();
    let (mut kills, mut unfinished, mut least, mut most, mut told) = (0, 0, 0, 0, 0);
    let mut number = 10;
    while kills < KILLS || unfinished < UNFINISHED {
        number += 1;
        let mut victim = spawn(VICTIM, number);
        until("the victim writes", LIMIT, || arena.word(VICTIM, 0).load(SeqCst) >> 2 > 0);
        rng.pause(Duration::from_micros(500));
        let before = arena.word(SURVIVOR, 1).load(SeqCst);
        victim.kill();
        // The last value is there at once, whatever became of the lock.
        let value = lock.read();
        assert_eq!(value, of(value[0]), "torn");
        let written = arena.word(SURVIVOR, 0).load(SeqCst) >> 2;
        until("the survivor goes on", LIMIT, || {
            arena.word(SURVIVOR, 0).load(SeqCst) >> 2 > written + 2
        });
        let lost = arena.word(SURVIVOR, 1).load(SeqCst) - before;
        if lost > 0 {
            assert_eq!((lost, arena.word(SURVIVOR, 2).load(SeqCst)), (1, victim.pid().into()));
            told += 1;
        }
        let state = arena.word(VICTIM, 0).load(SeqCst);
        least += state >> 2;
        most += (state >> 2) + (state & 1);
        let what = match (state & 3, lost) {
            (1, 1) => "writer, unfinished",
            (1, _) => "writer, waiting or through",
            (_, 1) => panic!("it was not writing, and a write of it was thrown away"),
            _ => "not counted: between",
        };
        if (state & 3, lost) == (1, 1) {
            most -= 1; // that one was never seen
            unfinished += 1;
        }
        kills += u32::from(state & 3 == 1);
        *hits.entry(what).or_default() += 1;
        assert!(survivor.is_running() && reader.is_running(), "a survivor failed");
    }
    arena.word(1, 0).store(1, SeqCst);
    survivor.succeed(LIMIT);
    reader.succeed(LIMIT);
    let survived = arena.word(SURVIVOR, 0).load(SeqCst) >> 2;
    let value = lock.read();
    assert_eq!(count(&value), lock.version());
    let range = least + survived..=most + survived;
    assert!(range.contains(&lock.version()), "{} of {range:?} writes", lock.version());
    let reads = arena.word(2, 0).load(SeqCst);
    println!("  {} writes, {reads} reads, 0 torn, {told} deaths told", lock.version());
    for (what, hits) in hits {
        println!("  {hits:6}  {what}");
    }
}

/// Begins to write, and does not come to an end of it; or ends by order.
pub(crate) fn dawdler() {
    let arena = Arena::inherited();
    let members = arena.join();
    long(&members)
        .update(|value| {
            *value = of(7 << 20);
            arena.word(1, 1).store(1, SeqCst);
            until("it may go on", LIMIT, || arena.word(1, 2).load(SeqCst) == 1);
        })
        .expect("not forked");
    arena.word(1, 1).store(2, SeqCst);
    thread::sleep(LIMIT);
}

fn dawdling(arena: &Arena) -> Child {
    arena.word(1, 1).store(0, SeqCst);
    arena.word(1, 2).store(0, SeqCst);
    let child = arena.role("seqlock::dawdler").spawn();
    until("it writes", LIMIT, || arena.word(1, 1).load(SeqCst) == 1);
    child
}

pub(crate) fn the_dead_take_only_their_own_write() {
    let arena = Arena::create();
    let members = arena.join();
    let lock = long(&members);
    for way in 0..3 {
        let (value, version) = (lock.read(), lock.version());
        let mut child = dawdling(&arena);
        assert_eq!((lock.read(), lock.version()), (value, version), "while it writes");
        child.kill_to_zombie();
        assert_eq!((lock.read(), lock.version()), (value, version), "when it is dead");
        let next = of((version + 1) << 20);
        let lost = match way {
            0 => lock.write(next),
            1 => lock.try_write(next),
            _ => lock.write_timeout(next, Duration::ZERO),
        };
        assert_eq!(lost.expect("it is dead").and_then(|lost| lost.pid), Some(child.pid()));
        assert_eq!((lock.read(), lock.version()), (next, version + 1));
        assert_eq!(lock.write(next).expect("free"), None, "told twice");
    }
}

pub(crate) fn a_stopped_writer_keeps_no_reader() {
    let arena = Arena::create();
    let members = arena.join();
    let lock = long(&members);
    let mut child = dawdling(&arena);
    child.stop();
    arena.word(1, 2).store(1, SeqCst);
    for _ in 0..1000 {
        assert_eq!(lock.read(), of(0));
    }
    let pid = Some(child.pid());
    for millis in [0, 1, 41] {
        let timeout = Duration::from_millis(millis);
        match takes(timeout, || lock.write_timeout(of(3 << 20), timeout)) {
            Err(LockError::TimedOut { owner: Some(o) }) => assert_eq!(o.pid, pid),
            other => panic!("a stopped writer was robbed: {other:?}"),
        }
    }
    match lock.try_write(of(3 << 20)) {
        Err(LockError::WouldBlock { owner: Some(o) }) => assert_eq!(o.pid, pid),
        other => panic!("a stopped writer was robbed: {other:?}"),
    }
    thread::scope(|s| {
        let writer = s.spawn(|| lock.write(of(8 << 20)));
        thread::sleep(SHORT);
        assert!(!writer.is_finished(), "a stopped writer was robbed");
        child.resume();
        assert_eq!(writer.join().expect("it panicked").expect("not forked"), None);
    });
    assert_eq!((lock.read(), lock.version()), (of(8 << 20), 2));
}

pub(crate) fn forker() {
    let arena = Arena::inherited();
    let members = arena.join();
    let lock = long(&members);
    lock.write(of(5 << 20)).expect("not forked");
    ends_well(fork(true, || {
        assert!(matches!(lock.write(of(0)), Err(LockError::Forked)));
        assert!(matches!(lock.try_write(of(0)), Err(LockError::Forked)));
        assert!(matches!(lock.write_timeout(of(0), Duration::MAX), Err(LockError::Forked)));
        assert!(matches!(lock.update(|_| unreachable!("not a member")), Err(LockError::Forked)));
        assert_eq!(lock.read(), of(5 << 20));
    }));
    assert_eq!(lock.write(of(6 << 20)).expect("the child has no part in it"), None);

    // And one that goes on in the middle of an update, as if it were its own; before the parent does.
    let mut pid = 0;
    let changed = lock.update(|value| {
        // SAFETY: this process has one thread, so the child finds everything as it was.
        pid = unsafe { libc::fork() };
        if pid != 0 {
            ends_well(pid);
        }
        *value = of(if pid == 0 { 9 } else { 7 } << 20);
    });
    if pid == 0 {
        let refused = matches!(changed, Err(LockError::Forked)) && lock.read() == of(6 << 20);
        // SAFETY: ends the child without running what belongs to the parent.
        unsafe { libc::_exit(i32::from(!refused)) }
    }
    assert_eq!(changed.expect("it is the parent's"), None);
    assert_eq!((lock.read(), lock.version()), (of(7 << 20), 3));
}

pub(crate) fn a_forked_child_may_only_read() {
    let arena = Arena::create();
    arena.role("seqlock::forker").spawn().succeed(LIMIT);
}

/// A panic in `update` publishes nothing, and keeps nobody out.
pub(crate) fn a_panic_publishes_nothing() {
    let arena = Arena::create();
    let members = arena.join();
    let lock = long(&members);
    lock.write(of(5 << 20)).expect("not forked");
    panic_holding(|| {
        lock.update(|value| {
            *value = of(6 << 20);
            std::panic::resume_unwind(Box::new(()));
        })
    });
    assert_eq!((lock.read(), lock.version()), (of(5 << 20), 1));
    assert_eq!(lock.try_write(of(7 << 20)).expect("free"), None);
    assert_eq!((lock.read(), lock.version()), (of(7 << 20), 2));
}

/// One that panics has told nobody of the death that it was told of.
pub(crate) fn a_panic_keeps_no_death_secret() {
    let arena = Arena::create();
    let members = arena.join();
    let lock = long(&members);
    let mut child = dawdling(&arena);
    child.kill_to_zombie();
    panic_holding(|| lock.update(|_| std::panic::resume_unwind(Box::new(()))));
    let lost = lock.write(of(1 << 20)).expect("it is dead");
    assert_eq!(lost.and_then(|lost| lost.pid), Some(child.pid()));
    assert_eq!(lock.write(of(2 << 20)).expect("free"), None, "told twice");
}

/// Sizes that are no whole words, and none at all.
pub(crate) fn of_all_sizes() {
    fn holds<T: bytemuck::Pod + Send + PartialEq + std::fmt::Debug>(arena: &Arena, values: [T; 3]) {
        let members = arena.join();
        let lock = members.layout().seqlock(values[0]).expect("no place for the lock");
        for (i, value) in values.into_iter().enumerate() {
            if i > 0 {
                lock.write(value).expect("not forked");
            }
            assert_eq!((lock.read(), lock.version()), (value, i as u64));
        }
        // Another finds what is there.
        let other = arena.join();
        let same = other.layout().seqlock(values[0]).expect("the same lock");
        assert_eq!(same.read(), values[2]);
    }
    holds(&Arena::create(), [(); 3]);
    holds(&Arena::create(), [1_u8, 2, 255]);
    holds(&Arena::create(), [[1_u8; 7], [255; 7], [3; 7]]);
    holds(&Arena::create(), [[1_u16; 5], [0xffff; 5], [3; 5]]);
    holds(&Arena::create(), [[1_u8; 8], [255; 8], [3; 8]]);
    holds(&Arena::create(), [u128::MAX, 1, u128::MAX - 1]);
    holds(&Arena::create(), [[1.5_f64; 1024], [2.5; 1024], [f64::MAX; 1024]]);
}
