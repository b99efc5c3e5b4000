//! Fill and sum again and again, by those who are there already, in memory that was touched before.

use std::time::{Duration, Instant};

use ndarray::{Array1, Array2, ArrayRef1, ArrayRef2, Axis, Zip};
use ndshm_array::{Prefault, SharedArray1, SharedArray2};
use ndshm_benches::Target::{AtLeast, AtMost};
use ndshm_benches::{Contender, Contest, timed};
use ndshm_workers::{Pin, Worker, Workers};

use crate::{PARTIES, python};

const OURS: &str = "ndshm, 2 processes";
const RAYON: &str = "ndarray + rayon, 2 threads";
const ALONE: &str = "ndarray, 1 thread";

const MEMORY_IS_SLOWER: &str = "where the target was set Python took 102 ms, and a prototype of this 0.19 ms: here memory is the slower one by more than the interpreter is";

/// The row of that number.
pub(super) fn fill_row(i: usize, row: &mut ArrayRef1<f64>) {
    for (j, x) in row.iter_mut().enumerate() {
        *x = (i + j) as f64;
    }
}

pub(super) fn sum_rows(m: &ArrayRef2<f64>, sums: &mut ArrayRef1<f64>) {
    Zip::from(sums).and(m.rows()).for_each(|sum, row| *sum = row.sum());
}

/// As it is written for threads.
pub(super) fn by_rayon(m: &mut Array2<f64>, sums: &mut Array1<f64>) {
    use ndarray::parallel::prelude::{
        IndexedParallelIterator, IntoParallelIterator, ParallelIterator,
    };

    let rows = m.axis_iter_mut(Axis(0)).into_par_iter().enumerate();
    rows.for_each(|(i, mut row)| fill_row(i, &mut row));
    let rows = m.axis_iter(Axis(0)).into_par_iter().zip(sums.axis_iter_mut(Axis(0)));
    rows.for_each(|(row, mut sum)| sum.fill(row.sum()));
}

/// As it is written for processes: once.
pub(super) fn band(
    w: &Worker,
    m: &SharedArray2<f64>,
    sums: &SharedArray1<f64>,
) -> ndshm_workers::Result<()> {
    let mine = w.band(m.nrows());
    let mut rows = m.claim_mut(mine.clone())?;
    for (i, mut row) in mine.clone().zip(rows.rows_mut()) {
        fill_row(i, &mut row);
    }
    sum_rows(&rows, &mut sums.claim_mut(mine)?);
    Ok(())
}

type Arguments = (SharedArray2<f64>, SharedArray1<f64>, u64);

fn again_and_again(w: &Worker, (m, sums, count): Arguments) -> ndshm_workers::Result<Duration> {
    band(w, &m, &sums)?; // page tables
    w.barrier()?;
    let start = Instant::now();
    for _ in 0..count {
        band(w, &m, &sums)?;
        w.barrier()?;
    }
    Ok(start.elapsed())
}

pub(super) fn steady(n: usize) -> Contest<'static> {
    let shared = SharedArray2::<f64>::options().prefault(Prefault::pages()).zeros((n, n));
    let (shared, shared_sums) = (shared.expect("memory"), SharedArray1::zeros(n).expect("memory"));
    // Made when they are first wanted, so that what the filter leaves out costs nothing.
    let mut pool = None;
    let ours: Contender<'static> = (
        OURS,
        Box::new(move |count| {
            let pool = pool.get_or_insert_with(|| {
                Workers::new(PARTIES).pin(Pin::Spread).pool().expect("workers")
            });
            let args = (shared.clone(), shared_sums.clone(), count);
            let took = pool.run(again_and_again, &args).expect("nobody fails");
            took.into_iter().max().unwrap_or_default()
        }),
    );
    let threads = rayon::ThreadPoolBuilder::new().num_threads(PARTIES).build().expect("threads");
    let (mut m, mut sums) = (Array2::zeros((n, n)), Array1::zeros(n));
    let rayon = timed(move || threads.install(|| by_rayon(&mut m, &mut sums)));
    let (mut m, mut sums) = (Array2::zeros((n, n)), Array1::zeros(n));
    let alone = timed(move || {
        m.rows_mut().into_iter().enumerate().for_each(|(i, mut row)| fill_row(i, &mut row));
        sum_rows(&m, &mut sums);
    });
    let mut contenders = vec![ours, (RAYON, rayon), (ALONE, alone)];
    contenders.extend(python::vectorised(n));
    let mut promises = vec![AtMost(1.0, &[RAYON]).into()];
    if n == 1000 {
        // An element at a time takes too long for more.
        contenders.extend(python::elementwise(n));
        promises.push(AtLeast(400.0, &[python::ELEMENTWISE]).because(MEMORY_IS_SLOWER));
    }
    let contest = Contest::new(format!("blog, again and again, n = {n}"), RAYON, contenders)
        .setting("fill and row sums, each party pinned to a processor")
        .promising(promises);
    if n > 1000 { contest.one_by_one(13) } else { contest }
}
