//! Two who answer each other: an operation is a round trip.

use std::sync::atomic::{AtomicU64, Ordering};

use ndshm_benches::now;

use crate::arena::Arena;
use crate::contest::{Among, Rival};

/// Longer than anybody spins here, so that the other one sleeps by then.
pub(crate) const WORK: u64 = 200_000;

/// One way of answering. `connect` makes a party's two halves: to tell the other, and to wait until
/// it has told. Before it tells, a party works for as many nanoseconds.
pub(crate) fn rival<T: FnMut() + 'static, W: FnMut() + 'static>(
    name: &'static str,
    arena: &'static Arena,
    work: u64,
    connect: impl Fn(usize) -> (T, W) + Send + Sync + 'static,
) -> Rival {
    let said: &AtomicU64 = arena.take();
    Rival {
        name,
        among: Among::Processes,
        prepare: Box::new(move |rank| {
            let (mut tell, mut wait) = connect(rank);
            let mut heard = 0;
            Box::new(move |run| {
                run.repeat(|| {
                    if run.rank == 1 {
                        wait();
                    }
                    if run.checked {
                        // Counts the tellings of both, of which every second is this one's.
                        let mine = said.load(Ordering::Relaxed);
                        assert!(heard == 0 || mine == heard + 2, "woken out of turn");
                        heard = mine;
                        said.store(mine + 1, Ordering::Relaxed);
                    }
                    if work != 0 {
                        let end = now() + work;
                        while now() < end {
                            std::hint::spin_loop();
                        }
                    }
                    tell();
                    if run.rank == 0 {
                        wait();
                    }
                })
            })
        }),
        counted: None,
    }
}
