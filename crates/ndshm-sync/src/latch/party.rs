//! One that has to count down.

use std::mem;

use super::raw::RawLatch;
use crate::barrier::Absence;

/// One party of a [`Latch`](super::Latch), which has to count down; dropping it without that breaks the latch
/// ([`Absence::Left`], in a panic [`Absence::Failed`]).
///
/// ```
/// # let members = ndshm_testkit::members!();
/// let loaded = members.layout().latch(1)?;
/// let party = loaded.join(0)?;
/// // ... load ...
/// party.count_down();
/// loaded.wait()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[must_use = "the latch is broken at once if the party is not kept"]
pub struct LatchParty<'m> {
    pub(super) raw: RawLatch<'m>,
    pub(super) rank: usize,
}

impl LatchParty<'_> {
    /// Its rank.
    ///
    /// ```
    /// # let members = ndshm_testkit::members!();
    /// let party = members.layout().latch(4)?.join(3)?;
    /// assert_eq!(party.rank(), 3);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn rank(&self) -> usize {
        self.rank
    }

    /// Says that this party's part is done: one compare-and-swap, a load for each party, and a system
    /// call where it was the last and somebody sleeps. Never waits; does nothing in a forked child. From
    /// then on the process may die.
    ///
    /// ```
    /// # let members = ndshm_testkit::members!();
    /// let loaded = members.layout().latch(1)?;
    /// loaded.join(0)?.count_down();
    /// assert!(loaded.try_wait().is_ok());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn count_down(self) {
        let Self { raw, rank } = self;
        mem::forget(self);
        if raw.members.is_mine() {
            raw.count_down(rank);
        }
    }
}

impl Drop for LatchParty<'_> {
    fn drop(&mut self) {
        let raw = self.raw;
        if raw.members.is_mine() {
            let failed = std::thread::panicking();
            raw.leave(self.rank, if failed { Absence::Failed } else { Absence::Left });
        }
    }
}
