//! Barriers: arrive, and go on when all have.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Barrier};
use std::time::Duration;

use ndshm_benches::Target::AtLeast;

use crate::arena::{Arena, Shared};
use crate::contest::{Among, Contest, Pace, Rival};
use crate::crew::{MOST, Placement, Prepare, Run};
use crate::ours::Ours;
use crate::posix::PthreadBarrier;

const NDSHM: &str = "ndshm";
const PTHREAD: &str = "pthread";
const STD: &str = "std (threads)";
const SPIN: &str = "pure spin, one counter";
const FLAGS: &str = "pure spin, a flag each";

const PTHREAD_IS_FASTER: &str = "pthread's barrier is five to ten times as fast here as where the target was set (23,000 crossings a second): a wake-up costs less, and nothing halts beside other work";
const A_LOOK_EACH: &str =
    "missed where the two processors are near each other: then what is done beside the spin counts";

/// How often each party has come, to see that nobody goes on alone.
#[repr(C)]
#[derive(Debug)]
struct Log([AtomicU64; MOST]);

// SAFETY: made of atomics.
unsafe impl Shared for Log {}

impl Log {
    /// One crossing, after which all parties must have come as often as this one, or be at most one
    /// ahead.
    fn crossing(&self, run: &Run<'_>, wait: impl FnOnce()) {
        let mine = self.0[run.rank].load(Ordering::Relaxed) + 1;
        self.0[run.rank].store(mine, Ordering::Relaxed);
        wait();
        for (rank, theirs) in self.0[..run.parties].iter().enumerate() {
            let ahead = theirs.load(Ordering::Relaxed).wrapping_sub(mine);
            assert!(ahead <= 1, "party {} went on without party {rank}", run.rank);
        }
    }
}

/// Adds the barriers, and the contests between them.
pub(crate) fn enter(arena: &'static Arena, rivals: &mut Vec<Rival>, contests: &mut Vec<Contest>) {
    for (i, parties) in [2, 4, 8].into_iter().enumerate() {
        let first = rivals.len();
        rivals.push(rival(NDSHM, arena, move |rank| {
            let mut party = Ours::here(arena).barriers[i].join(rank).expect("a free rank");
            Box::new(move |_| {
                party.wait().expect("nobody died");
            })
        }));
        let barrier = PthreadBarrier::create(arena, parties);
        rivals.push(rival(PTHREAD, arena, move |_| Box::new(move |_| barrier.wait())));
        let barrier = Arc::new(Barrier::new(parties));
        rivals.push(Rival {
            among: Among::Threads,
            ..rival(STD, arena, move |_| {
                let barrier = Arc::clone(&barrier);
                Box::new(move |_| {
                    barrier.wait();
                })
            })
        });
        if parties == 2 {
            let barrier: &SpinBarrier = arena.take();
            rivals.push(rival(SPIN, arena, move |_| Box::new(move |run| barrier.wait(run))));
            let barrier: &FlagBarrier = arena.take();
            rivals.push(rival(FLAGS, arena, move |_| Box::new(move |run| barrier.wait(run))));
        }
        let contest = Contest {
            group: format!("barrier, {parties} parties"),
            rivals: (first..rivals.len()).collect(),
            yardstick: PTHREAD,
            targets: match parties {
                2 => vec![
                    AtLeast(100.0, &[PTHREAD]).because(PTHREAD_IS_FASTER),
                    AtLeast(0.9, &[SPIN, FLAGS]).because(A_LOOK_EACH),
                ],
                4 => vec![AtLeast(8.0, &[PTHREAD]).because(PTHREAD_IS_FASTER)],
                _ => vec![AtLeast(4.0, &[PTHREAD]).because(PTHREAD_IS_FASTER)],
            },
            parties,
            placement: Placement::Spread,
            hogs: false,
            pace: Pace::InStep(0),
            slice: Duration::from_millis(10),
            rounds: 51,
            fair_for: None,
        };
        if parties == 2 {
            contests.push(Contest {
                group: "barrier, 2 parties beside hogs".to_owned(),
                rivals: (first..first + 2).collect(),
                targets: vec![AtLeast(0.9, &[PTHREAD]).into()],
                hogs: true,
                slice: Duration::from_millis(40),
                rounds: 25,
                ..contest.clone()
            });
            contests.push(Contest {
                group: "barrier, 2 parties on one processor".to_owned(),
                rivals: (first..first + 2).collect(),
                targets: vec![AtLeast(0.9, &[PTHREAD]).into()],
                placement: Placement::Together,
                ..contest.clone()
            });
        }
        contests.push(contest);
    }
}

/// One whose parties prepare with `join`, and wait by what that returns.
fn rival(
    name: &'static str,
    arena: &'static Arena,
    join: impl Fn(usize) -> Box<dyn FnMut(&Run<'_>)> + Send + Sync + 'static,
) -> Rival {
    let log: &Log = arena.take();
    let prepare: Prepare = Box::new(move |rank| {
        let mut wait = join(rank);
        Box::new(move |run| {
            if run.checked {
                run.repeat(|| log.crossing(run, || wait(run)))
            } else {
                run.repeat(|| wait(run))
            }
        })
    });
    Rival { name, among: Among::Processes, prepare, counted: None }
}

/// The textbook's: a counter of those who have come, and a number that changes when all have.
#[repr(C, align(128))]
#[derive(Debug)]
struct SpinBarrier {
    come: AtomicU64,
    phase: Apart<AtomicU64>,
}

/// Two parties, each of which says how often it has come.
#[repr(C)]
#[derive(Debug)]
struct FlagBarrier([Apart<AtomicU64>; 2]);

#[repr(C, align(128))]
#[derive(Debug)]
struct Apart<T>(T);

// SAFETY: made of atomics.
unsafe impl Shared for SpinBarrier {}
// SAFETY: made of atomics.
unsafe impl Shared for FlagBarrier {}

impl SpinBarrier {
    fn wait(&self, run: &Run<'_>) {
        let phase = self.phase.0.load(Ordering::Acquire);
        if self.come.fetch_add(1, Ordering::AcqRel) + 1 == run.parties as u64 {
            self.come.store(0, Ordering::Relaxed);
            self.phase.0.store(phase + 1, Ordering::Release);
            return;
        }
        while self.phase.0.load(Ordering::Acquire) == phase {
            std::hint::spin_loop();
        }
    }
}

impl FlagBarrier {
    fn wait(&self, run: &Run<'_>) {
        let [mine, theirs] = [run.rank, 1 - run.rank].map(|rank| &self.0[rank].0);
        let phase = mine.load(Ordering::Relaxed) + 1;
        mine.store(phase, Ordering::Release);
        while theirs.load(Ordering::Acquire) < phase {
            std::hint::spin_loop();
        }
    }
}
