//! What deaths leave in the table, and that it never fills up with it.

use std::mem;
use std::sync::atomic::Ordering::SeqCst;
use std::thread;
use std::time::{Duration, Instant};

use ndshm_array::{ClaimError, PoisonedPart, SharedArray1, SharedArray2};
use ndshm_testkit::{Child, Role, Samples, SharedMemory, arguments, until};

use crate::common::{Name, one_line, only};

const LIMIT: Duration = Duration::from_secs(30);
const ENTRIES: usize = 1024;

fn open(name: &str) -> SharedArray1<u64> {
    // SAFETY: all who have the name are these tests, which use claims.
    unsafe { SharedArray1::open(name) }.expect("it is there")
}

/// Leaves something behind, in one of several ways; then waits to be killed, or ends.
pub(crate) fn leaver() {
    let [name, how] = &arguments()[..] else { panic!("name and way") };
    let stage = SharedMemory::inherited();
    let a = open(name);
    let ready = || {
        stage.word(0).fetch_add(1, SeqCst);
        thread::sleep(LIMIT * 2);
    };
    match how.as_str() {
        "rows" => {
            let _guard = a.claim_mut(2..5).expect("free");
            ready();
        }
        // Next to each other; or none next to the one before.
        "row by row" | "scattered" => {
            let far = usize::from(how == "scattered") + 1;
            let claim = |row| a.claim_mut(row * far..row * far + 1);
            let guards: Vec<_> = (0..ENTRIES).map_while(|row| claim(row).ok()).collect();
            assert!(guards.len() >= ENTRIES - 1);
            ready();
        }
        "many reads" => {
            let guards: Vec<_> = (0..ENTRIES).map_while(|_| a.claim(3..4).ok()).collect();
            assert!(guards.len() >= ENTRIES - 1);
            ready();
        }
        "many of nothing" => {
            let guards: Vec<_> = (0..ENTRIES).map_while(|_| a.claim_mut(3..3).ok()).collect();
            assert!(guards.len() >= ENTRIES - 1);
            ready();
        }
        "panic" => {
            // Not reported: it is meant.
            std::panic::set_hook(Box::new(|_| {}));
            let panicked = thread::spawn(move || {
                let _guards = (a.claim_mut(2..5).expect("free"), a.claim(7..8).expect("free"));
                panic!("half-way");
            });
            assert!(panicked.join().is_err());
        }
        "forgotten" => {
            mem::forget(a.claim_mut(2..5).expect("free"));
            drop(a);
            ready();
        }
        _ => panic!("no such way"),
    }
}

/// Finds rows 2..5 poisoned by that process.
pub(crate) fn finder() {
    let a = open(&arguments()[0]);
    let pid: u32 = arguments()[1].parse().expect("a pid");
    match a.claim(4..5) {
        Err(ClaimError::Poisoned(p)) => {
            assert_eq!((only(&p).member.pid, only(&p).row_range()), (Some(pid), 2..5));
            assert!(!only(&p).panicked);
            one_line(&p, &[&format!("pid {pid} died"), "rows 2..5", "clear_poison"]);
        }
        other => panic!("{other:?}"),
    }
    drop((a.claim_mut(..2).expect("not left"), a.claim_mut(5..).expect("not left")));
}

fn leave(name: &str, stage: &SharedMemory, how: &str) -> Child {
    let before = stage.word(0).load(SeqCst);
    let role = Role::new("deaths::leaver").shared(stage.file());
    let child = role.arg(name).arg(how).spawn();
    until("it is left", LIMIT, || stage.word(0).load(SeqCst) > before);
    child
}

