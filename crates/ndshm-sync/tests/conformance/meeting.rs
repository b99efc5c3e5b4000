//! Processes that wait for each other in turn.

use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

use ndshm_sync::{BackendKind, EventCount, Members};
use ndshm_testkit::{Samples, arguments, until};

use crate::arena::Arena;
use crate::subject::LIMIT;

const PARTIES: usize = 3;
const PHASES: u64 = 200;

/// Meets the others `PHASES` times: nobody is ahead or behind by more than a phase.
fn meet(arena: &Arena, members: &Members<'_>, rank: usize) {
    let barrier = members.layout().barrier(PARTIES).expect("no barrier");
    let mut party = barrier.join(rank).expect("no rank");
    arena.word(1, PARTIES).fetch_add(1, SeqCst);
    until("all have a rank", LIMIT, || arena.word(1, PARTIES).load(SeqCst) == PARTIES as u64);
    for phase in 1..=PHASES {
        arena.word(1, rank).store(phase, SeqCst);
        party.wait().expect("all are there");
        for other in 0..PARTIES {
            let at = arena.word(1, other).load(SeqCst);
            assert!(at == phase || at == phase + 1, "in phase {phase}: rank {other} is in {at}");
        }
    }
    arena.word(2, 0).fetch_add(1, SeqCst);
    until("all have ended", LIMIT, || arena.word(2, 0).load(SeqCst) == PARTIES as u64);
}

pub(crate) fn party() {
    let arena = Arena::inherited();
    let members = arena.join();
    meet(&arena, &members, arguments()[1].parse().expect("a rank"));
}

pub(crate) fn phases_complete(kind: BackendKind) {
    let arena = Arena::create(kind);
    let members = arena.join();
    let spawn = |rank| arena.role("meeting::party").arg(rank).spawn();
    let mut others: Vec<_> = (1..PARTIES).map(spawn).collect();
    let start = Instant::now();
    meet(&arena, &members, 0);
    println!("  {PHASES} phases of {PARTIES} in {:.1?}", start.elapsed());
    others.iter_mut().for_each(|other| other.succeed(LIMIT));
}

const TURNS: u64 = 200;

/// Waits until page 1, word 0 is `turn`, asleep.
fn sleep_until(arena: &Arena, members: &Members<'_>, events: &EventCount, turn: u64) {
    loop {
        let seen = events.read();
        if arena.word(1, 0).load(SeqCst) == turn {
            return;
        }
        events.wait(members, seen, Duration::MAX);
    }
}

fn events(arena: &Arena) -> &'static EventCount {
    // SAFETY: a word of the arena that is used for nothing else, mapped for the rest of the process's life,
    // aligned, and as long as an `EventCount`, which is made of atomics.
    unsafe { &*std::ptr::from_ref(arena.word(3, 0)).cast::<EventCount>() }
}

fn advance(arena: &Arena, members: &Members<'_>) {
    arena.word(1, 0).fetch_add(1, SeqCst);
    events(arena).notify_all(members);
}

/// Answers every change of the word by another.
pub(crate) fn echo() {
    let arena = Arena::inherited();
    let members = arena.join();
    for turn in 0..TURNS {
        sleep_until(&arena, &members, events(&arena), 2 * turn + 1);
        advance(&arena, &members);
    }
}

/// By wake-ups, and not by the ends of slices: an answer would take two of those, 80 ms.
pub(crate) fn changes_wake_those_who_sleep(kind: BackendKind) {
    let arena = Arena::create(kind);
    let members = arena.join();
    let mut child = arena.role("meeting::echo").spawn();
    let mut samples = Samples::new();
    for turn in 0..TURNS {
        let start = Instant::now();
        advance(&arena, &members);
        sleep_until(&arena, &members, events(&arena), 2 * turn + 2);
        samples.add(start.elapsed());
    }
    child.succeed(LIMIT);
    println!("  from a change to its answer: {samples}");
    assert!(samples.percentile(25) < Duration::from_millis(40), "wake-ups are lost");
}
