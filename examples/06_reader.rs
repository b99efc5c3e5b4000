//! The other of two programs that share a matrix by its name: see `writer`.
//!
//! `cargo run --release --example reader`

use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use ndshm::array::OpenError;
use ndshm::prelude::*;
use ndshm_examples::{exit_code, parse};

/// Prints each row of a named matrix as soon as it is there.
#[derive(Debug, Parser)]
#[command(
    name = "reader",
    after_help = "Exit status: 0 all rows were seen, 1 they did not come, 2 there is no such matrix."
)]
struct Options {
    /// The name
    #[arg(long, default_value = "table")]
    name: String,
    /// Seconds to wait for the matrix, and for each row
    #[arg(long, value_name = "S", default_value_t = 10)]
    patience: u64,
}

fn open(options: &Options) -> ndshm::Result<SharedArray2<f64>> {
    let start = Instant::now();
    loop {
        // SAFETY: whoever writes to it is `writer`, through ndshm.
        match unsafe { SharedArray2::<f64>::open(&options.name) } {
            Err(e) if start.elapsed().as_secs() >= options.patience => return Err(e.into()),
            Err(OpenError::Buffer(_)) => std::thread::sleep(Duration::from_millis(50)),
            opened => return Ok(opened?),
        }
    }
}

fn run(options: &Options) -> ndshm::Result<bool> {
    let table = open(options)?;
    let (mut shown, patience) = (0, Duration::from_secs(options.patience));
    while shown < table.nrows() {
        // Rows are published in order: version n says that the first n are there.
        let Some(version) = table.wait_newer(shown as u64, patience)? else {
            println!("no row {shown} in {} s; did the writer die?", options.patience);
            return Ok(false);
        };
        let version = (version as usize).min(table.nrows());
        for row in table.claim_timeout(shown..version, patience)?.rows() {
            println!("{row}");
        }
        shown = version;
    }
    Ok(true)
}

fn main() -> ExitCode {
    exit_code(run(&parse()))
}
