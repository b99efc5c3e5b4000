//! Tiles that take very different times: workers draw the next one when they have done the last.
//!
//! `cargo run --release --example mandelbrot -- --png mandelbrot.png`

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use ndshm::prelude::*;
use ndshm_examples::{exit_code, parse, picture::picture};

/// The Mandelbrot set, drawn by tiles in P processes.
#[derive(Debug, Parser)]
#[command(
    name = "mandelbrot",
    after_help = "Exit status: 0 all right, 1 a worker failed, 2 bad input."
)]
struct Options {
    /// Worker processes
    #[arg(long, value_name = "P", default_value_t = 4)]
    workers: usize,
    /// Rows; columns are half as many again
    #[arg(long, value_name = "N", default_value_t = 600)]
    size: usize,
    /// Draw it there
    #[arg(long, value_name = "OUT.png")]
    png: Option<PathBuf>,
}

const MOST: u32 = 400;

/// Steps until it is known to run away, a little smoothed; 0 where it is not known.
fn escape(x: f64, y: f64) -> f64 {
    let (mut re, mut im) = (0.0_f64, 0.0_f64);
    for step in 0..MOST {
        let (a, b) = (re * re, im * im);
        if a + b > 1e4 {
            return (f64::from(step) + 1.0 - (a + b).ln().ln() / 2_f64.ln()).max(0.0).sqrt();
        }
        (re, im) = (a - b + x, 2.0 * re * im + y);
    }
    0.0
}

/// Tiles that this one did.
fn draw(_: &Worker, (picture, tiles): (SharedArray2<f64>, Tasks<f64>)) -> ndshm::Result<usize> {
    let (rows, columns) = picture.dim();
    let tiling = Tiling::new((rows, columns), (32, 32));
    tiles.run(|number| {
        let start = Instant::now();
        let mut tile = picture.claim_mut(tiling.tile(number))?;
        tile.fill_with_index(|(i, j)| {
            escape(3.0 * j as f64 / columns as f64 - 2.2, 2.4 * i as f64 / rows as f64 - 1.2)
        });
        Ok::<_, ndshm::Error>(start.elapsed().as_secs_f64())
    })
}

fn run(options: &Options) -> ndshm::Result<bool> {
    let set = SharedArray2::zeros((options.size, options.size * 3 / 2))?;
    let tiles = Tasks::new(Tiling::new(set.dim(), (32, 32)).len())?;
    let done = Workers::new(options.workers).run(draw, &(set.clone(), tiles.clone()))?;
    for (rank, tiles) in done.iter().enumerate() {
        println!("rank {rank} drew {tiles:>4} tiles");
    }
    if let Some(times) = tiles.results()? {
        let (least, most) = times.iter().fold((f64::MAX, 0_f64), |(a, b), &t| (a.min(t), b.max(t)));
        println!("a tile took from {:.2} to {:.2} ms", least * 1e3, most * 1e3);
    }
    if let Some(path) = &options.png {
        picture(path, &set.read()?)?;
        println!("drawn: {}", path.display());
    }
    Ok(true)
}

fn main() -> ExitCode {
    ndshm::init(); // first line: a worker process starts here
    exit_code(run(&parse()))
}
