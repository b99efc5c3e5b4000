//! The job that ndshm began with: P processes fill one n x n matrix in place, M[i, j] = i + j, and
//! each then sees the rows of all.
//!
//! `cargo run --release --example shared_matrix`

use std::ops::Range;
use std::process::{ExitCode, id};
use std::time::Instant;

use ndshm::prelude::*;
use ndshm_examples::{
    bar, exit_code, parse,
    shared_matrix::{Options, Report, WorkerRow, check, open},
};

type Arguments = (SharedArray2<f64>, SharedMutex<f64>);

/// What each process runs. Returns its pid, its rows, and the sum of the whole matrix.
fn compute(w: &Worker, (m, total): Arguments) -> ndshm::Result<(u32, Range<usize>, f64)> {
    let mine = w.band(m.nrows());
    for first in mine.clone().step_by(64) {
        let rows = first..mine.end.min(first + 64);
        // Mine alone: rows that another process has claimed are refused.
        m.claim_mut(rows.clone())?.fill_with_index(|(i, j)| (i + j) as f64);
        w.progress(rows.end - mine.start, mine.len());
    }

    w.barrier()?; // Everyone's rows are there, or an error names who died.

    let sum = m.read()?.sum();
    let n = m.nrows() as f64;
    if sum != n * n * (n - 1.0) {
        return Err(ndshm::Error::other(format!("rows of others are missing: the sum is {sum}")));
    }
    *total.lock()? += sum;
    Ok((id(), mine, sum))
}

fn run(options: &Options) -> ndshm::Result<Report> {
    if let Some(name) = &options.attach {
        return check(&open(name, options.size)?, options); // somebody else's matrix
    }
    let n = options.size()?;
    let start = Instant::now();
    let mut m = SharedArray2::<f64>::options();
    if let Some(name) = &options.name {
        m = m.name(name);
    }
    let m = m.zeros((n, n))?;
    let total = SharedMutex::new(0.0)?;

    let p = options.workers;
    let done = Workers::new(p)
        .on_event(bar("rows filled", p, options.json)) // on a terminal
        .run(compute, &(m.clone(), total.clone()))?;

    if let Some((i, j)) = options.corrupt {
        m.write()?[[i, j]] += 0.5;
    }
    let mut report = check(&m, options)?;
    report.seconds = start.elapsed().as_secs_f64();
    report.locked_total = *total.lock()?;
    let rows = done.into_iter().enumerate();
    report.table =
        rows.map(|(rank, (pid, rows, sum))| WorkerRow { rank, pid, rows, sum }).collect();
    if options.name.is_some() {
        m.persist()?; // the name outlives this process
        report.kept = m.path().map(Into::into);
    }
    Ok(report)
}

fn main() -> ExitCode {
    ndshm::init(); // first line: a worker process starts here
    let options: Options = parse();
    exit_code(run(&options).and_then(|report| report.print(&options)))
}
