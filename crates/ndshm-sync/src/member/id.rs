//! Who somebody is: in lock words, and in reports.

use std::fmt;

/// A process's place in a region: a slot of the table and the generation it was taken in.
///
/// This is what lock words name as their owner. It holds no process id: whether its member lives
/// is asked of the kernel, through the lock on the slot's byte.
///
/// ```
/// use ndshm_sync::MemberId;
///
/// # let members = ndshm_testkit::members!();
/// let me = members.me();
/// assert_eq!(MemberId::from_bits(me.to_bits()), Some(me));
/// assert_eq!(me.to_string(), format!("member {}.{}", me.slot(), me.generation()));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MemberId {
    pub(super) slot: u16,
    pub(super) generation: u32,
}

impl MemberId {
    /// The slot, from 0.
    ///
    /// ```
    /// # use ndshm_sync::Members;
    /// # let members = ndshm_testkit::members!();
    /// assert!(usize::from(members.me().slot()) < Members::MOST);
    /// ```
    #[must_use]
    pub const fn slot(self) -> u16 {
        self.slot
    }

    /// How many times the slot had been taken when this member took it; never 0.
    ///
    /// ```
    /// # let members = ndshm_testkit::members!();
    /// assert_eq!(members.me().generation(), 1); // the first in a slot of fresh memory
    /// ```
    #[must_use]
    pub const fn generation(self) -> u32 {
        self.generation
    }

    /// As a lock word carries it: slot in bits 0 to 15, generation in bits 32 to 63.
    ///
    /// ```
    /// # let members = ndshm_testkit::members!();
    /// let me = members.me();
    /// assert_eq!(me.to_bits() & 0xffff, u64::from(me.slot()));
    /// assert_eq!(me.to_bits() >> 32, u64::from(me.generation()));
    /// ```
    #[must_use]
    pub const fn to_bits(self) -> u64 {
        (self.generation as u64) << 32 | self.slot as u64
    }

    /// The member that such a word names; the other bits are ignored. `None` for generation 0,
    /// which no member has.
    ///
    /// ```
    /// use ndshm_sync::MemberId;
    ///
    /// let id = MemberId::from_bits(7 << 32 | 3).unwrap();
    /// assert_eq!((id.slot(), id.generation()), (3, 7));
    /// assert_eq!(MemberId::from_bits(3), None);
    /// ```
    #[must_use]
    #[allow(clippy::cast_possible_truncation, reason = "takes the fields out of the word")]
    pub const fn from_bits(bits: u64) -> Option<Self> {
        let generation = (bits >> 32) as u32;
        if generation == 0 { None } else { Some(Self { slot: bits as u16, generation }) }
    }
}

impl fmt::Display for MemberId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "member {}.{}", self.slot, self.generation)
    }
}

/// What is known of a member, alive or dead: for error texts and reports.
///
/// ```
/// # use ndshm_sync::Members;
/// # let members = ndshm_testkit::members!();
/// let other = Members::join_as(members.region(), 3)?;
/// let who = members.describe(other.me());
/// assert_eq!(who.to_string(), format!("rank 3 (pid {})", std::process::id()));
/// # Ok::<(), ndshm_sync::JoinError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its place in the table.
    pub id: MemberId,
    /// Its process id as it saw it itself, in its own PID namespace; `None` once another member
    /// has taken the slot.
    pub pid: Option<u32>,
    /// Its rank, where it joined with one and the slot has not been taken since.
    pub rank: Option<u32>,
}

impl fmt::Display for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.rank, self.pid) {
            (Some(rank), Some(pid)) => write!(f, "rank {rank} (pid {pid})"),
            (None, Some(pid)) => write!(f, "pid {pid}"),
            _ => self.id.fmt(f),
        }
    }
}
