//! The command line.

use std::time::Duration;

use clap::Parser;

/// Kills, stops and confuses the processes that share each primitive of ndshm-sync, at random moments
/// and before every instruction, and counts what comes of it.
///
/// A round counts only where the kill hit the named state; what missed is shown too. Prints
/// progress on a terminal, then a table with a row for each fault: rounds that counted, kills that
/// missed, what the survivors found (clean, or poisoned: told of the death), violations (hangs,
/// lost updates, torn payloads taken for clean, locks stolen from the living, anything else told
/// wrongly), and the time from the kill to the survivor's having checked it all.
///
/// Exit status: 0 when nothing was violated, 1 when something was (each is described on standard
/// error, with the seed), 2 for bad usage.
#[derive(Clone, Debug, Parser)]
#[command(name = "faults", version)]
pub(crate) struct Options {
    /// Rounds that have to count, over all primitives and faults together; slow faults (a stopped
    /// owner, a death during a wait) get a smaller share.
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) rounds: u64,

    /// Chooses victims and moments; printed, so that a run can be repeated. Default: the clock.
    #[arg(long)]
    pub(crate) seed: Option<u64>,

    /// Only this primitive; may be given more than once.
    #[arg(long, value_name = "PRIMITIVE")]
    pub(crate) only: Vec<String>,

    /// Only acts whose name contains this: "kill", "storm", "pid", "instruction", "stop",
    /// "orphaned".
    #[arg(long, value_name = "TEXT")]
    pub(crate) act: Option<String>,

    /// Campaigns at the same time, each with processes and memory of its own. Default: as many as
    /// this process may use CPUs.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=64))]
    pub(crate) jobs: Option<u64>,

    /// Seconds that anybody waits before it is a hang.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3600))]
    limit: u64,

    /// One JSON object on standard output instead of the table.
    #[arg(long)]
    pub(crate) json: bool,
}

impl Options {
    pub(crate) const fn limit(&self) -> Duration {
        Duration::from_secs(self.limit)
    }

    pub(crate) fn jobs(&self) -> u64 {
        let cpus = || std::thread::available_parallelism().map_or(1, |n| n.get() as u64);
        self.jobs.unwrap_or_else(cpus)
    }
}
