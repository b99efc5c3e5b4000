//! Tiles that take very different times: a worker draws the next one when it has done the last, so that none waits for a slow
//! one.
//!
//! `cargo run --release --example mandelbrot -- --png mandelbrot.png`

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use ndshm::prelude::*;
use ndshm_examples::options::{between, picture_path, workers};
use ndshm_examples::{exit_code, parse, picture::picture, say};

/// The Mandelbrot set, computed by tiles in P processes.
#[derive(Debug, Parser)]
#[command(
    name = "mandelbrot",
    after_help = "Exit status: 0 all right, 1 a worker failed, 2 bad input."
)]
struct Options {
    /// Worker processes: the picture is the same for any number of them
    #[arg(long, value_name = "P", default_value_t = 4, value_parser = workers)]
    workers: usize,
    /// Rows of the picture; it has half as many columns again
    #[arg(long, value_name = "N", default_value_t = 600, value_parser = between::<usize>(1, 8000))]
    size: usize,
    /// Draw it there in the end
    #[arg(long, value_name = "OUT.png", value_parser = picture_path)]
    png: Option<PathBuf>,
}

/// Whoever has not run away after so many steps counts as a point of the set.
const MOST: u32 = 400;
const TILE: (usize, usize) = (32, 32);

/// The steps after which a point runs away, smoothed and as a fourth root, for the eye; 0 in the set.
fn escape(x: f64, y: f64) -> f64 {
    let (mut re, mut im) = (0.0_f64, 0.0_f64);
    for step in 0..MOST {
        let (a, b) = (re * re, im * im);
        if a + b > 1e4 {
            let smooth = f64::from(step) + 1.0 - (a + b).ln().ln() / 2_f64.ln();
            return smooth.max(0.0).powf(0.25);
        }
        (re, im) = (a - b + x, 2.0 * re * im + y);
    }
    0.0
}

/// What each process runs: draws tiles until there are none. Returns how many it did; what is noted of a tile is its time.
fn compute(_: &Worker, (set, tiles): (SharedArray2<f64>, Tasks<f64>)) -> ndshm::Result<usize> {
    let (rows, columns) = set.dim();
    let tiling = Tiling::new((rows, columns), TILE);
    tiles.run(|number| {
        let start = Instant::now();
        let mut tile = set.claim_mut(tiling.tile(number))?; // mine alone
        tile.fill_with_index(|(i, j)| {
            escape(3.0 * j as f64 / columns as f64 - 2.2, 2.4 * i as f64 / rows as f64 - 1.2)
        });
        Ok::<_, ndshm::Error>(start.elapsed().as_secs_f64())
    })
}

fn run(options: &Options) -> ndshm::Result<bool> {
    let set = SharedArray2::zeros((options.size, options.size * 3 / 2))?;
    let tiles = Tasks::new(Tiling::new(set.dim(), TILE).len())?;
    let done = Workers::new(options.workers).run(compute, &(set.clone(), tiles.clone()))?;
    for (rank, tiles) in done.iter().enumerate() {
        say!("rank {rank} did {tiles} tiles")?;
    }
    if let Some(times) = tiles.results()? {
        let (least, most) = times.iter().fold((f64::MAX, 0_f64), |(a, b), &t| (a.min(t), b.max(t)));
        say!("a tile took from {:.2} to {:.2} ms", least * 1e3, most * 1e3)?;
    }
    if let Some(path) = &options.png {
        picture(path, &set.read()?)?;
        say!("drawn: {}", path.display())?;
    }
    Ok(true)
}

fn main() -> ExitCode {
    ndshm::init(); // first line: a worker process starts here
    exit_code(run(&parse()))
}
