//! A worker is killed in the midst of its work, and the job is done all the same: what the dead one had begun is known, is put
//! back, and is done again.
//!
//! `cargo run --release --example killed_worker`

use std::process::{Command, ExitCode};
use std::thread::{park, sleep};
use std::time::Duration;

use clap::Parser;
use ndarray::{Array2, s};
use ndshm::prelude::*;
use ndshm_examples::options::{between, workers};
use ndshm_examples::{exit_code, parse, say};

/// Squares every element of a matrix in place, by tiles in P processes, one of which kills itself on the way.
#[derive(Debug, Parser)]
#[command(
    name = "killed_worker",
    after_help = "Exit status: 0 the result is right, 1 it is not, or another worker failed, 2 bad input."
)]
struct Options {
    /// Worker processes
    #[arg(long, value_name = "P", default_value_t = 4, value_parser = workers)]
    workers: usize,
    /// The tile, of 30: whoever has squared half of it is killed
    #[arg(long, value_name = "TILE", default_value_t = 7, value_parser = between::<usize>(0, 29))]
    victim: usize,
}

const SHAPE: (usize, usize) = (60, 80);
const TILE: (usize, usize) = (10, 16);

type Arguments = (SharedArray2<f64>, Tasks<f64>, Option<usize>);

/// What each process runs: draws tiles until there are none. Returns how many it did.
fn square(_: &Worker, (m, tiles, victim): Arguments) -> ndshm::Result<usize> {
    let tiling = Tiling::new(m.dim(), TILE);
    tiles.run(|number| {
        let mut tile = m.claim_mut(tiling.tile(number))?;
        for (n, x) in tile.iter_mut().enumerate() {
            if victim == Some(number) && n == TILE.0 * TILE.1 / 2 {
                kill_myself();
            }
            *x *= *x;
        }
        sleep(Duration::from_millis(5)); // as if it were work, so that each gets some
        Ok::<_, ndshm::Error>(tile.sum())
    })
}

/// SIGKILL: nothing can be said, let go of or tidied up any more.
fn kill_myself() {
    let _ = Command::new("sh").args(["-c", "kill -9 $PPID"]).status();
    park(); // until it arrives
}

fn run(options: &Options) -> ndshm::Result<bool> {
    let original = Array2::from_shape_fn(SHAPE, |(i, j)| (i * SHAPE.1 + j) as f64);
    let m = SharedArray2::from_array(&original)?;
    let tiles = Tasks::new(Tiling::new(m.dim(), TILE).len())?;
    let workers = Workers::new(options.workers);

    // Once, with a death.
    let first = workers.run(square, &(m.clone(), tiles.clone(), Some(options.victim)));
    match first {
        Err(e @ RunError::Failed { .. }) => say!("{e}")?, // who died, and of what
        other => drop(other?),
    }
    say!("not done: {:?}", tiles.unfinished()?)?;

    // What the dead one had claimed is half squared, and nothing else is.
    if let Err(ClaimError::Poisoned(poisoned)) = m.write() {
        let parts = poisoned.parts().to_vec();
        let mut whole = poisoned.into_inner();
        for left in parts {
            say!("{left}: put back as it was")?;
            let (rows, columns) = (left.part.slice(0), left.part.slice(1));
            whole.slice_mut(s![rows, columns]).assign(&original.slice(s![rows, columns]));
        }
        whole.clear_poison()?;
    }

    // Again, with what is not done.
    tiles.redraw()?;
    let done: usize = workers.run(square, &(m.clone(), tiles.clone(), None))?.into_iter().sum();
    say!("done in a second run: {done}")?;

    let right = *m.read()? == &original * &original;
    say!("every element is {}", if right { "right" } else { "WRONG" })?;
    Ok(right)
}

fn main() -> ExitCode {
    ndshm::init(); // first line: a worker process starts here
    exit_code(run(&parse()))
}