pub(crate) fn a_waiter_learns_of_a_death_soon() {
    let (name, stage) = (Name::new("soon"), SharedMemory::create(4096));
    let a = SharedArray1::<u64>::options().name(&*name).zeros(10).expect("room");
    let mut times = Samples::new();
    for round in 0..24 {
        let mut child = leave(&name, &stage, "rows");
        let pid = child.pid();
        let learnt = |result: Result<(), ClaimError<()>>| match result {
            Err(ClaimError::Poisoned(p)) => {
                assert_eq!((only(&p).member.pid, only(&p).row_range()), (Some(pid), 2..5));
                Instant::now()
            }
            other => panic!("{other:?}"),
        };
        let drop_guard = |e: ClaimError<_>| ClaimError::without_guard(e);
        thread::scope(|s| {
            let waiters = [
                s.spawn(|| learnt(a.read().map(drop).map_err(drop_guard))),
                s.spawn(|| learnt(a.claim_timeout(4..9, LIMIT).map(drop).map_err(drop_guard))),
                s.spawn(|| {
                    learnt(a.claim_mut_timeout(..3, LIMIT).map(drop).map_err(|e| e.without_guard()))
                }),
            ];
            // While they spin, and while they sleep.
            thread::sleep(Duration::from_millis(round * 3));
            let start = Instant::now();
            child.kill();
            for waiter in waiters {
                times.add(waiter.join().expect("no panic").saturating_duration_since(start));
            }
        });
        assert!(a.write().unwrap_err().into_guard().unwrap().clear_poison().expect("not forked"));
    }
    println!("  from SIGKILL to Poisoned in a waiter: {times}");
    assert!(times.percentile(100) < Duration::from_secs(5), "{times}");
}

/// A table full of what one process left: it can be cleared.
pub(crate) fn one_death_with_many_claims() {
    let (name, stage) = (Name::new("many"), SharedMemory::create(4096));
    let a = SharedArray1::<u64>::options().name(&*name).zeros(2 * ENTRIES).expect("room");
    let mut child = leave(&name, &stage, "scattered");
    child.kill();
    let refused = a.claim_mut(..0).map(drop);
    assert!(matches!(refused, Err(ClaimError::Full { .. })), "nobody cleared it: {refused:?}");
    match a.write() {
        Err(ClaimError::Poisoned(p)) => {
            let parts = p.parts();
            assert!(parts.iter().all(|part| part.member.pid == Some(child.pid())));
            assert!(parts.len() >= ENTRIES - 1, "only {} parts are told of", parts.len());
            assert!((0..).zip(parts).all(|(row, part)| part.part == (2 * row..2 * row + 1)));
            one_line(&p, &["died", "rows 6..7", "more such parts", "clear_poison"]);
            assert!(p.into_inner().clear_poison().expect("not forked"));
        }
        other => panic!("what fills the table cannot be cleared: {other:?}"),
    }
    let guards: Vec<_> = (0..ENTRIES - 1).map(|row| a.claim_mut(row..=row)).collect();
    assert!(guards.iter().all(Result::is_ok), "it was not all cleared");
    drop(guards);
    // What lies side by side is one part as soon as room is needed.
    let mut child = leave(&name, &stage, "row by row");
    child.kill();
    drop(a.claim_mut(..0).expect("room is made"));
    let Err(ClaimError::Poisoned(p)) = a.write() else { panic!("half-changed") };
    let [PoisonedPart { part, .. }] = p.parts() else { panic!("{:?}", p.parts()) };
    assert!(*part == (0..ENTRIES) || *part == (0..ENTRIES - 1), "{part}");
}

pub(crate) fn many_deaths_of_readers() {
    let (name, stage) = (Name::new("readers"), SharedMemory::create(4096));
    let a = SharedArray1::<u64>::options().name(&*name).zeros(10).expect("room");
    for how in ["many reads", "many of nothing"] {
        let mut child = leave(&name, &stage, how);
        let living = a.claim(5..6).map(drop);
        assert!(matches!(living, Err(ClaimError::Full { .. })), "{living:?}");
        child.kill();
        // Elsewhere, there, and at last all of it.
        drop(a.claim(5..6).expect("the dead read nothing"));
        drop(a.claim(3..4).expect("the dead read nothing"));
        let guards: Vec<_> = (0..ENTRIES - 1).map(|_| a.read()).collect();
        assert!(guards.iter().all(Result::is_ok), "the dead take up room: {how}");
    }
}

