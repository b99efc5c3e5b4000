//! Many processes count into the same few places: under a lock, and with atomic additions.
//!
//! `cargo run --release --example histogram`

use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use ndarray::Array1;
use ndshm::prelude::*;
use ndshm_examples::{bars, exit_code, options::at_least_one, options::workers, parse, print, say};

const BINS: usize = 16;

/// Dice are thrown in P processes, and counted in two arrays that all of them share.
#[derive(Debug, Parser)]
#[command(
    name = "histogram",
    after_help = "Exit status: 0 all counts are right, 1 they are not or a worker failed, 2 bad input."
)]
struct Options {
    /// Worker processes
    #[arg(long, value_name = "P", default_value_t = 4, value_parser = workers)]
    workers: usize,
    /// Throws of each of them
    #[arg(long, value_name = "N", default_value_t = 100_000, value_parser = at_least_one)]
    throws: usize,
}

type Arguments = (SharedArray1<u64>, SharedArray1<u64>, usize);

/// Sums of four dice with the numbers 0 to 3: the same for the same seed.
fn throws(seed: usize, count: usize) -> impl Iterator<Item = usize> {
    let mut state = (seed as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15); // xorshift64
    (0..count).map(move |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (0..4).map(|die| (state >> (8 * die) & 3) as usize).sum()
    })
}

/// What each process runs. Returns how long each way took, in nanoseconds a throw.
fn count(w: &Worker, (locked, atomic, n): Arguments) -> ndshm::Result<(f64, f64)> {
    w.barrier()?; // all begin together
    let start = Instant::now();
    for bin in throws(w.rank(), n) {
        locked.write()?[bin] += 1; // one process at a time; the others wait
    }
    let by_lock = start.elapsed();

    w.barrier()?;
    let start = Instant::now();
    let counts = atomic.claim_atomic(..)?; // shared by all: each addition is one step of the processor
    for bin in throws(w.rank(), n) {
        counts.fetch_add(bin, 1);
    }
    let each = |time: Duration| time.as_secs_f64() * 1e9 / n as f64;
    Ok((each(by_lock), each(start.elapsed())))
}

fn run(options: &Options) -> ndshm::Result<bool> {
    let (locked, atomic) = (SharedArray1::zeros(BINS)?, SharedArray1::zeros(BINS)?);
    let args = (locked.clone(), atomic.clone(), options.throws); // clones are the same memory
    let times = Workers::new(options.workers).run(count, &args)?;

    // The same, in one process.
    let mut expected = Array1::<u64>::zeros(BINS);
    for rank in 0..options.workers {
        throws(rank, options.throws).for_each(|bin| expected[bin] += 1);
    }

    print(&bars(&atomic.read()?.map(|&n| n as f64).to_vec()))?;
    let mean = |of: fn(&(f64, f64)) -> f64| times.iter().map(of).sum::<f64>() / times.len() as f64;
    let (lock, addition) = (mean(|t| t.0), mean(|t| t.1));
    say!("a count under the lock took {lock:.0} ns, an atomic one {addition:.0} ns")?;
    let right = *locked.read()? == expected && *atomic.read()? == expected;
    say!("{} throws, {}", expected.sum(), if right { "all counted" } else { "SOME LOST" })?;
    Ok(right)
}

fn main() -> ExitCode {
    ndshm::init(); // first line: a worker process starts here
    exit_code(run(&parse()))
}
