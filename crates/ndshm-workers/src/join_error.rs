//! Why a program does not find its group.

use ndshm_sync::BarrierError;

use crate::StartError;

type Source = Box<dyn std::error::Error + Send + Sync>;

/// Why [`Worker::from_env`](crate::Worker::from_env) gave no worker.
///
/// # Examples
///
/// ```
/// use ndshm_workers::{JoinGroupError, Worker};
///
/// let first = Worker::from_env()?; // started by itself: a group of one
/// assert_eq!((first.rank(), first.size()), (0, 1));
/// # Ok::<(), JoinGroupError>(())
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JoinGroupError {
    /// `NDSHM_GROUP`, `NDSHM_RANK` or `NDSHM_SIZE` was changed on the way.
    #[error(
        "NDSHM_GROUP, NDSHM_RANK and NDSHM_SIZE are not those of a group; unset NDSHM_GROUP to run this \
         program by itself"
    )]
    Environment,
    /// The launcher has ended, or what it has is not to be reached from here.
    #[error(
        "rank {rank} cannot join its group: {source}; its launcher must be running, as the same user and in \
         the same container"
    )]
    OutOfReach {
        /// Which rank.
        rank: usize,
        /// What was tried.
        source: Source,
    },
    /// The memory of a group of one could not be made.
    #[error(transparent)]
    Memory(#[from] StartError),
    /// Another process has this rank.
    #[error("cannot join the group: {0}")]
    Barrier(#[from] BarrierError),
}
