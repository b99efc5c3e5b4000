//! The product of two matrices by tiles: each worker writes its own tiles of the result, and reads the rows and columns that
//! they need.
//!
//! `cargo run --release --example matmul`

use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use ndarray::{linalg::general_mat_mul, s};
use ndshm::prelude::*;
use ndshm_examples::options::{between, workers};
use ndshm_examples::{bar, exit_code, parse, say};

/// C = A B in shared memory, tile by tile in P processes.
#[derive(Debug, Parser)]
#[command(
    name = "matmul",
    after_help = "Exit status: 0 the product is right, 1 it is not or a worker failed, 2 bad input."
)]
struct Options {
    /// Worker processes
    #[arg(long, value_name = "P", default_value_t = 4, value_parser = workers)]
    workers: usize,
    /// Rows and columns of the matrices
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = between::<usize>(1, 1_000_000))]
    size: usize,
    /// Rows and columns of a tile
    #[arg(long, value_name = "N", default_value_t = 250, value_parser = between::<usize>(1, 1_000_000))]
    tile: usize,
}

type Arguments = ([SharedArray2<f64>; 3], usize);

/// What each process runs.
fn multiply(w: &Worker, ([a, b, c], tile): Arguments) -> ndshm::Result<()> {
    let tiling = Tiling::new(c.dim(), (tile, tile));
    let mine = w.band(tiling.len()); // my share of the tiles, which have numbers
    for number in mine.clone() {
        let tile = tiling.tile(number);
        let (rows, columns) = (tile.ranges()[0].clone(), tile.ranges()[1].clone());
        let (a, b) = (a.claim(rows)?, b.claim(s![.., columns])?); // to read, as others do
        let mut c = c.claim_mut(tile)?; // to write: mine alone
        general_mat_mul(1.0, &a, &b, 0.0, &mut *c); // ndarray's own, from and to shared memory
        w.progress(number + 1 - mine.start, mine.len());
    }
    Ok(())
}

fn run(options: &Options) -> ndshm::Result<bool> {
    let (n, p) = (options.size, options.workers);
    let [a, b, c] = [(); 3].map(|()| SharedArray2::<f64>::zeros((n, n)));
    let (a, b, c) = (a?, b?, c?);
    a.write()?.fill_with_index(|(i, j)| ((i + 2 * j) % 7) as f64);
    b.write()?.fill_with_index(|(i, j)| ((3 * i + j) % 5) as f64);

    let start = Instant::now();
    let args = ([a.clone(), b.clone(), c.clone()], options.tile);
    Workers::new(p).on_event(bar("multiplying", p, false)).run(multiply, &args)?;
    let took = start.elapsed().as_secs_f64();

    let start = Instant::now();
    let expected = a.read()?.dot(&*b.read()?);
    let alone = start.elapsed().as_secs_f64();
    let right = *c.read()? == expected; // whole numbers: exact in any order
    say!("{n} x {n} by {p} workers: {took:.3} s, with their start; by one process: {alone:.3} s")?;
    say!("the product is {}", if right { "right" } else { "WRONG" })?;
    Ok(right)
}

fn main() -> ExitCode {
    ndshm::init(); // first line: a worker process starts here
    exit_code(run(&parse()))
}
