//! One of two programs that share a matrix by its name: makes it, and fills it row by row. `reader` is the other.
//!
//! `cargo run --release --example writer`, and in another terminal `cargo run --release --example reader`

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use ndshm::prelude::*;
use ndshm_examples::{exit_code, parse};

/// Fills a named matrix, a row every 100 ms.
#[derive(Debug, Parser)]
#[command(
    name = "writer",
    after_help = "Exit status: 0 all right, 2 bad input, or the name is taken."
)]
struct Options {
    /// The name; `ndshm ls` lists it, numpy.load opens its file
    #[arg(long, default_value = "table")]
    name: String,
    /// Rows
    #[arg(long, value_name = "N", default_value_t = 100)]
    rows: usize,
    /// Milliseconds for a row
    #[arg(long, value_name = "MS", default_value_t = 100)]
    pause: u64,
}

fn run(options: &Options) -> ndshm::Result<bool> {
    let table = SharedArray2::<f64>::options().name(&options.name).zeros((options.rows, 4))?;
    println!("{}", table.path().unwrap_or("".as_ref()).display());
    for row in 0..options.rows {
        table
            .claim_mut_timeout(row..=row, Duration::from_secs(10))?
            .fill_with_index(|(i, j)| (i * 10 + j) as f64);
        table.publish()?; // wakes who waits for something new
        std::thread::sleep(Duration::from_millis(options.pause));
    }
    Ok(true)
} // here the name goes; who has the matrix open keeps it

fn main() -> ExitCode {
    exit_code(run(&parse()))
}
