//! The product of two matrices: the rows of the result by bands, each by ndarray's own routine on what claims lend.

use std::time::{Duration, Instant};

use ndarray::Array2;
use ndarray::linalg::general_mat_mul;
use ndshm_array::{Prefault, SharedArray2};
use ndshm_benches::Target::AtLeast;
use ndshm_benches::{Contender, Contest, timed};
use ndshm_workers::{Pin, Pool, Worker, Workers};

use crate::PARTIES;

const N: usize = 2048;
const ONE: &str = "ndshm, 1 process";
const PRIVATE: &str = "ndarray, 1 thread";

type Arguments = ([SharedArray2<f64>; 3], u64);

fn multiply(w: &Worker, ([a, b, c], count): Arguments) -> ndshm_workers::Result<Duration> {
    let start = Instant::now();
    for _ in 0..count {
        let mine = w.band(a.nrows());
        let (a, b) = (a.claim(mine.clone())?, b.read()?);
        general_mat_mul(1.0, &a, &b, 0.0, &mut *c.claim_mut(mine)?);
        w.barrier()?;
    }
    Ok(start.elapsed())
}

pub(super) fn contest() -> Contest<'static> {
    let make = || {
        let options = SharedArray2::<f64>::options().prefault(Prefault::pages());
        options.from_elem((N, N), 0.5).expect("memory")
    };
    let shared = [make(), make(), make()];
    let by = |name, processes| -> Contender<'static> {
        let (shared, mut pool) = (shared.clone(), None::<Pool<'static>>);
        (
            name,
            Box::new(move |count| {
                let pool = pool.get_or_insert_with(|| {
                    Workers::new(processes).pin(Pin::Spread).pool().expect("workers")
                });
                let took = pool.run(multiply, &(shared.clone(), count)).expect("nobody fails");
                took.into_iter().max().unwrap_or_default()
            }),
        )
    };
    let [a, b, mut c] = [0; 3].map(|_| Array2::from_elem((N, N), 0.5));
    let contenders = vec![
        by("ndshm, 2 processes", PARTIES),
        by(ONE, 1),
        (PRIVATE, timed(move || general_mat_mul(1.0, &a, &b, 0.0, &mut c))),
    ];
    Contest::new("matmul, n = 2048", ONE, contenders)
        .setting("f64, each party pinned to a processor")
        .promising([AtLeast(1.85, &[ONE]).because("1.96 in a run of the day before")])
        .one_by_one(9)
}
