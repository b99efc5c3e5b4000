//! A barrier of so many parties that they share the questions after those who are missing.

use std::ops::Range;
use std::sync::atomic::Ordering::SeqCst;
use std::thread;
use std::time::Duration;

use ndshm_sync::{Absence, BarrierError, Members};
use ndshm_testkit::{arguments, until};

use crate::arena::Arena;

const LIMIT: Duration = Duration::from_secs(20);
const PARTIES: usize = 60;
/// Who can come: the others live, and are missing.
const COME: Range<usize> = 0..20;

/// Joins with the ranks between two, says so, and lives on.
pub(crate) fn missing() {
    let arena = Arena::inherited();
    let members = arena.join();
    let barrier = members.layout().barrier(PARTIES).expect("no barrier");
    let ranks = arguments().iter().map(|a| a.parse().expect("a rank")).collect::<Vec<usize>>();
    let _parties: Vec<_> =
        (ranks[0]..ranks[1]).map(|rank| barrier.join(rank).expect("a free rank")).collect();
    arena.word(1, 0).fetch_add(1, SeqCst);
    thread::sleep(LIMIT);
}

/// Of the missing one has died, wherever it stands among them; those who wait are told, be it all of
/// them or one that the others have left alone.
pub(crate) fn a_dead_one_is_found_among_the_missing() {
    for dead in [COME.end, 37, PARTIES - 1] {
        for waiting in [1, 7, COME.end] {
            one_is_found(dead, waiting);
        }
    }
}

fn one_is_found(dead: usize, waiting: usize) {
    let arena = Arena::create();
    let child = |from: usize, to: usize| arena.role("many::missing").arg(from).arg(to).spawn();
    let _alive = [child(COME.end, dead), child(dead + 1, PARTIES)];
    let mut victim = child(dead, dead + 1);
    until("all have joined", LIMIT, || arena.word(1, 0).load(SeqCst) == 3);
    victim.kill();
    thread::scope(|s| {
        for rank in COME {
            let arena = &arena;
            s.spawn(move || {
                let members: Members<'_> = arena.join();
                let barrier = members.layout().barrier(PARTIES).expect("no barrier");
                let mut party = barrier.join(rank).expect("a free rank");
                if rank >= waiting {
                    return party.depart();
                }
                match party.wait_timeout(LIMIT) {
                    Err(BarrierError::Broken { lost }) => {
                        // Who was told before may be gone, too.
                        let found = lost.iter().find(|lost| lost.rank == dead);
                        assert_eq!(found.map(|lost| lost.why), Some(Absence::Died));
                    }
                    other => panic!("one is dead: {other:?}"),
                }
            });
        }
    });
}
