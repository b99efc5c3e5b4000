//! The correlation of every two columns of a table, computed in P processes over shared memory:
//! what `numpy.corrcoef(x, rowvar=False)` gives.
//!
//! `cargo run --release --example correlation -- --png wine.png`

use std::process::ExitCode;
use std::time::Instant;

use ndarray::{Array1, ArrayRef2, Axis, s};
use ndshm::prelude::*;
use ndshm_examples::{
    bar,
    correlation::{Options, Report, load},
    exit_code, parse,
};

/// Input, partial results by rank, result: all shared.
#[derive(Clone, serde::Serialize, serde::Deserialize)]
struct Shared {
    x: SharedArray2<f64>,        // samples x columns
    ranges: SharedArray3<f64>,   // rank x (sum, least, greatest) x columns
    products: SharedArray3<f64>, // rank x (columns, and a row of sums) x columns
    r: SharedArray2<f64>,        // columns x columns
}

fn compute(w: &Worker, shared: Shared) -> ndshm::Result<()> {
    let Shared { x, ranges, products, r } = shared;
    let (n, columns) = (x.nrows(), x.ncols());

    // First pass: sum and range of each column over my rows.
    let mine = x.claim(w.band(n))?;
    let mut part = ranges.claim_mut(w.rank()..=w.rank())?;
    part.slice_mut(s![0, 0, ..]).assign(&mine.sum_axis(Axis(0)));
    part.slice_mut(s![0, 1, ..]).assign(&mine.fold_axis(Axis(0), f64::INFINITY, |a, b| a.min(*b)));
    part.slice_mut(s![0, 2, ..]).assign(&mine.fold_axis(Axis(0), -f64::INFINITY, |a, b| a.max(*b)));
    drop(part);
    w.progress(1, 3);
    w.barrier()?;

    // Second pass: products of the centred columns over my rows. The sums of what is left after
    // centring, nearly zero, take the rounding of the mean out again.
    let all = ranges.read()?;
    let mean: Array1<f64> = all.slice(s![.., 0, ..]).sum_axis(Axis(0)) / n as f64;
    let centred = &mine - &mean;
    let mut part = products.claim_mut(w.rank()..=w.rank())?;
    part.slice_mut(s![0, ..columns, ..]).assign(&centred.t().dot(&centred));
    part.slice_mut(s![0, columns, ..]).assign(&centred.sum_axis(Axis(0)));
    drop(part);
    w.progress(2, 3);
    w.barrier()?;

    // Reduction, in the order of ranks: my rows of the result.
    let least = all.slice(s![.., 1, ..]).fold_axis(Axis(0), f64::INFINITY, |a, b| a.min(*b));
    let greatest = all.slice(s![.., 2, ..]).fold_axis(Axis(0), -f64::INFINITY, |a, b| a.max(*b));
    let total = products.read()?.sum_axis(Axis(0));
    let left = total.row(columns);
    let covariance = |i: usize, j: usize| total[[i, j]] - left[i] * left[j] / n as f64;
    let deviation = Array1::from_shape_fn(columns, |i| match least[i] == greatest[i] {
        true => f64::NAN, // all values are equal: no correlation is defined
        false => covariance(i, i).sqrt(),
    });
    r.claim_mut(w.band(columns))?.fill_with_index(|(i, j)| match i == j {
        true if deviation[i].is_normal() => 1.0,
        _ => (covariance(i, j) / deviation[i] / deviation[j]).clamp(-1.0, 1.0),
    });
    w.progress(3, 3);
    Ok(())
}

fn run(options: &Options) -> ndshm::Result<bool> {
    let start = Instant::now();
    let x = load(options)?;
    let (p, columns) = (options.workers, x.ncols());
    let shared = Shared {
        ranges: SharedArray3::zeros((p, 3, columns))?,
        products: SharedArray3::zeros((p, columns + 1, columns))?,
        r: SharedArray2::zeros((columns, columns))?,
        x,
    };
    Workers::new(p).on_event(bar("computing", p, options.json)).run(compute, &shared)?;
    let r: &ArrayRef2<f64> = &shared.r.read()?;
    Report::new(&shared.x, r, options)?.print(start.elapsed())?;
    Ok(true)
}

fn main() -> ExitCode {
    ndshm::init(); // first line: a worker process starts here
    exit_code(run(&parse()))
}
