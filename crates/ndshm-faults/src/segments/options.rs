//! The command line of `segments`.

use std::time::Duration;

use clap::Parser;

/// Kills, races and squats against the segments of ndshm-buffer, and counts what comes of it.
///
/// Prints progress on a terminal, then a row for each fault: rounds that counted, rounds that missed the state they were
/// for, violations (each of the first few is described on standard error), and what else was counted.
///
/// Exit status: 0 when nothing was violated, 1 when something was, 2 for bad usage.
#[derive(Clone, Debug, Parser)]
#[command(name = "segments", version)]
pub(super) struct Options {
    /// Rounds of a fault that costs a process a round (a kill in a creation or a growth). What is cheaper gets more
    /// (a hundred operations on instances), what is dearer fewer (a tenth of the orphans, a hundredth of the attachers).
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub(super) rounds: u64,

    /// Chooses victims and moments; printed, so that a run can be repeated. Default: the clock.
    #[arg(long)]
    pub(super) seed: Option<u64>,

    /// Only this fault; may be given more than once.
    #[arg(long, value_name = "FAULT")]
    pub(super) only: Vec<String>,

    /// Seconds without any progress before it is a hang.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=3600))]
    limit: u64,

    /// One JSON object on standard output instead of the table.
    #[arg(long)]
    pub(super) json: bool,
}

impl Options {
    pub(super) const fn limit(&self) -> Duration {
        Duration::from_secs(self.limit)
    }
}
