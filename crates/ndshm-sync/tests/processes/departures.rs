//! Parties that leave a barrier without breaking it.

use std::sync::atomic::Ordering::SeqCst;
use std::thread;
use std::time::{Duration, Instant};

use ndshm_sync::{Absence, BarrierError, Members, Party};
use ndshm_testkit::{arguments, until};

use crate::arena::Arena;

const LIMIT: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(60);

/// Joins as rank 1 of a barrier of three; departs once it is told to, and lives on.
pub(crate) fn leaver() {
    let arena = Arena::inherited();
    let members = arena.join();
    let party = members.layout().barrier(3).expect("no barrier").join(1).expect("no rank");
    assert!(arguments().is_empty());
    arena.word(1, 0).store(1, SeqCst);
    until("it may depart", LIMIT, || arena.word(1, 1).load(SeqCst) == 1);
    party.depart();
    arena.word(1, 0).store(2, SeqCst);
    thread::sleep(LIMIT);
}

/// Whether it passes at once, alone.
fn passes(party: &mut Party<'_>) {
    party.wait_timeout(LIMIT).expect("all others have departed");
}

fn is_awaited(party: &mut Party<'_>, rank: usize) {
    match party.wait_deadline(Instant::now() + SHORT) {
        Err(BarrierError::TimedOut { missing }) => assert_eq!(missing, [rank]),
        other => panic!("rank {rank} has not arrived: {other:?}"),
    }
}

/// The others sleep in a phase; the one that is missing departs, lives on, and dies.
pub(crate) fn the_last_one_missing_departs() {
    let arena = Arena::create();
    let members = arena.join();
    let barrier = members.layout().barrier(3).expect("no barrier");
    let [mut zero, mut two] = [0, 2].map(|rank| barrier.join(rank).expect("no rank"));
    let mut child = arena.role("departures::leaver").spawn();
    until("it has joined", LIMIT, || arena.word(1, 0).load(SeqCst) == 1);
    thread::scope(|s| {
        let waiting = [&mut zero, &mut two].map(|party| s.spawn(move || party.wait()));
        until("they sleep", LIMIT, || {
            let now = barrier.inspect();
            now.sleepers && now.state == "whole, ranks 0 and 2 arrived, rank 1 awaited, joined"
        });
        assert!(waiting.iter().all(|w| !w.is_finished()), "a party is missing");
        arena.word(1, 1).store(1, SeqCst);
        for party in waiting {
            party.join().expect("it panicked").expect("nobody is missing");
        }
    });
    until("it says so", LIMIT, || arena.word(1, 0).load(SeqCst) == 2);

    let pair = |zero: &mut Party<'_>, two: &mut Party<'_>| {
        thread::scope(|s| {
            s.spawn(|| two.wait_timeout(LIMIT).expect("the third has departed"));
            zero.wait_timeout(LIMIT).expect("the third has departed");
        });
    };
    pair(&mut zero, &mut two);
    child.kill();
    pair(&mut zero, &mut two);
    barrier.withdraw(1, Absence::Died);
    assert!(!barrier.is_broken());
    pair(&mut zero, &mut two);
    assert_eq!(barrier.inspect().state, "whole, rank 1 departed, ranks 0 and 2 awaited, joined");

    two.depart();
    let mut one = barrier.join(1).expect("the rank is free");
    is_awaited(&mut zero, 1);
    barrier.reset();
    thread::scope(|s| {
        s.spawn(|| one.wait_timeout(LIMIT).expect("both are there"));
        zero.wait_timeout(LIMIT).expect("both are there");
    });
    drop(one);
    assert!(barrier.is_broken(), "dropping is not departing");
}

