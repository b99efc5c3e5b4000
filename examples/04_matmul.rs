//! The product of two matrices by tiles: each worker has its own tiles of the result, and reads what it needs of the rest.
//!
//! `cargo run --release --example matmul -- --help`

use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use ndarray::{linalg::general_mat_mul, s};
use ndshm::prelude::*;
use ndshm_examples::{bar, exit_code, parse};

/// C = A B in shared memory, by tiles.
#[derive(Debug, Parser)]
#[command(name = "matmul", after_help = "Exit status: 0 the product is right, 1 it is not.")]
struct Options {
    /// Worker processes
    #[arg(long, value_name = "P", default_value_t = 4)]
    workers: usize,
    /// Rows and columns
    #[arg(long, value_name = "N", default_value_t = 1000)]
    size: usize,
    /// Rows and columns of a tile
    #[arg(long, value_name = "N", default_value_t = 250)]
    tile: usize,
}

type Arguments = ([SharedArray2<f64>; 3], usize);

fn multiply(w: &Worker, ([a, b, c], tile): Arguments) -> ndshm::Result<()> {
    let tiling = Tiling::new(c.dim(), (tile, tile));
    let mine = w.band(tiling.len());
    for number in mine.clone() {
        let tile = tiling.tile(number);
        let [rows, columns] = [0, 1].map(|axis| tile.ranges()[axis].clone());
        let (a, b) = (a.claim(rows)?, b.claim(s![.., columns])?); // to read: others may, too
        let mut c = c.claim_mut(tile)?; // to write: nobody else
        general_mat_mul(1.0, &a, &b, 0.0, &mut *c); // on the shared memory itself
        w.progress(number + 1 - mine.start, mine.len());
    }
    Ok(())
}

fn run(options: &Options) -> ndshm::Result<bool> {
    let (n, p) = (options.size, options.workers);
    let make = || SharedArray2::<f64>::zeros((n, n));
    let [a, b, c] = [make()?, make()?, make()?];
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
    println!("{n} x {n} in {p} processes: {took:.3} s, their start included; in one: {alone:.3} s");
    println!("the product is {}", if right { "right" } else { "WRONG" });
    Ok(right)
}

fn main() -> ExitCode {
    ndshm::init(); // first line: a worker process starts here
    exit_code(run(&parse()))
}
