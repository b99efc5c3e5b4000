//! The heat equation: P processes compute the next state of a plate from the present one, meet at a barrier, and swap the
//! two.
//!
//! `cargo run --release --example heat -- --png heat.png`

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use ndarray::{Array2, Ix2, s};
use ndshm::prelude::*;
use ndshm_examples::options::{between, picture_path, workers};
use ndshm_examples::{bar, exit_code, parse, picture::picture, say};

/// How heat spreads over a plate from an edge and a spot that are kept hot; the other edges are kept cold.
#[derive(Debug, Parser)]
#[command(name = "heat", after_help = "Exit status: 0 all right, 1 a worker failed, 2 bad input.")]
struct Options {
    /// Worker processes: the result is the same for any number of them
    #[arg(long, value_name = "P", default_value_t = 4, value_parser = workers)]
    workers: usize,
    /// Rows and columns of the plate
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = between::<usize>(8, 8000))]
    size: usize,
    /// Steps, of which each brings the heat one row on
    #[arg(long, value_name = "N", default_value_t = 2000, value_parser = between::<usize>(0, 1_000_000_000))]
    steps: usize,
    /// Draw the plate there in the end
    #[arg(long, value_name = "OUT.png", value_parser = picture_path)]
    png: Option<PathBuf>,
}

/// 1 where it is hot, 0 elsewhere.
fn plate(n: usize) -> Array2<f64> {
    Array2::from_shape_fn((n, n), |(i, j)| f64::from(u8::from(i == 0 || is_spot(n, i, j))))
}

/// Whether it is in the disc that is kept hot.
fn is_spot(n: usize, i: usize, j: usize) -> bool {
    let (x, y) = (j as f64 - 0.7 * n as f64, i as f64 - 0.6 * n as f64);
    x.hypot(y) < n as f64 / 12.0
}

/// What each process runs. `Epochs` are two plates: the present one, and the one to be written next.
fn compute(w: &Worker, (plate, steps): (Epochs<f64, Ix2>, usize)) -> ndshm::Result<()> {
    let n = plate.now()?.nrows();
    let band = w.band(n - 2); // of the rows without the two edges
    let mine = band.start + 1..band.end + 1;
    for done in 0..steps {
        let step = plate.step()?;
        {
            let now = step.now().claim(mine.start - 1..mine.end + 1)?; // a row of each neighbour, too
            let mut next = step.next().claim_mut(mine.clone())?; // mine alone
            for (k, mut row) in next.rows_mut().into_iter().enumerate() {
                let (above, here, below) = (now.row(k), now.row(k + 1), now.row(k + 2));
                for j in 1..n - 1 {
                    if !is_spot(n, mine.start + k, j) {
                        row[j] = (above[j] + below[j] + here[j - 1] + here[j + 1]) / 4.0;
                    }
                }
            }
        } // here the claims end: nobody may hold one at a barrier
        w.barrier()?; // all have written
        step.complete()?; // what was next is the present one
        w.progress(done + 1, steps);
    }
    Ok(())
}

fn run(options: &Options) -> ndshm::Result<bool> {
    let p = options.workers;
    let plate = Epochs::from_array(&plate(options.size))?;
    Workers::new(p)
        .on_event(bar("heating", p, false))
        .run(compute, &(plate.clone(), options.steps))?;

    let plate = plate.now()?.read()?;
    say!("mean temperature {}", plate.mean().unwrap_or_default())?;
    let middle = plate.slice(s![..;options.size / 8, options.size / 2]);
    say!("down the middle {middle:.3}")?;
    if let Some(path) = &options.png {
        picture(path, &plate)?;
        say!("drawn: {}", path.display())?;
    }
    Ok(true)
}

fn main() -> ExitCode {
    ndshm::init(); // first line: a worker process starts here
    exit_code(run(&parse()))
}
