//! Semaphores: uncontended, and as a signal.

use std::time::Duration;

use ndshm_benches::Target::AtMost;

use crate::arena::Arena;
use crate::contest::{Among, Contest, Pace, Rival};
use crate::crew::Placement;
use crate::ours::Ours;
use crate::ping_pong;
use crate::posix::PosixSemaphore;

const NDSHM: &str = "ndshm SignalSemaphore";
const OWNED: &str = "ndshm Semaphore";
const POSIX: &str = "POSIX semaphore";

const AN_OWNER: &str = "0.76 in runs of other days: an owner is written where a count would do, and the quartiles lie on both sides of 1";

/// Adds the semaphores, and the contests between them.
pub(crate) fn enter(arena: &'static Arena, rivals: &mut Vec<Rival>, contests: &mut Vec<Contest>) {
    let free = PosixSemaphore::create(arena, 1);
    let both = [0; 2].map(|_| PosixSemaphore::create(arena, 0));
    let rival = |name, prepare| Rival { name, among: Among::Processes, prepare, counted: None };
    let first = rivals.len();
    rivals.push(rival(
        NDSHM,
        Box::new(move |_| {
            let semaphore = &Ours::here(arena).free;
            Box::new(move |run| {
                run.repeat(|| {
                    semaphore.wait().expect("a member");
                    semaphore.post().expect("no overflow");
                })
            })
        }),
    ));
    rivals.push(rival(
        OWNED,
        Box::new(move |_| {
            let semaphore = &Ours::here(arena).permits;
            Box::new(move |run| run.repeat(|| drop(semaphore.acquire().expect("nobody died"))))
        }),
    ));
    let posix = rivals.len();
    rivals.push(rival(
        POSIX,
        Box::new(move |_| {
            Box::new(move |run| {
                run.repeat(|| {
                    free.wait();
                    free.post();
                })
            })
        }),
    ));
    let turns = rivals.len();
    rivals.push(ping_pong::rival(NDSHM, arena, 0, move |rank| {
        let [to, from] = [rank, 1 - rank].map(|i| &Ours::here(arena).signals[i]);
        (|| to.post().expect("no overflow"), || from.wait().expect("a member"))
    }));
    rivals.push(ping_pong::rival(POSIX, arena, 0, move |rank| {
        let (to, from) = (both[rank], both[1 - rank]);
        (|| to.post(), || from.wait())
    }));

    let contest = Contest {
        group: "semaphore, uncontended".to_owned(),
        rivals: vec![first, posix],
        yardstick: POSIX,
        targets: vec![AtMost(1.0, &[POSIX]).into()],
        parties: 1,
        placement: Placement::Spread,
        hogs: false,
        pace: Pace::InStep(0),
        slice: Duration::from_micros(500),
        rounds: 101,
        fair_for: None,
    };
    contests.push(Contest {
        group: "semaphore, with owners, uncontended".to_owned(),
        rivals: vec![first + 1, posix],
        targets: vec![AtMost(1.0, &[POSIX]).because(AN_OWNER)],
        ..contest.clone()
    });
    for (placement, whose) in [(Placement::Spread, "each"), (Placement::Together, "for both")] {
        contests.push(Contest {
            group: format!("semaphore, in turns, one processor {whose}"),
            rivals: vec![turns, turns + 1],
            parties: 2,
            placement,
            slice: Duration::from_millis(5),
            rounds: 51,
            ..contest.clone()
        });
    }
    contests.push(contest);
}
