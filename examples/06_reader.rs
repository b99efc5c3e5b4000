//! The other of two programs that share a matrix by its name: prints what `writer` writes. Either may be started first.
//!
//! `cargo run --release --example reader`

use std::process::ExitCode;
use std::thread::sleep;
use std::time::{Duration, Instant};

use clap::Parser;
use ndshm::array::OpenError;
use ndshm::buffer::OpenError::NotFound;
use ndshm::prelude::*;
use ndshm_examples::{complain, exit_code, options::between, parse, say};

/// Prints each row of a named matrix as soon as it is there.
#[derive(Debug, Parser)]
#[command(
    name = "reader",
    after_help = "Exit status: 0 all rows were seen, 1 the next one did not come, 2 bad input, or there is no such matrix."
)]
struct Options {
    /// The name of the matrix
    #[arg(long, default_value = "table")]
    name: String,
    /// Seconds to wait for the matrix, and then for each row
    #[arg(long, value_name = "S", default_value_t = 10, value_parser = between::<u64>(0, 3600))]
    patience: u64,
}

fn open(name: &str, patience: Duration) -> ndshm::Result<SharedArray2<f64>> {
    let start = Instant::now();
    loop {
        // SAFETY: who else writes to it is `writer`, which does so through ndshm.
        match unsafe { SharedArray2::open(name) } {
            // Not yet. What can be opened is whole: no one sees a matrix half made.
            Err(OpenError::Buffer(NotFound { .. })) if start.elapsed() < patience => {
                sleep(Duration::from_millis(20));
            }
            opened => return Ok(opened?),
        }
    }
}

fn run(options: &Options) -> ndshm::Result<bool> {
    let patience = Duration::from_secs(options.patience);
    let table = open(&options.name, patience)?;
    let mut seen = 0;
    while seen < table.nrows() {
        // The writer publishes after each row: version 3 says that the first three rows are there.
        let Some(version) = table.wait_newer(seen as u64, patience)? else {
            complain(format!("row {seen} did not come in {patience:?}; is the writer dead?"));
            return Ok(false);
        };
        let there = (version as usize).min(table.nrows());
        for row in table.claim(seen..there)?.rows() {
            say!("{row}")?;
        }
        seen = there;
    }
    Ok(true)
}

fn main() -> ExitCode {
    exit_code(run(&parse())) // no `ndshm::init()`: it starts no workers
}
