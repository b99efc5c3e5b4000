//! Many processes count into the same few places: under a lock, and with atomic additions.
//!
//! `cargo run --release --example histogram -- --help`

use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use ndarray::Array1;
use ndshm::prelude::*;
use ndshm_examples::{bars, exit_code, parse};

const BINS: usize = 16;

/// Counts in shared memory: of every worker the same two arrays.
#[derive(Debug, Parser)]
#[command(name = "histogram", after_help = "Exit status: 0 all counts are right, 1 they are not.")]
struct Options {
    /// Worker processes
    #[arg(long, value_name = "P", default_value_t = 4)]
    workers: usize,
    /// Numbers that each of them counts
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    numbers: u64,
}

type Arguments = (SharedArray1<u64>, SharedArray1<u64>, u64);

/// Sums of four dice of four sides, by a small generator that needs no crate.
fn throws(seed: usize, count: u64) -> impl Iterator<Item = usize> {
    let mut state = (seed as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (0..count).map(move |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (0..4).map(|die| (state >> (8 * die) & 3) as usize).sum()
    })
}

/// How long each way took, in nanoseconds a number.
fn count(w: &Worker, (locked, atomic, numbers): Arguments) -> ndshm::Result<(f64, f64)> {
    w.barrier()?;
    let start = Instant::now();
    for bin in throws(w.rank(), numbers) {
        locked.write()?[bin] += 1; // one at a time, whoever has the array
    }
    let by_lock = start.elapsed();

    w.barrier()?;
    let start = Instant::now();
    let counts = atomic.claim_atomic(..)?; // all at once: no one has a view meanwhile
    for bin in throws(w.rank(), numbers) {
        counts.fetch_add(bin, 1);
    }
    let each = |time: std::time::Duration| time.as_secs_f64() * 1e9 / numbers.max(1) as f64;
    Ok((each(by_lock), each(start.elapsed())))
}

fn run(options: &Options) -> ndshm::Result<bool> {
    let (locked, atomic) = (SharedArray1::zeros(BINS)?, SharedArray1::zeros(BINS)?);
    let args = (locked.clone(), atomic.clone(), options.numbers);
    let times = Workers::new(options.workers).run(count, &args)?;

    // The same, in one process.
    let mut expected = Array1::<u64>::zeros(BINS);
    for rank in 0..options.workers {
        throws(rank, options.numbers).for_each(|bin| expected[bin] += 1);
    }
    print!("{}", bars(&expected.map(|&n| n as f64).to_vec()));
    let mean = |of: fn(&(f64, f64)) -> f64| times.iter().map(of).sum::<f64>() / times.len() as f64;
    println!(
        "a count under the lock: {:.0} ns; an atomic one: {:.0} ns",
        mean(|t| t.0),
        mean(|t| t.1)
    );
    let right = *locked.read()? == expected && *atomic.read()? == expected;
    println!("{} counts, {}", expected.sum(), if right { "none lost" } else { "SOME LOST" });
    Ok(right)
}

fn main() -> ExitCode {
    ndshm::init(); // first line: a worker process starts here
    exit_code(run(&parse()))
}
