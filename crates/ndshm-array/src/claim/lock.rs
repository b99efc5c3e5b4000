//! The lock of the table of claims, held.

use std::time::{Duration, Instant};

use ndshm_sync::{Acquired, Members, NotAcquired};

use super::request::{Patience, Refused, SLICE};
use super::table::Head;

/// How long the lock is waited for where nothing else is. Its holders look through the table and
/// let go: only one that was stopped in the midst of that takes longer.
const AT_ONCE: Duration = Duration::from_secs(1);

/// The same where time is short anyhow: a holder that lost its processor gets it back meanwhile.
const AT_LEAST: Duration = Duration::from_millis(50);

pub(super) struct Locked<'a> {
    /// # Invariants
    ///
    /// 1. `members` holds the lock until this value is dropped.
    table: &'a Head,
    members: &'a Members<'static>,
}

impl<'a> Locked<'a> {
    pub(super) fn new(
        table: &'a Head,
        members: &'a Members<'static>,
        patience: Patience<'_>,
    ) -> Result<Self, Refused> {
        let got = match patience {
            Patience::Refuse => table.lock.lock_timeout(members, AT_ONCE),
            Patience::Until(None) => table.lock.lock(members),
            Patience::While(at, goes_on) => loop {
                let left = at.map_or(SLICE, |at| at.saturating_duration_since(Instant::now()));
                match table.lock.lock_timeout(members, left.clamp(AT_LEAST, SLICE)) {
                    Err(NotAcquired::Held(_)) if left >= AT_LEAST && goes_on() => {}
                    got => break got,
                }
            },
            Patience::Until(Some(at)) => {
                let left = at.saturating_duration_since(Instant::now());
                table.lock.lock_timeout(members, left.max(AT_LEAST))
            }
        };
        let got = got.map_err(|e| match e {
            NotAcquired::Forked => Refused::Forked,
            NotAcquired::Held(by) => Refused::Busy { by },
        })?;
        if got != Acquired::Clean {
            // Whatever its holder died in the midst of, the table is whole (see there).
            // SAFETY: the lock was just taken for `members`.
            unsafe { table.lock.clear_poison(members) };
        }
        Ok(Self { table, members })
    }
}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        // SAFETY: held until here (table invariant 1).
        unsafe { self.table.lock.unlock(self.members) };
    }
}