/// It ends the phase itself, and leaves that to nobody's next look: then no waiter has ended it.
pub(crate) fn who_departs_ends_the_phase() {
    const ROUNDS: usize = 20;
    let arena = Arena::create();
    let members = arena.join();
    let barrier = members.layout().barrier(2).expect("no barrier");
    let mut zero = barrier.join(0).expect("no rank");
    let mut by_itself = 0;
    for _ in 0..ROUNDS {
        let one = barrier.join(1).expect("the rank is free");
        thread::scope(|s| {
            let waiting = s.spawn(|| zero.wait());
            until("it sleeps", LIMIT, || {
                let now = barrier.inspect();
                now.sleepers && now.state.contains("rank 0 arrived")
            });
            one.depart();
            let met = waiting.join().expect("it panicked").expect("nobody is missing");
            by_itself += usize::from(!met.is_leader());
        });
    }
    // One that wakes in that very moment may come before it; were it left to the waiters, they always would.
    assert!(by_itself > 0, "ended by who departed: {by_itself} of {ROUNDS} phases");
}

pub(crate) fn all_have_departed() {
    let arena = Arena::create();
    let members = arena.join();
    let barrier = members.layout().barrier(2).expect("no barrier");
    let word = arena.inside(Members::SIZE + 8);
    let [zero, one] = [0, 1].map(|rank| barrier.join(rank).expect("no rank"));
    let before = word.load(SeqCst);
    zero.depart();
    one.depart();
    assert_eq!(word.load(SeqCst), before, "a phase to which nobody came");
    assert!(!barrier.is_broken());
    assert_eq!(barrier.inspect().state, "whole, ranks 0 and 1 departed");

    let mut zero = barrier.join(0).expect("the rank is free");
    (0..3).for_each(|_| passes(&mut zero));
    let mut one = barrier.join(1).expect("the rank is free");
    is_awaited(&mut zero, 1);
    // A departure mends nothing; nor is it lost to a reset.
    zero.depart();
    assert!(matches!(one.wait(), Err(BarrierError::Broken { .. })));
    barrier.reset();
    (0..3).for_each(|_| passes(&mut one));
}

/// More phases than the word can tell apart pass by one that has departed.
pub(crate) fn an_old_arrival_is_not_taken_for_a_new_one() {
    const TOLD_APART: u64 = 1 << 14;
    let arena = Arena::create();
    let members = arena.join();
    let barrier = members.layout().barrier(2).expect("no barrier");
    let [mut zero, mut one] = [0, 1].map(|rank| barrier.join(rank).expect("no rank"));
    thread::scope(|s| {
        s.spawn(|| one.wait().expect("both are there"));
        zero.wait().expect("both are there");
    });
    one.depart();
    (1..TOLD_APART).for_each(|_| passes(&mut zero));
    let _one = barrier.join(1).expect("the rank is free");
    is_awaited(&mut zero, 1);
}

/// The heir of one that had arrived, and then was lost, in the phase that is still under way.
pub(crate) fn an_heir_is_awaited_in_the_phase_of_the_dead() {
    let arena = Arena::create();
    let members = arena.join();
    let gone = arena.join();
    let barrier = members.layout().barrier(3).expect("no barrier");
    let [mut zero, mut two] = [0, 2].map(|rank| barrier.join(rank).expect("no rank"));
    let mut first = gone.layout().barrier(3).expect("no barrier").join(1).expect("no rank");
    thread::scope(|s| {
        let first = s.spawn(move || first.wait());
        until("it has arrived", LIMIT, || barrier.inspect().state.contains("rank 1 arrived"));
        barrier.withdraw(1, Absence::Failed);
        assert!(!barrier.is_broken(), "it had arrived");

        let mut heir = barrier.join(1).expect("it was withdrawn");
        let waiting = s.spawn(move || zero.wait());
        let third = s.spawn(move || two.wait());
        until("they sleep", LIMIT, || {
            let now = barrier.inspect();
            now.sleepers && now.state.contains("ranks 0 and 2 arrived, rank 1 awaited")
        });
        thread::sleep(SHORT);
        assert!(!waiting.is_finished() && !third.is_finished(), "complete without the heir");
        heir.wait().expect("all are there");
        for other in [first, waiting, third] {
            other.join().expect("it panicked").expect("all were there");
        }
    });
}
