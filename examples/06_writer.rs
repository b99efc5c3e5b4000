//! One of two programs that share a matrix by its name: makes it, and fills it row by row. `reader` is the other.
//!
//! `cargo run --release --example writer`, and in another terminal `cargo run --release --example reader`

use std::process::ExitCode;
use std::thread::sleep;
use std::time::Duration;

use clap::Parser;
use ndshm::prelude::*;
use ndshm_examples::{exit_code, options::between, parse, say};

/// Makes a matrix with a name, and fills it row by row.
#[derive(Debug, Parser)]
#[command(
    name = "writer",
    after_help = "Exit status: 0 all right, 2 bad input, or the name is taken."
)]
struct Options {
    /// The name of the matrix, by which other programs find it
    #[arg(long, default_value = "table")]
    name: String,
    /// Rows of the matrix
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = between::<usize>(1, 1_000_000))]
    rows: usize,
    /// Milliseconds between two rows
    #[arg(long, value_name = "MS", default_value_t = 100, value_parser = between::<u64>(0, 60_000))]
    pause: u64,
}

/// How long a row may be held by somebody else: `ndshm save`, say, which holds all of them.
const PATIENCE: Duration = Duration::from_secs(10);

fn run(options: &Options) -> ndshm::Result<bool> {
    let table = SharedArray2::<f64>::options().name(&options.name).zeros((options.rows, 4))?;
    if let Some(path) = table.path() {
        say!("{}", path.display())?; // NumPy loads it from there
    }
    for row in 0..options.rows {
        let mut next = table.claim_mut_timeout(row..=row, PATIENCE)?;
        next.fill_with_index(|(i, j)| (10 * i + j) as f64);
        drop(next);
        table.publish()?; // wakes who waits for something newer
        sleep(Duration::from_millis(options.pause));
    }
    Ok(true)
} // here the name goes; who has the matrix open keeps it

fn main() -> ExitCode {
    exit_code(run(&parse())) // no `ndshm::init()`: it starts no workers
}