/// One after another dies at the same rows, and nobody clears them.
pub(crate) fn many_deaths_of_writers() {
    let name = Name::new("writers");
    let options = SharedArray1::<u64>::options().name(&*name).persist(true);
    drop(options.zeros(10).expect("room"));
    let wide = 37;
    for round in 0..ENTRIES + 100 {
        let a = open(&name);
        let rows = if round == wide { 2..5 } else { 3..5 };
        match a.claim_mut(rows) {
            Ok(guard) if round == 0 => mem::forget(guard),
            Err(ClaimError::Poisoned(p)) if round > 0 => mem::forget(p.into_inner()),
            other => panic!("round {round}: {other:?}"),
        }
    }
    let a = open(&name);
    drop((a.claim_mut(..2).expect("not left"), a.claim_mut(5..).expect("not left")));
    assert!(
        matches!(a.claim(2..3), Err(ClaimError::Poisoned(p)) if only(&p).row_range() == (2..5))
    );
    let mut guard = a.claim_mut(3..5).unwrap_err().into_guard().expect("poisoned, but had");
    assert!(!guard.clear_poison().expect("not forked"), "one reached further");
    drop(guard);
    assert!(a.write().unwrap_err().into_guard().unwrap().clear_poison().expect("not forked"));
    drop(a.write().expect("cleared"));
}

pub(crate) fn a_forgotten_guard_is_a_death() {
    let (name, stage) = (Name::new("forget"), SharedMemory::create(4096));
    let options = SharedArray2::<u64>::options().name(&*name).persist(true);
    let a = options.zeros((10, 2)).expect("room");
    let pid = std::process::id();
    let handle = a.handle();
    mem::forget(a.claim_mut(2..5).expect("free"));
    mem::forget(a.claim(7..8).expect("free"));
    // As long as the membership lasts, this is a guard like any other.
    assert!(matches!(a.read(), Err(ClaimError::Own { held, .. }) if held == (2..5)));
    let clone = a.clone();
    drop(a);
    assert!(matches!(clone.claim_mut(3..4), Err(ClaimError::Own { .. })));
    thread::scope(|s| {
        s.spawn(|| assert!(matches!(clone.claim_mut(4..8), Err(ClaimError::Overlap { .. }))));
    });
    drop(clone);
    // Now it is a death: for others, and for this process itself, by name or by handle.
    // SAFETY: all who have the name are these tests, which use claims.
    let again = unsafe { handle.open() }.expect("it is kept");
    let poisoned = |result: Result<(), ClaimError<()>>| {
        let Err(ClaimError::Poisoned(p)) = result else { panic!("{result:?}") };
        assert_eq!(
            (only(&p).member.pid, only(&p).row_range(), only(&p).panicked),
            (Some(pid), 2..5, false)
        );
    };
    poisoned(again.read().map(drop).map_err(ClaimError::without_guard));
    // SAFETY: as above.
    let by_name = unsafe { SharedArray2::<u64>::open(&name) }.expect("it is kept");
    poisoned(by_name.write_timeout(LIMIT).map(drop).map_err(ClaimError::without_guard));
    drop(by_name.claim_mut(5..).expect("shared claims are simply gone"));
    assert!(again.write().unwrap_err().into_guard().unwrap().clear_poison().expect("not forked"));
    drop(again.write().expect("cleared"));
    drop((again, by_name));

    let name = Name::new("forgotten");
    let one = SharedArray1::<u64>::options().name(&*name).zeros(10).expect("room");
    let child = leave(&name, &stage, "forgotten");
    let pid = child.pid();
    let look = || Role::new("deaths::finder").arg(&*name).arg(pid).spawn().succeed(LIMIT);
    look(); // it lives, and has left
    drop(child);
    look();
    drop(one);
}

pub(crate) fn a_panic_elsewhere() {
    let name = Name::new("panic");
    let a = SharedArray1::<u64>::options().name(&*name).zeros(10).expect("room");
    let stage = SharedMemory::create(4096);
    let role = Role::new("deaths::leaver").shared(stage.file()).arg(&*name).arg("panic");
    let mut child = role.spawn();
    child.succeed(LIMIT);
    drop(a.claim_mut(5..).expect("a panic while reading harms nothing"));
    match a.write() {
        Err(ClaimError::Poisoned(p)) => {
            assert_eq!((only(&p).member.pid, only(&p).row_range()), (Some(child.pid()), 2..5));
            assert!(only(&p).panicked);
            one_line(&p, &["panicked", &format!("pid {}", child.pid())]);
            assert!(p.into_inner().clear_poison().expect("not forked"));
        }
        other => panic!("{other:?}"),
    }
    drop(a.write().expect("cleared"));
}
