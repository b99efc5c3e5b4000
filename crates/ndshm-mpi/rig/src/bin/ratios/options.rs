//! What can be asked for.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

/// Measures ndshm-mpi beside what one writes by hand, in turns within one run: ratios, and whether they are what was promised.
///
/// Starts `mpirun` by itself, once for each part. Under `mpirun` it is the job of one part.
///
/// Ends with 0; with `--check` 1 where a promise is not kept; 2 where it cannot be measured.
#[derive(Parser)]
#[command(name = "ratios", version)]
pub(crate) struct Options {
    /// Only these.
    #[arg(long, value_enum, value_delimiter = ',')]
    pub(crate) part: Vec<Part>,

    /// Small and few: that it works.
    #[arg(long)]
    pub(crate) quick: bool,

    /// `ci/mpi-hosts.sh`: measures between two hosts, too.
    #[arg(long)]
    pub(crate) hosts: Option<PathBuf>,

    /// Ends with 1 where a promise is not kept.
    #[arg(long)]
    pub(crate) check: bool,

    /// Prints all figures as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// What one job measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    Broadcast,
    Allreduce,
    Halo,
    Links,
}

impl Part {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Broadcast => "broadcast",
            Self::Allreduce => "allreduce",
            Self::Halo => "halo",
            Self::Links => "links",
        }
    }

    pub(crate) const fn ranks(self) -> usize {
        match self {
            Self::Broadcast | Self::Allreduce => 4,
            Self::Halo | Self::Links => 2,
        }
    }

    /// Whether there is something to it between hosts.
    pub(crate) const fn is_of_hosts(self) -> bool {
        matches!(self, Self::Halo | Self::Links)
    }
}
