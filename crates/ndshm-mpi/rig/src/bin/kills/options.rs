//! What can be asked for.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

/// Kills a random rank, or a worker of one, of an MPI job at a random moment, again and again, and looks at what is left.
///
/// The job loops over all that ndshm-mpi does. After each kill it has to end, with a status that is not 0, within the limit;
/// no process of it may be left, and nothing in its folder of segments after `ndshm gc`.
///
/// Ends with 0 where that was so each time, 1 where it was not, 2 where it cannot be tried.
#[derive(Parser)]
#[command(name = "kills", version)]
pub(crate) struct Options {
    /// How many jobs to start, and to kill a process of.
    #[arg(long, default_value_t = 200)]
    pub(crate) rounds: u64,

    /// For the same moments again, as far as the machine allows.
    #[arg(long)]
    pub(crate) seed: Option<u64>,

    /// How many seconds a job may take to end after the kill.
    #[arg(long, default_value_t = 20)]
    limit: u64,

    /// The command `ndshm`, for its `gc`; without it, the library's.
    #[arg(long)]
    pub(crate) ndshm: Option<PathBuf>,

    /// Only this, of what jobs do when they are killed.
    #[arg(long)]
    pub(crate) during: Option<String>,

    /// Prints what came of it as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

impl Options {
    pub(crate) const fn limit(&self) -> Duration {
        Duration::from_secs(self.limit)
    }
}
