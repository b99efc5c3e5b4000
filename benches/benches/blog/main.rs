//! The job that ndshm began with, M[i, j] = i + j and row sums, and a matrix product: by two processes over shared memory,
//! by two threads over private memory, and as Python programs do it.
//!
//! `cargo bench -p ndshm-benches --bench blog`. What follows `--` as for the benchmark `sync`.

use ndshm_benches::{Session, absent, cpus};

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
    let mut session = Session::from_args();
    if cpus().len() < PARTIES {
        absent("blog, matmul", "this process may use one processor only");
        return session.end();
    }
    for n in [1000, 4000] {
        session.hold(fill::steady(n));
        session.hold(whole::runs(n));
    }
    session.hold(matmul::contest());
    session.end();
}
