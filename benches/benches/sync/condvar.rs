//! Condition variables: with nobody waiting, and in turns.

use std::time::Duration;

use ndshm_benches::Target::AtMost;

use crate::arena::Arena;
use crate::contest::{Among, Contest, Pace, Rival};
use crate::crew::Placement;
use crate::ours::Ours;
use crate::posix::PthreadTurns;

const NDSHM: &str = "ndshm";
const PTHREAD: &str = "pthread";

/// Adds the condition variables, and the contests between them.
pub(crate) fn enter(arena: &'static Arena, rivals: &mut Vec<Rival>, contests: &mut Vec<Contest>) {
    let pthread = PthreadTurns::create(arena);
    let rival = |name, prepare| Rival { name, among: Among::Processes, prepare, counted: None };
    let first = rivals.len();
    rivals.push(rival(
        NDSHM,
        Box::new(move |_| {
            let ours = Ours::here(arena);
            Box::new(move |run| run.repeat(|| ours.condvar.notify_one()))
        }),
    ));
    rivals.push(rival(
        PTHREAD,
        Box::new(move |_| Box::new(move |run| run.repeat(|| pthread.notify_one()))),
    ));
    rivals.push(rival(
        NDSHM,
        Box::new(move |rank| {
            let (ours, mine) = (Ours::here(arena), rank as u64);
            Box::new(move |run| run.repeat(|| turn(ours, mine, 1 - mine)))
        }),
    ));
    rivals.push(rival(
        PTHREAD,
        Box::new(move |rank| {
            let mine = rank as u64;
            Box::new(move |run| run.repeat(|| pthread.turn(mine, 1 - mine)))
        }),
    ));

    let contest = Contest {
        group: "condvar, notify without a waiter".to_owned(),
        rivals: vec![first, first + 1],
        yardstick: PTHREAD,
        targets: vec![AtMost(1.0, &[PTHREAD]).into()],
        parties: 1,
        placement: Placement::Spread,
        hogs: false,
        pace: Pace::InStep(0),
        slice: Duration::from_micros(500),
        rounds: 101,
        fair_for: None,
    };
    for (placement, whose) in [(Placement::Spread, "each"), (Placement::Together, "for both")] {
        contests.push(Contest {
            group: format!("condvar, in turns, one processor {whose}"),
            rivals: vec![first + 2, first + 3],
            parties: 2,
            placement,
            slice: Duration::from_millis(5),
            rounds: 51,
            ..contest.clone()
        });
    }
    contests.push(contest);
}

/// Waits until the number is `from`, makes it `to`, and notifies the other.
fn turn(ours: &Ours, from: u64, to: u64) {
    let guard = ours.turn.lock().expect("nobody died");
    let mut guard = ours.condvar.wait_while(guard, |turn| *turn != from).expect("nobody died");
    *guard = to;
    ours.condvar.notify_one();
}
