//! The heat equation: P processes compute the next state of a plate from the last, meet at a barrier, and swap.
//!
//! `cargo run --release --example heat -- --png heat.png`

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use ndarray::{Array2, s};
use ndshm::prelude::*;
use ndshm_examples::{bar, exit_code, parse, picture::picture};

/// A plate, cold but for a hot edge and a hot spot that are kept so.
#[derive(Debug, Parser)]
#[command(name = "heat", after_help = "Exit status: 0 all right, 1 a worker failed, 2 bad input.")]
struct Options {
    /// Worker processes; the result is the same for any number of them
    #[arg(long, value_name = "P", default_value_t = 4)]
    workers: usize,
    /// Rows and columns of the plate
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = clap::value_parser!(u32).range(8..=20_000))]
    size: u32,
    /// Steps
    #[arg(long, value_name = "N", default_value_t = 2000)]
    steps: usize,
    /// Draw the plate there in the end
    #[arg(long, value_name = "OUT.png")]
    png: Option<PathBuf>,
}

fn plate(n: usize) -> Array2<f64> {
    Array2::from_shape_fn((n, n), |(i, j)| f64::from(u8::from(i == 0 || is_spot(n, i, j))))
}

/// A disc that keeps its temperature.
fn is_spot(n: usize, i: usize, j: usize) -> bool {
    let (x, y) = (j as f64 - 0.7 * n as f64, i as f64 - 0.6 * n as f64);
    x.hypot(y) < n as f64 / 12.0
}

fn compute(w: &Worker, (plate, steps): (Epochs<f64, ndarray::Ix2>, usize)) -> ndshm::Result<()> {
    let n = plate.now()?.nrows();
    let inner = w.band(n - 2); // of the rows between the first and the last
    let mine = inner.start + 1..inner.end + 1;
    for done in 0..steps {
        let step = plate.step()?;
        if !mine.is_empty() {
            let now = step.now().claim(mine.start - 1..mine.end + 1)?; // one row more on each side
            let mut next = step.next().claim_mut(mine.clone())?; // mine alone
            for (i, mut row) in mine.clone().zip(next.rows_mut()) {
                let [above, here, below] = [0, 1, 2].map(|k| now.row(i - mine.start + k));
                for j in 1..n - 1 {
                    if !is_spot(n, i, j) {
                        row[j] = (above[j] + below[j] + here[j - 1] + here[j + 1]) / 4.0;
                    }
                }
            }
        }
        w.barrier()?; // all have written
        step.complete()?; // what was next is now
        w.progress(done + 1, steps);
    }
    Ok(())
}

fn run(options: &Options) -> ndshm::Result<bool> {
    let p = options.workers;
    let plate = Epochs::from_array(&plate(options.size as usize))?;
    Workers::new(p)
        .on_event(bar("heating", p, false))
        .run(compute, &(plate.clone(), options.steps))?;

    let plate = plate.now()?.read()?;
    println!("mean temperature {:.12}", plate.mean().unwrap_or_default());
    let column = plate.slice(s![.., plate.ncols() / 2]);
    let shown: Vec<_> =
        column.iter().step_by(column.len() / 8).map(|t| format!("{t:.3}")).collect();
    println!("from top to bottom in the middle: {}", shown.join(" "));
    if let Some(path) = &options.png {
        picture(path, &plate)?;
        println!("drawn: {}", path.display());
    }
    Ok(true)
}

fn main() -> ExitCode {
    ndshm::init(); // first line: a worker process starts here
    exit_code(run(&parse()))
}
