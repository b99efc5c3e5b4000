//! A worker is killed in the midst of its work, and the job is done all the same: what it had begun is known, mended,
//! and done again.
//!
//! `cargo run --release --example killed_worker`

use std::process::ExitCode;

use clap::Parser;
use ndarray::{Array2, s};
use ndshm::prelude::*;
use ndshm_examples::{exit_code, parse};

/// Squares every element of a matrix in place, by tiles; one worker kills itself on the way.
#[derive(Debug, Parser)]
#[command(name = "killed_worker", after_help = "Exit status: 0 the result is right, 1 it is not.")]
struct Options {
    /// Worker processes
    #[arg(long, value_name = "P", default_value_t = 4)]
    workers: usize,
    /// The rank of the one that is killed
    #[arg(long, value_name = "RANK", default_value_t = 1)]
    victim: usize,
}

const SHAPE: (usize, usize) = (60, 80);
const TILE: (usize, usize) = (10, 16);

type Arguments = (SharedArray2<f64>, Tasks<f64>, Option<usize>);

fn square(w: &Worker, (m, tiles, victim): Arguments) -> ndshm::Result<usize> {
    let tiling = Tiling::new(m.dim(), TILE);
    tiles.run(|number| {
        let mut tile = m.claim_mut(tiling.tile(number))?;
        for (n, x) in tile.iter_mut().enumerate() {
            if victim == Some(w.rank()) && n == 70 {
                kill_myself(); // SIGKILL: nothing can be said or done any more
            }
            *x *= *x;
        }
        std::thread::sleep(std::time::Duration::from_millis(5)); // work, so that all get some
        Ok::<_, ndshm::Error>(tile.sum())
    })
}

fn kill_myself() {
    let me = std::process::id().to_string();
    let _ = std::process::Command::new("kill").args(["-9", &me]).status();
    std::thread::park(); // until it arrives
}

fn run(options: &Options) -> ndshm::Result<bool> {
    let original = Array2::from_shape_fn(SHAPE, |(i, j)| (i * SHAPE.1 + j) as f64);
    let m = SharedArray2::from_array(&original)?;
    let tiles = Tasks::new(Tiling::new(m.dim(), TILE).len())?;
    let workers = Workers::new(options.workers);

    match workers.run(square, &(m.clone(), tiles.clone(), Some(options.victim))) {
        Ok(_) => println!("nobody died: there is no rank {}", options.victim),
        Err(e @ RunError::Failed { .. }) => println!("{e}"),
        Err(e) => return Err(ndshm::Error::other(e)),
    }
    println!("not done: tiles {:?}", tiles.unfinished()?);

    // What the dead one had claimed is half-changed. Nothing else is: all others were let go of.
    if let Err(ClaimError::Poisoned(poisoned)) = m.write() {
        let left: Vec<_> = poisoned.parts().to_vec();
        let mut whole = poisoned.into_inner();
        for part in left {
            println!("{part}: put back as it was");
            let [rows, columns] = [0, 1].map(|axis| part.part.slice(axis));
            whole.slice_mut(s![rows, columns]).assign(&original.slice(s![rows, columns]));
        }
        whole.clear_poison()?;
    }
    tiles.redraw()?; // those that are not done
    let done: usize = workers.run(square, &(m.clone(), tiles.clone(), None))?.into_iter().sum();
    println!("done again: {done}");

    let right = *m.read()? == &original * &original;
    let sum = tiles.results()?.map(|sums| sums.sum());
    println!("the sum is {:?}, every element is {}", sum, if right { "right" } else { "WRONG" });
    Ok(right)
}

fn main() -> ExitCode {
    ndshm::init(); // first line: a worker process starts here
    exit_code(run(&parse()))
}
