//! Read-write locks: readers only.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use ndshm_benches::Target::AtLeast;

use crate::arena::Arena;
use crate::contest::{Among, Contest, Pace, Rival};
use crate::crew::{Placement, Prepare, Run};
use crate::ours::Ours;
use crate::posix::PthreadRwLock;

const NDSHM: &str = "ndshm";
const PARKING_LOT: &str = "parking_lot (threads)";
const STD: &str = "std (threads)";
const PTHREAD: &str = "pthread";

/// What is guarded: two numbers that writers keep equal.
pub(crate) type Pair = [u64; 2];

/// A lock between threads, on cache lines of its own.
#[repr(align(128))]
#[derive(Debug, Default)]
struct InProcess<L>(L);

/// Adds the locks, and the contest between them.
pub(crate) fn enter(arena: &'static Arena, rivals: &mut Vec<Rival>, contests: &mut Vec<Contest>) {
    let first = rivals.len();
    rivals.push(Rival {
        name: NDSHM,
        among: Among::Processes,
        prepare: Box::new(move |_| {
            let lock = &Ours::here(arena).rwlock;
            job(
                move || look(&lock.read().expect("nobody died")),
                move || add(&mut lock.write().expect("nobody died")),
            )
        }),
        counted: None,
    });
    let lock = Arc::new(InProcess(parking_lot::RwLock::new(Pair::default())));
    rivals.push(threads(PARKING_LOT, move || {
        let (r, w) = (Arc::clone(&lock), Arc::clone(&lock));
        job(move || look(&r.0.read()), move || add(&mut w.0.write()))
    }));
    let lock = Arc::new(InProcess(std::sync::RwLock::new(Pair::default())));
    rivals.push(threads(STD, move || {
        let (r, w) = (Arc::clone(&lock), Arc::clone(&lock));
        job(
            move || look(&r.0.read().expect("no panic")),
            move || add(&mut w.0.write().expect("no panic")),
        )
    }));
    let lock = PthreadRwLock::create(arena);
    rivals.push(Rival {
        name: PTHREAD,
        among: Among::Processes,
        prepare: Box::new(move |_| job(|| lock.read(look), || lock.write(add))),
        counted: None,
    });

    contests.push(Contest {
        group: "rwlock, 2 readers".to_owned(),
        rivals: (first..rivals.len()).collect(),
        yardstick: PARKING_LOT,
        targets: vec![AtLeast(2.0, &[PARKING_LOT]).into(), AtLeast(2.0, &[PTHREAD]).into()],
        parties: 2,
        placement: Placement::Spread,
        hogs: false,
        pace: Pace::Free,
        slice: Duration::from_millis(5),
        rounds: 51,
        fair_for: None,
    });
}

fn threads(
    name: &'static str,
    prepare: impl Fn() -> crate::crew::Job + Send + Sync + 'static,
) -> Rival {
    let prepare: Prepare = Box::new(move |_| prepare());
    Rival { name, among: Among::Threads, prepare, counted: None }
}

/// Reads; with a write now and then where errors are looked for.
fn job(mut read: impl FnMut() + 'static, mut write: impl FnMut() + 'static) -> crate::crew::Job {
    Box::new(move |run: &Run<'_>| {
        if !run.checked {
            return run.repeat(&mut read);
        }
        let mut turn = 0_u32;
        run.repeat(|| {
            turn = turn.wrapping_add(1);
            if turn.is_multiple_of(8) { write() } else { read() }
        })
    })
}

/// A reader's part.
#[inline]
fn look(pair: &Pair) {
    let [a, b] = *pair;
    assert!(black_box(a) == b, "read while it was written");
}

/// A writer's part.
fn add(pair: &mut Pair) {
    pair[0] += 1;
    black_box(&mut *pair);
    pair[1] += 1;
}
