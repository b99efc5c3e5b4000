//! Many at one name.

use std::thread;
use std::time::{Duration, Instant};

use ndshm_buffer::{CreateError, OpenError, SharedBuffer};
use ndshm_testkit::{Child, Rng, skip, until};

use crate::arena::{Arena, word};

const LEN: usize = 40_000;
const LONG: Duration = Duration::from_secs(60);
const ROUNDS: usize = 150;

/// All bytes are the same and not 0: what a creator's `init` leaves, and nothing earlier.
fn whole(buffer: &SharedBuffer) -> bool {
    let mut bytes = vec![0; buffer.len()];
    buffer.read_at(0, &mut bytes).unwrap();
    bytes.len() == LEN && bytes[0] != 0 && bytes.iter().all(|&byte| byte == bytes[0])
}

/// Creates, and removes, as often as it is first; says how often that was.
pub(crate) fn racer() {
    let arena = Arena::inherited();
    let mark: u8 = word().parse().unwrap();
    let (mut won, begin) = (0, Instant::now());
    while won < ROUNDS && begin.elapsed() < LONG / 3 {
        match arena.options().create_with(arena.name(), LEN, |bytes| bytes.fill(mark)) {
            Ok(buffer) => {
                won += 1;
                assert_eq!(buffer.len(), LEN);
                let mut found = [0];
                buffer.read_at(LEN - 1, &mut found).unwrap();
                assert_eq!(found, [mark], "another has created the same");
            }
            Err(CreateError::NameTaken { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
    println!("{won}");
}

/// Opens again and again: what it finds is whole.
pub(crate) fn opener() {
    let arena = Arena::inherited();
    let begin = Instant::now();
    let mut found = 0;
    while begin.elapsed() < Duration::from_secs(4) {
        match arena.options().open(arena.name()) {
            Ok(buffer) => {
                assert!(whole(&buffer), "half a segment");
                found += 1;
            }
            Err(OpenError::NotFound { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
    println!("{found}");
}

fn number(child: &mut Child) -> usize {
    let number = child.line().parse().unwrap_or(0);
    child.succeed(LONG);
    number
}

pub(crate) fn one_creator_wins_and_all_see_it_whole(arena: &Arena) {
    let start = |role: &str, word: usize| arena.role(role, word).piped().spawn();
    let mut openers: Vec<_> = (0..2).map(|_| start("races::opener", 0)).collect();
    let mut racers: Vec<_> = (1..4).map(|mark| start("races::racer", mark)).collect();
    let won: Vec<_> = racers.iter_mut().map(number).collect();
    let found: Vec<_> = openers.iter_mut().map(number).collect();
    println!("{won:?} created, {found:?} opened");
    assert!(won.iter().sum::<usize>() > 0 && found.iter().sum::<usize>() > 0);
    assert!(matches!(arena.options().open(arena.name()), Err(OpenError::NotFound { .. })));
}

/// Creates one after another, until it is killed.
pub(crate) fn doomed() {
    let arena = Arena::inherited();
    println!("begins");
    loop {
        let made = arena.options().create_with(arena.name(), LEN, |bytes| bytes.fill(7));
        let made = made.unwrap();
        assert!(whole(&made));
        // So that a good part of the deaths is between a creation and a removal.
        thread::sleep(Duration::from_millis(2));
    }
}

/// Whatever moment: there is nothing, or a whole segment, or (of the portable backend) half of one, which is an error;
/// and each can be removed.
pub(crate) fn creators_killed_at_any_moment(arena: &Arena) {
    let (options, name) = (arena.options(), arena.name());
    let mut rng = Rng::new(17);
    let (mut nothing, mut left, mut half) = (0, 0, 0);
    for _ in 0..15 {
        let mut child = arena.role("races::doomed", "").piped().spawn();
        assert_eq!(child.line(), "begins");
        thread::sleep(Duration::from_micros(rng.below(9000)));
        child.kill();
        match options.open(name) {
            Ok(buffer) => {
                assert!(whole(&buffer));
                left += 1;
            }
            Err(OpenError::NotFound { .. }) => {
                nothing += 1;
                continue;
            }
            Err(OpenError::Unfinished { .. } | OpenError::Empty { .. }) if !arena.is_native() => {
                half += 1;
            }
            Err(error) => panic!("{error}"),
        }
        options.remove(name).unwrap();
    }
    println!("{nothing} times nothing, {left} whole, {half} half made");
    assert!(left > 0);
    until("the name is free", LONG, || options.create(name, 1).is_ok());
}

/// Overtaken at each system call by another that removes the name and takes it, a creator takes nothing back, and who
/// opens gets the one or the other.
pub(crate) fn all_can_be_overtaken_at_each_system_call(arena: &Arena) {
    if cfg!(not(target_arch = "x86_64")) {
        return skip("overtaking", "registers are named for x86-64 only");
    }
    arena.role("races::overtaken", "").spawn().succeed(LONG);
}

#[cfg(not(target_arch = "x86_64"))]
pub(crate) fn overtaken() {}

/// A process of one thread, which forks.
#[cfg(target_arch = "x86_64")]
pub(crate) fn overtaken() {
    let arena = Arena::inherited();
    let filled = |len: usize| {
        arena.options().create_with(arena.name(), len, |bytes| bytes.fill(len as u8 | 1))
    };
    let create = || match filled(LEN) {
        Ok(made) => Some(made),
        Err(CreateError::NameTaken { .. }) => None,
        Err(error) => panic!("{error}"),
    };
    let open = || match arena.options().open(arena.name()) {
        Ok(opened) => Some(opened),
        Err(OpenError::NotFound { .. }) => None,
        Err(error) => panic!("{error}"),
    };
    // One that takes the name may be as long, or not.
    for len in [100, LEN] {
        overtake(&arena, "creating", len, || None, create);
        // Whoever opens a native one keeps removers out meanwhile: they would wait for who is stopped here.
        if !arena.is_native() {
            overtake(
                &arena,
                "opening",
                len,
                || filled(50).ok(),
                || open().inspect(|b| old_or_new(b, len)),
            );
        }
    }
}

/// The one of 50 bytes that was there, or the other of `len` that took its name.
#[cfg(target_arch = "x86_64")]
fn old_or_new(buffer: &SharedBuffer, len: usize) {
    let mut bytes = vec![0; buffer.len()];
    buffer.read_at(0, &mut bytes).unwrap();
    assert!(bytes == [51; 50] || bytes == vec![0; len], "{} bytes of neither", bytes.len());
    // Its descriptor is of the same.
    let mut first = [2];
    rustix::io::pread(buffer, &mut first, 0).unwrap();
    assert_eq!(first[0], bytes[0]);
}

/// Has `act` overtaken after each of its system calls, where `before` has made what there is.
#[cfg(target_arch = "x86_64")]
fn overtake(
    arena: &Arena,
    what: &str,
    len: usize,
    before: impl Fn() -> Option<SharedBuffer>,
    act: impl Fn() -> Option<SharedBuffer>,
) {
    let (options, name) = (arena.options(), arena.name());
    // A call that nothing else here makes: tells where it begins and ends.
    let mark = || thread::yield_now();
    let (mut calls, mut taken) = (0, 0);
    'calls: loop {
        // Of this process, which then maps it no more: the child maps it for itself.
        if let Some(there) = before() {
            there.persist().unwrap();
        }
        let mut child = ndshm_testkit::Traced::fork(|| {
            mark();
            // Dropped behind the mark: a creator's removal is not meant here.
            let _kept = act();
            mark();
        });
        while child.to_call().expect("it has not begun") != libc::SYS_sched_yield {
            child.make_call();
        }
        child.make_call();
        for _ in 0..calls {
            if child.to_call() == Some(libc::SYS_sched_yield) {
                child.kill();
                let _ = options.remove(name);
                break 'calls;
            }
            child.make_call();
        }
        taken += usize::from(options.remove(name).is_ok());
        let mine = arena.create(len);
        assert_eq!(child.end(), 0, "{what}: after {calls} system calls");
        assert_eq!(arena.open().id(), mine.id(), "{what}: after {calls} system calls");
        calls += 1;
    }
    println!("{what}: overtaken after {calls} system calls, {taken} times with a name to take");
    assert!(calls > 5 && taken > 0);
}
