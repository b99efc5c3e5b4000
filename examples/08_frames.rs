//! Streaming: one process makes pictures, the others wait for the newest and look at it, each at its own speed.
//!
//! `cargo run --release --example frames -- --help`

use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use ndshm::prelude::*;
use ndshm_examples::{exit_code, parse};

/// A producer and some consumers of frames in one shared array.
#[derive(Debug, Parser)]
#[command(name = "frames", after_help = "Exit status: 0 no frame was torn, 1 one was.")]
struct Options {
    /// Worker processes, of which the first is the producer
    #[arg(long, value_name = "P", default_value_t = 3, value_parser = clap::value_parser!(u16).range(2..))]
    workers: u16,
    /// Frames
    #[arg(long, value_name = "N", default_value_t = 200)]
    frames: u64,
    /// Rows and columns of a frame
    #[arg(long, value_name = "N", default_value_t = 512)]
    size: usize,
}

const LIMIT: Duration = Duration::from_secs(20);

type Arguments = (SharedArray2<u64>, u64);

/// Frames made or seen, and milliseconds.
fn stream(w: &Worker, (frame, frames): Arguments) -> ndshm::Result<(u64, f64)> {
    w.barrier()?;
    let start = Instant::now();
    let mut count = 0;
    if w.rank() == 0 {
        for n in 1..=frames {
            frame.write()?.fill(n); // waits for those who look at the last one
            count = frame.publish()?;
            std::thread::sleep(Duration::from_micros(500));
        }
    } else {
        let mut seen = 0;
        while seen < frames {
            let newer = frame.wait_newer(seen, LIMIT)?;
            seen = newer.ok_or_else(|| ndshm::Error::other("no frame comes any more"))?;
            let frame = frame.read()?; // may be newer still, and is whole
            let first = frame[[0, 0]];
            if frame.iter().any(|&x| x != first) {
                return Err(ndshm::Error::other(format!("frame {first} is torn")));
            }
            count += 1;
        }
    }
    Ok((count, start.elapsed().as_secs_f64() * 1e3))
}

fn run(options: &Options) -> ndshm::Result<bool> {
    let frame = SharedArray2::zeros((options.size, options.size))?;
    let done = Workers::new(options.workers.into()).run(stream, &(frame, options.frames))?;
    for (rank, (count, took)) in done.into_iter().enumerate() {
        let what = if rank == 0 { "made" } else { "saw" };
        println!("rank {rank} {what} {count} of {} frames in {took:.0} ms", options.frames);
    }
    Ok(true)
}

fn main() -> ExitCode {
    ndshm::init(); // first line: a worker process starts here
    exit_code(run(&parse()))
}
