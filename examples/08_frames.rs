//! Streaming: one process makes frames, the others wait for the newest and look at it, each at its own speed. Who is slower
//! than the producer misses some, and sees none half-made.
//!
//! `cargo run --release --example frames`

use std::process::ExitCode;
use std::thread::sleep;
use std::time::{Duration, Instant};

use clap::Parser;
use ndshm::prelude::*;
use ndshm_examples::options::{MOST_WORKERS, between};
use ndshm_examples::{exit_code, parse, say};

/// One process writes frames into a shared array, the others look at them.
#[derive(Debug, Parser)]
#[command(
    name = "frames",
    after_help = "Exit status: 0 every frame was whole, 1 one was not or a worker failed, 2 bad input."
)]
struct Options {
    /// Worker processes, of which the first is the producer
    #[arg(long, value_name = "P", default_value_t = 3, value_parser = between::<usize>(2, MOST_WORKERS))]
    workers: usize,
    /// Frames to make
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = between::<u64>(1, 1_000_000))]
    frames: u64,
    /// Rows and columns of a frame
    #[arg(long, value_name = "N", default_value_t = 512, value_parser = between::<usize>(1, 10_000))]
    size: usize,
}

/// How long to wait for a frame.
const PATIENCE: Duration = Duration::from_secs(20);

type Arguments = (SharedArray2<u64>, u64);

/// What each process runs. Returns how many frames it made, or saw, and in how many milliseconds.
fn stream(w: &Worker, (frame, frames): Arguments) -> ndshm::Result<(u64, f64)> {
    w.barrier()?; // all begin together
    let start = Instant::now();
    let count = if w.rank() == 0 { make(&frame, frames)? } else { watch(&frame, frames)? };
    Ok((count, start.elapsed().as_secs_f64() * 1e3))
}

fn make(frame: &SharedArray2<u64>, frames: u64) -> ndshm::Result<u64> {
    for n in 1..=frames {
        frame.write()?.fill(n); // waits for those who still look at the last one
        frame.publish()?; // this was version n
        sleep(Duration::from_micros(500));
    }
    Ok(frames)
}

fn watch(frame: &SharedArray2<u64>, frames: u64) -> ndshm::Result<u64> {
    let (mut seen, mut count) = (0, 0);
    while seen < frames {
        let newer = frame.wait_newer(seen, PATIENCE)?;
        seen = newer.ok_or_else(|| ndshm::Error::other("no frame comes any more"))?;
        let frame = frame.read()?; // that one, or one newer still
        let n = frame[[0, 0]];
        if n < seen || frame.iter().any(|&x| x != n) {
            return Err(ndshm::Error::other(format!("frame {seen} is not whole")));
        }
        count += 1;
    }
    Ok(count)
}

fn run(options: &Options) -> ndshm::Result<bool> {
    let frame = SharedArray2::zeros((options.size, options.size))?;
    let done = Workers::new(options.workers).run(stream, &(frame, options.frames))?;
    for (rank, (count, took)) in done.into_iter().enumerate() {
        let what = if rank == 0 { "made" } else { "saw" };
        say!("rank {rank} {what} {count} of {} frames in {took:.0} ms", options.frames)?;
    }
    Ok(true)
}

fn main() -> ExitCode {
    ndshm::init(); // first line: a worker process starts here
    exit_code(run(&parse()))
}
