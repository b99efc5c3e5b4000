//! Why a phase was not completed.

use std::fmt;

use crate::member::Member;

/// Why a party of a barrier or a latch will not come any more.
///
/// ```
/// use ndshm_sync::{Absence, BarrierError};
///
/// # let members = ndshm_testkit::members!();
/// # let barrier = members.layout().barrier(2)?;
/// let mut zero = barrier.join(0)?;
/// drop(barrier.join(1)?);
/// let Err(BarrierError::Broken { lost }) = zero.wait() else { unreachable!() };
/// assert_eq!(lost[0].why, Absence::Left);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Absence {
    /// Its process died.
    Died = 1,
    /// It dropped its [`Party`](super::Party) or [`LatchParty`](crate::LatchParty), or its launcher says that it has returned.
    Left = 2,
    /// It gave up waiting for the others.
    TimedOut = 3,
    /// It failed, and said so: an error or a panic.
    Failed = 4,
}

impl Absence {
    pub(crate) const fn from_bits(bits: u64) -> Option<Self> {
        match bits {
            0 => None,
            2 => Some(Self::Left),
            3 => Some(Self::TimedOut),
            4 => Some(Self::Failed),
            _ => Some(Self::Died),
        }
    }
}

impl fmt::Display for Absence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Died => "died",
            Self::Left => "left",
            Self::TimedOut => "timed out",
            Self::Failed => "failed",
        })
    }
}

/// A rank that is lost to a barrier or a latch.
///
/// ```
/// use ndshm_sync::{Absence, BarrierError};
///
/// # let members = ndshm_testkit::members!();
/// # let barrier = members.layout().barrier(2)?;
/// let mut zero = barrier.join(0)?;
/// barrier.withdraw(1, Absence::Failed); // its launcher saw it fail before it had joined
/// let Err(BarrierError::Broken { lost }) = zero.wait() else { unreachable!() };
/// assert_eq!((lost[0].rank, lost[0].member), (1, None));
/// assert_eq!(lost[0].to_string(), "rank 1 failed");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lost {
    /// Which.
    pub rank: usize,
    /// What became of it.
    pub why: Absence,
    /// Which process that was; `None` where it had not joined.
    pub member: Option<Member>,
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.member.and_then(|m| m.pid) {
            Some(pid) => write!(f, "rank {} (pid {pid}) {}", self.rank, self.why),
            None => write!(f, "rank {} {}", self.rank, self.why),
        }
    }
}

/// Why [`Party::wait`](super::Party::wait) and its kin failed.
///
/// ```
/// use ndshm_sync::BarrierError;
///
/// # let members = ndshm_testkit::members!();
/// let barrier = members.layout().barrier(1)?;
/// match barrier.join(0)?.wait() {
///     Ok(_) => {}
///     Err(BarrierError::Broken { lost }) => println!("go on without {lost:?}"),
///     Err(e) => return Err(e.into()),
/// }
/// assert!(matches!(barrier.join(9), Err(BarrierError::NoSuchRank { rank: 9, parties: 1 })));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BarrierError {
    /// Somebody will not come.
    #[error("the barrier is broken: {}", list(lost))]
    Broken {
        /// The ranks that are lost, in order; empty where a [`reset`](super::Barrier::reset) came
        /// first and they were joined anew.
        lost: Vec<Lost>,
    },
    /// The time was up, and this party has broken the barrier by it.
    #[error(
        "timed out at the barrier; it is broken now; not there yet: {}",
        ranks_in_words(missing)
    )]
    TimedOut {
        /// The ranks that had not arrived.
        missing: Vec<usize>,
    },
    /// There is no such rank.
    #[error("rank {rank} cannot join a barrier of {parties} parties (0 to {})", parties.saturating_sub(1))]
    NoSuchRank {
        /// The rank asked for.
        rank: usize,
        /// How many there are.
        parties: usize,
    },
    /// A living member has joined with this rank.
    #[error("rank {rank} of the barrier is taken by {by}")]
    RankTaken {
        /// The rank asked for.
        rank: usize,
        /// Who has it.
        by: Member,
    },
    /// This process was forked from the one that joined.
    #[error(
        "this process was forked from a member of the barrier and is not one itself: join anew in \
         the child"
    )]
    Forked,
}

pub(crate) fn list(lost: &[Lost]) -> String {
    if lost.is_empty() {
        return "it was reset meanwhile".to_owned();
    }
    lost.iter().map(Lost::to_string).collect::<Vec<_>>().join(", ")
}

/// `rank 1`, `ranks 1 and 2`, `ranks 1, 2 and 3`.
pub(crate) fn ranks_in_words(ranks: &[usize]) -> String {
    match ranks {
        [] => String::new(),
        [one] => format!("rank {one}"),
        [first @ .., last] => {
            let first = first.iter().map(usize::to_string).collect::<Vec<_>>().join(", ");
            format!("ranks {first} and {last}")
        }
    }
}
