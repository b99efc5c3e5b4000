//! The job that ndshm began with, M[i, j] = i + j and row sums, and a matrix product: by two processes over shared memory,
//! by two threads over private memory, and as Python programs do it.
//!
//! `cargo bench -p ndshm-benches --bench blog`. What follows `--` as for the benchmark `sync`.

use ndshm_benches::{cpus, hold};
use ndshm_testkit::skip;

mod fill;
mod matmul;
mod python;
mod whole;

/// Of processes, and of threads.
const PARTIES: usize = 2;

fn main() {
    ndshm_workers::init(); // first line: a worker process starts here
    if whole::is_one_run() {
        return;
    }
    if cpus().len() < PARTIES {
        return skip("all of it", "this process may use one processor only");
    }
    let contests = [fill::steady(1000), fill::steady(4000), whole::runs(1000), whole::runs(4000)];
    hold(contests.into_iter().chain([matmul::contest()]));
}
