//! Kills, stops and confuses the processes that share a primitive of `ndshm-sync`, and counts what
//! comes of it: the campaign behind the program `faults`.
//!
//! - [`run`]: what the program does, with whatever primitives.
//! - [`Primitive`], [`Scene`], [`Act`]: what is played, by whom, and what is done to them.
//! - [`Subject`]: one process's side of a primitive: a player's turn, a survivor's check.
//! - [`Stage`], [`Seat`], [`At`]: what a process says of itself, in memory that outlives it.
//! - [`ledger`]: a payload that shows whether a turn is whole, and how many there were.
//! - [`Violation`]: what must never happen.
//!
//! Beside it [`segments`]: kills and races against `ndshm-buffer`.
//!
//! How it is built: a supervisor (`campaign`) starts a worker for each CPU, one fault after
//! another, and ends those that hang. A worker is the survivor of an arena of its own: it forks the
//! players, opens a gate, kills some, closes the gate, waits for the living, and checks.

mod act;
mod arena;
mod campaign;
mod child;
mod clock;
mod futex;
mod gate;
mod job;
pub mod ledger;
mod options;
mod plan;
pub mod primitive;
mod progress;
mod report;
mod scene;
mod seat;
pub mod segments;
mod stage;
mod storm;
mod tally;
mod trace;
mod troupe;
mod violation;

use std::time::{Instant, SystemTime};

use clap::Parser;

pub use arena::{Arena, Control, SEATS};
pub use scene::{Act, Dead, Hang, Primitive, Scene, Subject};
pub use seat::{At, Seat};
pub use stage::{ORPHANER, SURVIVOR, Stage};
pub use violation::Violation;

use options::Options;

/// Runs the campaign that these arguments ask for, and prints what came of it. The process must have
/// one thread only, since it forks.
///
/// `arguments` begin with the program's name. The exit status is 0 when nothing was violated, 1 when
/// something was, 2 for arguments that cannot be used.
#[must_use]
pub fn run(arguments: impl IntoIterator<Item = String>, primitives: &[Primitive]) -> u8 {
    let options = match Options::try_parse_from(arguments) {
        Ok(options) => options,
        Err(e) => {
            let _ = e.print();
            return if e.use_stderr() { 2 } else { 0 };
        }
    };
    let faults = match plan::faults(&options, primitives) {
        Ok(faults) => faults,
        Err(e) => {
            eprintln!("faults: {e}; --help lists the options");
            return 2;
        }
    };
    let seed = options.seed.unwrap_or_else(seed_of_the_clock);
    let start = Instant::now();
    let outcomes = campaign::run(&options, seed, &faults);
    let report = report::Report { seed, jobs: options.jobs(), took: start.elapsed(), outcomes };
    if options.json {
        println!("{:#}", report.json());
    } else {
        print!("{}", report.table());
    }
    u8::from(!report.is_clean())
}

pub(crate) fn seed_of_the_clock() -> u64 {
    let now = SystemTime::UNIX_EPOCH.elapsed();
    now.map_or(1, |t| t.as_secs() ^ u64::from(t.subsec_nanos()) << 20)
}
