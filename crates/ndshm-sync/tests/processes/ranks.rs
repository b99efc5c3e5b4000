//! Who is which party of a barrier.

use std::sync::Barrier as Gate;
use std::thread;
use std::time::Duration;

use ndshm_sync::{Absence, BarrierError, Party};

use crate::arena::Arena;

/// Several want the rank of one that has left, at once, again and again.
pub(crate) fn one_heir_only() {
    const HEIRS: usize = 3;
    let arena = Arena::create();
    let gate = Gate::new(HEIRS);
    let won: usize = thread::scope(|s| {
        let heirs: Vec<_> = (0..HEIRS)
            .map(|_| {
                s.spawn(|| {
                    let members = arena.join();
                    let barrier = members.layout().barrier(2).expect("no barrier");
                    let mut won = 0;
                    for _ in 0..3000 {
                        gate.wait();
                        let party = barrier.join(0);
                        gate.wait();
                        // Dropped only now: it leaves, and the rank is free again.
                        won += usize::from(party.is_ok());
                        drop(party);
                    }
                    won
                })
            })
            .collect();
        heirs.into_iter().map(|h| h.join().expect("an heir panicked")).sum()
    });
    assert_eq!(won, 3000, "a rank was given to two, or to none");
}

pub(crate) fn who_has_lost_its_rank_withdraws_nobody() {
    let arena = Arena::create();
    let [first, second] = [arena.join(), arena.join()];
    let barrier = first.layout().barrier(2).expect("no barrier");
    let other = second.layout().barrier(2).expect("no barrier");
    let mut stale = barrier.join(0).expect("no rank");
    barrier.withdraw(0, Absence::Failed);
    assert!(barrier.is_broken());
    let mut heir = other.join(0).expect("it was withdrawn");
    other.reset();
    match stale.wait_timeout(Duration::from_millis(5)) {
        Err(BarrierError::RankTaken { rank: 0, by }) => assert_eq!(by.id, second.me()),
        other => panic!("it has arrived for its heir: {other:?}"),
    }
    drop(stale);
    assert!(!other.is_broken(), "it has withdrawn its heir");

    let mut peer = barrier.join(1).expect("no rank");
    thread::scope(|s| {
        s.spawn(|| peer.wait().expect("the heir is there"));
        heir.wait().expect("the peer is there");
    });

    // What a launcher has said stays said, whatever the party does at its end.
    other.withdraw(0, Absence::Failed);
    drop(heir);
    assert_eq!(lost_to(&mut peer), [(0, Absence::Failed)]);
}

pub(crate) fn a_panic_is_a_failure() {
    let arena = Arena::create();
    let members = arena.join();
    let barrier = members.layout().barrier(2).expect("no barrier");
    let mut peer = barrier.join(1).expect("no rank");
    let party = barrier.join(0).expect("no rank");
    let panicked = thread::scope(|s| {
        s.spawn(|| {
            let _party = party;
            std::panic::resume_unwind(Box::new("on purpose, without a message"));
        })
        .join()
    });
    assert!(panicked.is_err());
    assert_eq!(lost_to(&mut peer), [(0, Absence::Failed)]);
}

fn lost_to(party: &mut Party<'_>) -> Vec<(usize, Absence)> {
    match party.wait_timeout(Duration::from_secs(20)) {
        Err(BarrierError::Broken { lost }) => lost.iter().map(|l| (l.rank, l.why)).collect(),
        other => panic!("the other will not come: {other:?}"),
    }
}
