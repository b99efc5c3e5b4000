//! Why a latch did not open, or was not joined.

use crate::barrier::{Lost, list, ranks_in_words};
use crate::member::Member;

/// Why [`Latch::wait`](super::Latch::wait), [`Latch::join`](super::Latch::join) or their kin failed.
///
/// ```
/// use ndshm_sync::LatchError;
///
/// # let members = ndshm_testkit::members!();
/// let loaded = members.layout().latch(1)?;
/// loaded.join(0)?.count_down();
/// match loaded.wait() {
///     Ok(()) => {}
///     Err(LatchError::Broken { lost }) => println!("start others for {lost:?}"),
///     Err(e) => return Err(e.into()),
/// }
/// assert!(matches!(loaded.join(1), Err(LatchError::NoSuchRank { rank: 1, parties: 1 })));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LatchError {
    /// Parties died, or left, before they had counted down. Others may join with their ranks, and then
    /// it can still open.
    #[error("the latch will not open: {}; others may join with these ranks and do it", list(lost))]
    Broken {
        /// The ranks that are lost, in order.
        lost: Vec<Lost>,
    },
    /// The time was up.
    #[error("timed out at the latch; not counted down yet: {}", ranks_in_words(missing))]
    TimedOut {
        /// The ranks that had not counted down.
        missing: Vec<usize>,
    },
    /// `try_wait` found that it would have to wait.
    #[error("the latch is not open; not counted down yet: {}", ranks_in_words(missing))]
    WouldBlock {
        /// The ranks that had not counted down.
        missing: Vec<usize>,
    },
    /// There is no such rank.
    #[error("rank {rank} cannot join a latch of {parties} parties (0 to {})", parties.saturating_sub(1))]
    NoSuchRank {
        /// The rank asked for.
        rank: usize,
        /// How many there are.
        parties: usize,
    },
    /// A living member has joined with this rank.
    #[error("rank {rank} of the latch is taken by {by}")]
    RankTaken {
        /// The rank asked for.
        rank: usize,
        /// Who has it.
        by: Member,
    },
    /// This rank has counted down; there is nothing left for it to do.
    #[error("rank {rank} of the latch has counted down already: {by} did")]
    RankDone {
        /// The rank asked for.
        rank: usize,
        /// Who has done it.
        by: Member,
    },
    /// This process was forked from the one that joined.
    #[error(
        "this process was forked from a member of the latch and is not one itself: join anew in \
         the child"
    )]
    Forked,
}
