//! How nodes are made.

use std::fmt::Display;
use std::time::Duration;

use mpi::traits::Communicator;

use super::{Nodes, PROTOCOL};
use crate::error::{Error, Result};

/// How to make [`Nodes`]: from [`Nodes::options`].
///
/// ```no_run
/// use ndshm_mpi::Nodes;
///
/// # let universe = ndshm_mpi::init()?;
/// let nodes = Nodes::options().of_size(2).application("heat 1.4").create(&universe.world())?;
/// # Ok::<(), ndshm_mpi::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct NodesOptions {
    pub(super) timeout: Duration,
    application: String,
    grouping: Grouping,
}

/// Which ranks are a node.
#[derive(Clone, Copy, Debug)]
pub(super) enum Grouping {
    Memory,
    Of(usize),
    Colour(usize),
}

impl NodesOptions {
    pub(super) fn new() -> Self {
        let timeout = Duration::from_secs(60);
        Self { timeout, application: String::new(), grouping: Grouping::Memory }
    }

    /// How long one step is waited for in which nothing comes before the others give up: 60 seconds, without this. A death is seen at once; this is
    /// for ranks that are stopped, or stuck, or at work for longer than the others. So it has to be longer than one rank ever computes
    /// while others wait for it, than one message of a leader or 64 MiB of it take, than memory takes to be made, with prefault where that is
    /// asked for, and than a rank's part of a file. Other nodes are waited for twice as long. A claim of a collective operation is given up after
    /// a quarter of it. All ranks give the same.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// What all ranks have to agree in besides: the version of the program, say. Another one is refused by [`create`](Self::create).
    #[must_use]
    pub fn application(mut self, said: impl Display) -> Self {
        self.application = said.to_string();
        self
    }

    /// So many of the ranks that share memory are a node: see [`Nodes::of_size`].
    #[must_use]
    pub fn of_size(mut self, size: usize) -> Self {
        self.grouping = Grouping::Of(size);
        self
    }

    /// Those of the ranks that share memory which give the same colour are a node. Up to 2^31 - 1.
    #[must_use]
    pub fn colour(mut self, colour: usize) -> Self {
        self.grouping = Grouping::Colour(colour);
        self
    }

    /// What all ranks have to say alike. (Colours differ from rank to rank, by their nature.)
    pub(super) fn said(&self) -> String {
        let kind = match self.grouping {
            Grouping::Memory => "nodes of all that share memory".to_owned(),
            Grouping::Of(size) => format!("nodes of {size}"),
            Grouping::Colour(_) => "nodes by colour".to_owned(),
        };
        let (version, format) = (env!("CARGO_PKG_VERSION"), ndshm_array::FORMAT_VERSION);
        let application = &self.application;
        format!(
            "\"ndshm-mpi {version}, protocol {PROTOCOL}, segments of format {format}, {kind}; {application}\""
        )
    }

    pub(super) fn checked_grouping(&self) -> Result<Grouping> {
        match self.grouping {
            Grouping::Of(0) => Err(Error::NodeSize { size: 0 }),
            Grouping::Colour(colour) if i32::try_from(colour).is_err() => {
                Err(Error::Colour { colour })
            }
            grouping => Ok(grouping),
        }
    }

    /// Makes the nodes of the ranks of `comm`, of which duplicates are used from then on. Collective.
    ///
    /// Sends some messages a rank, and takes some 20 KiB of memory a node and 24 bytes a rank.
    ///
    /// # Errors
    ///
    /// [`Error::Thread`], at this rank alone: the others time out; [`Error::Finalised`]; [`Error::Colour`]; [`Error::TimedOut`] where a rank does not
    /// call it; [`Error::Differs`] where ranks run other versions, or ask for other nodes; [`Error::NodeSize`];
    /// [`Error::Meeting`] where memory cannot be had, or reached from another rank (other users, or containers, on
    /// one machine); [`Error::Mpi`].
    pub fn create(&self, comm: &impl Communicator) -> Result<Nodes> {
        Nodes::create(self, comm)
    }
}
