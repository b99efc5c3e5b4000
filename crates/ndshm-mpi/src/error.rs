//! What can go wrong, at this rank or at another one.

use std::path::PathBuf;
use std::time::Duration;

use mpi::Threading;
use ndshm_array::npy::{Dtype, NpyError};
use ndshm_array::{ClaimError, CreateError, OpenError};
use ndshm_sync::BarrierError;

/// What these operations return.
pub type Result<T> = std::result::Result<T, Error>;

/// Why an operation failed. Collective ones fail at every rank that takes part: with its own error at the rank that has
/// one, with [`Rank`](Self::Rank) at the others. After [`TimedOut`](Self::TimedOut), [`Lost`](Self::Lost) and [`Mpi`](Self::Mpi), which not all need to
/// get, nothing follows but [`Broken`](Self::Broken).
///
/// ```
/// use ndshm_mpi::Error;
///
/// let error = Error::Rank { rank: 3, message: "no room".to_owned() };
/// assert_eq!(error.to_string(), "rank 3 failed: no room");
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// MPI was initialised already, or has ended.
    #[error("MPI was initialised before in this process; do so once, by init()")]
    Initialised,
    /// MPI has ended: the universe was dropped before what needs it.
    #[error("MPI has ended in this process: drop the universe after all else")]
    Finalised,
    /// This thread may not call MPI.
    #[error(
        "this thread may not call MPI, which was initialised for {level:?}: do so in the main thread, \
         or initialise it for Multiple"
    )]
    Thread {
        /// What MPI was initialised for.
        level: Threading,
    },
    /// A call of MPI failed.
    #[error("{call}: {message} (code {code})")]
    Mpi {
        /// Which call.
        call: &'static str,
        /// The code that it returned.
        code: i32,
        /// What MPI says of that code.
        message: String,
    },
    /// Other ranks did not answer in time.
    #[error(
        "nothing came from other nodes for {after:?}: a rank of theirs is stuck, or takes part in \
         another operation; raise the time-out where they only need longer"
    )]
    TimedOut {
        /// For how long they were waited for: the [time-out](crate::NodesOptions::timeout), or twice that where they
        /// first wait for each other.
        after: Duration,
    },
    /// An earlier operation has left ranks out of step, so that nothing more is sent: one that ended with
    /// [`TimedOut`](Self::TimedOut), [`Mpi`](Self::Mpi) or [`Lost`](Self::Lost), here or at another rank.
    #[error(
        "these nodes take no further operation, since one failed: {by}; end the job, or make new nodes of all its ranks"
    )]
    Broken {
        /// The text of the error that it failed with.
        by: String,
    },
    /// A rank of a node died, left or did not come in time.
    #[error("node {node}: {source}; of the job that is {}", in_words(ranks))]
    Lost {
        /// The node.
        node: usize,
        /// Who that was, by their ranks within the node.
        source: BarrierError,
        /// The same by their ranks of the job.
        ranks: Vec<usize>,
    },
    /// Ranks do not say the same of something that all have to say alike.
    #[error("ranks differ in {what}: {}; have all of them say the same", said(values))]
    Differs {
        /// In what.
        what: &'static str,
        /// Each thing said, and the first rank that says it.
        values: Vec<(usize, String)>,
    },
    /// Another rank failed, so that nobody goes on.
    #[error("rank {rank} failed: {message}")]
    Rank {
        /// Which rank of the job.
        rank: usize,
        /// Its error.
        message: String,
    },
    /// The neighbour on the grid could not take part in an exchange of halos.
    #[error("node {node} sent no halo: the error that its ranks got says why")]
    Neighbour {
        /// The node.
        node: usize,
    },
    /// There is no such rank.
    #[error("there is no rank {rank}: the job has ranks 0 to {}", size - 1)]
    NoSuchRank {
        /// The rank.
        rank: usize,
        /// How many there are.
        size: usize,
    },
    /// Nodes cannot be made like that.
    #[error("nodes of {size} ranks cannot be made; ask for at least one")]
    NodeSize {
        /// The size asked for.
        size: usize,
    },
    /// There is no such colour for MPI.
    #[error("colour {colour} cannot be given to a node; take one up to 2147483647")]
    Colour {
        /// The colour.
        colour: usize,
    },
    /// A grid does not fit.
    #[error("a grid of {grid:?} nodes does not fit {nodes} nodes and {axes} axes: {why}")]
    Grid {
        /// The grid.
        grid: Vec<usize>,
        /// How many nodes there are.
        nodes: usize,
        /// How many axes the array has.
        axes: usize,
        /// What is in the way.
        why: &'static str,
    },
    /// Something has to be said of each axis.
    #[error("{given} {what} for an array of {axes} axes; give one for each")]
    Axes {
        /// What.
        what: &'static str,
        /// For how many.
        given: usize,
        /// How many there are.
        axes: usize,
    },
    /// A halo is wider than a block that it would be filled from.
    #[error(
        "a halo of width {width} along axis {axis} does not fit blocks of {extent}; take a narrower \
         one, fewer nodes along that axis, or a larger array"
    )]
    Halo {
        /// Which axis.
        axis: usize,
        /// The width asked for.
        width: usize,
        /// The smallest block along it.
        extent: usize,
    },
    /// More than MPI can count in one message.
    #[error("{n} {what} are more than MPI can count")]
    TooLong {
        /// What.
        what: &'static str,
        /// How many.
        n: usize,
    },
    /// An index, or a part, that the array does not have.
    #[error("{asked:?} is not within an array of shape {shape:?}")]
    Outside {
        /// What was asked for: an index, or the ends of a part.
        asked: Vec<usize>,
        /// The shape.
        shape: Vec<usize>,
    },
    /// Two arrays that have to be alike are not.
    #[error("{what}: its shape is {found:?}, not {expected:?}")]
    Shape {
        /// Which.
        what: &'static str,
        /// Its shape.
        found: Vec<usize>,
        /// The shape it should have.
        expected: Vec<usize>,
    },
    /// The root has to give something, and only the root.
    #[error("the root, rank {root}, has to give the array, and no other rank")]
    Root {
        /// The root.
        root: usize,
    },
    /// The nodes of two arrays are made of different ranks.
    #[error("the two arrays belong to different ranks, or to the same in another order")]
    Strangers,
    /// There is no room at the root for the whole array.
    #[error(
        "there is no memory for a whole array of {n} elements of {size} bytes; save it, or gather it elsewhere"
    )]
    Memory {
        /// How many elements it has.
        n: usize,
        /// The size of each.
        size: usize,
    },
    /// Memory could not be had.
    #[error(transparent)]
    Create(#[from] CreateError),
    /// Memory of this node's leader could not be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A part of an array could not be claimed. One that is poisoned is not lent here: claim it by
    /// [`array`](crate::DistArray::array), mend it, and declare it whole.
    #[error(transparent)]
    Claim(#[from] ClaimError<()>),
    /// The memory by which the ranks of a node meet could not be had.
    #[error("the ranks of this node cannot meet: {0}")]
    Meeting(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// An `.npy` file could not be opened or is not good.
    #[error(transparent)]
    Npy(#[from] NpyError),
    /// An `.npy` file holds another kind of elements.
    #[error("{}: its elements are {found}, not {expected}; load it as {found}", path.display())]
    Elements {
        /// The file.
        path: PathBuf,
        /// What it holds.
        found: Dtype,
        /// What was asked for.
        expected: Dtype,
    },
    /// A file could not be read or written.
    #[error("{}: cannot be {done}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What was to be done.
        done: &'static str,
        /// What the system says.
        source: std::io::Error,
    },
}

impl Error {
    /// Whether ranks may be out of step after it.
    pub(crate) fn is_final(&self) -> bool {
        matches!(self, Self::Mpi { .. } | Self::TimedOut { .. } | Self::Lost { .. })
    }
}

/// As an [`Error`], without the guard.
pub(crate) fn claim<G>(e: ClaimError<G>) -> Error {
    Error::Claim(e.without_guard())
}

fn said(values: &[(usize, String)]) -> String {
    let each = values.iter().map(|(rank, value)| format!("rank {rank} says {value}"));
    each.collect::<Vec<_>>().join(", ")
}

fn in_words(ranks: &[usize]) -> String {
    match ranks {
        [] => "none that is known".to_owned(),
        [one] => format!("rank {one}"),
        more => {
            let more = more.iter().map(usize::to_string).collect::<Vec<_>>();
            format!("ranks {}", more.join(", "))
        }
    }
}
