//! Run `compute(rank, size, array)` in several processes, over memory they share.
//!
//! [`Workers::run`] starts this same executable once for every worker. In each of those processes,
//! [`init`](init()), the first line of `main`, finds that it is in a worker, takes the arguments
//! that the parent left for it, calls the function, sends the result home and ends the process.
//! Shared buffers and arrays among the arguments arrive as the same memory; everything else is
//! copied by `serde`.
//!
//! ```
//! use ndshm_workers::{Worker, Workers};
//!
//! /// Every worker sums its band of 0..n.
//! fn compute(worker: &Worker, n: usize) -> ndshm_workers::Result<usize> {
//!     let sum = worker.band(n).sum();
//!     worker.barrier()?; // all have summed, or an error names who died
//!     Ok(sum)
//! }
//!
//! fn main() -> ndshm_workers::Result<()> {
//!     ndshm_workers::init(); // first line: a worker process starts here
//!     let sums = Workers::new(4).run(compute, &1000)?;
//!     assert_eq!(sums.iter().sum::<usize>(), 499_500);
//!     Ok(())
//! }
//! ```
//!
//! # Index
//!
//! - [`init`](init()): where a worker process starts; [`test_support!`]: the same, in tests.
//! - [`Workers`]: how many, and how; [`run`](Workers::run), [`run_program`](Workers::run_program) and
//!   [`on_event`](Workers::on_event). [`Pool`]: workers that stay.
//! - [`Pin`], [`Output`], [`Stream`]: on which processors, and where their output goes.
//! - [`Worker`]: rank, size, barrier, band of rows, progress, as the function sees them; or the program
//!   that `ndshm run` started ([`from_env`](Worker::from_env)).
//! - [`Event`]: what the parent is told meanwhile.
//! - [`RunError`], [`StartError`], [`JoinGroupError`], [`Failure`], [`Cause`]: who failed, and how.
//! - [`Error`], [`Result`]: any error of these crates, for `?`.
//!
//! # When a worker fails
//!
//! One that panics, returns an error, exits or is killed is reported at once through
//! [`Event::Failed`], and at the end in [`RunError::Failed`], with its rank, its process id and the
//! cause. The others are not killed: who waits for it at the barrier, or for a lock that it held,
//! gets an error that names it; who does not, goes on. Nothing is left behind: the memory of the
//! group has no name, and the workers are killed by the kernel when the parent's thread ends. Ctrl-C,
//! SIGTERM and SIGHUP end a run, and leave the program to end by itself.
//!
//! # Features
//!
//! `progress` (off by default) adds `progress_bars`: a bar a worker on the terminal, by indicatif.
//!
//! # What a worker is not
//!
//! It is not a copy of the parent, as after `fork`: globals have their initial values, threads and
//! open files of the parent are not there. What stands before [`init`](init()) in `main` runs in
//! it too.

mod band;
mod codec;
mod crew;
mod entry;
mod environment;
mod error;
mod event;
mod failure;
mod group;
mod init;
mod join_error;
mod launch;
mod oom;
mod order;
mod outbox;
mod output;
mod panics;
mod pin;
mod pool;
#[cfg(feature = "progress")]
mod progress;
mod report;
mod run_error;
mod settings;
mod supervise;
mod sys;
mod threads;
mod wire;
mod worker;
mod workers;

/// The examples of the README are run too.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

pub use error::{Error, Result};
pub use event::Event;
pub use failure::{Cause, Failure};
#[doc(hidden)]
pub use init::before_main as __before_main;
pub use init::init;
pub use join_error::JoinGroupError;
pub use output::{Output, Stream};
pub use pin::Pin;
pub use pool::Pool;
#[cfg(feature = "progress")]
pub use progress::progress_bars;
pub use run_error::{RunError, StartError};
pub use worker::Worker;
pub use workers::Workers;
