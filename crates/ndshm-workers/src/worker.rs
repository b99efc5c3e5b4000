//! What a worker knows of itself and its group.

use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use ndshm_sync::{BarrierError, Party};

use crate::band;
use crate::outbox::Outbox;

/// One of the processes that [`Workers::run`](crate::Workers::run) started, as its function sees
/// it.
///
/// # Examples
///
/// ```
/// use ndshm_workers::{Worker, Workers};
///
/// fn compute(worker: &Worker, rows: usize) -> ndshm_workers::Result<(usize, usize)> {
///     let mine = worker.band(rows);
///     worker.barrier()?; // nobody goes on before all are here
///     Ok((mine.start, mine.end))
/// }
///
/// fn main() {
///     ndshm_workers::init();
///     let bands = Workers::new(3).run(compute, &10).unwrap();
///     assert_eq!(bands, [(0, 4), (4, 7), (7, 10)]);
/// }
/// ```
#[derive(Debug)]
pub struct Worker {
    rank: usize,
    size: usize,
    party: Mutex<Party<'static>>,
    outbox: &'static Outbox,
}

impl Worker {
    pub(crate) fn new(party: Party<'static>, size: usize, outbox: &'static Outbox) -> Self {
        Self { rank: party.rank(), size, party: Mutex::new(party), outbox }
    }

    /// Which of the workers this is: 0 to `size() - 1`.
    #[must_use]
    pub fn rank(&self) -> usize {
        self.rank
    }

    /// How many workers there are.
    #[must_use]
    pub fn size(&self) -> usize {
        self.size
    }

    /// This worker's part of `0..n`: contiguous, in rank order, as even as possible; empty for the
    /// last ranks when there are more workers than rows. The parts of all ranks together are
    /// `0..n`.
    #[must_use]
    pub fn band(&self, n: usize) -> Range<usize> {
        band::band(n, self.rank, self.size)
    }

    /// Waits until every worker has called this; `true` for one of them (for none where that one
    /// was killed in that moment). What any of them wrote before, all see after.
    ///
    /// A worker arrives once in a phase: when several of its threads call this, they do so one
    /// after the other.
    ///
    /// # Errors
    ///
    /// [`BarrierError::Broken`], which names the lost ranks, once a worker has ended that others
    /// wait for: killed, failed, or returned already.
    pub fn barrier(&self) -> Result<bool, BarrierError> {
        self.party().wait().map(|result| result.is_leader())
    }

    /// As [`barrier`](Self::barrier), for at most `timeout`. A time-out breaks the barrier, for the
    /// others too and for the rest of the run.
    ///
    /// # Errors
    ///
    /// As [`barrier`](Self::barrier), and [`BarrierError::TimedOut`].
    pub fn barrier_timeout(&self, timeout: Duration) -> Result<bool, BarrierError> {
        let start = Instant::now();
        let mut party = loop {
            // Another thread of this worker is at the barrier: wait for it within the time.
            match self.party.try_lock() {
                Ok(party) => break party,
                Err(TryLockError::Poisoned(poisoned)) => break poisoned.into_inner(),
                Err(TryLockError::WouldBlock) if start.elapsed() >= timeout => {
                    return Err(BarrierError::TimedOut { missing: vec![self.rank] });
                }
                Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(1)),
            }
        };
        party.wait_timeout(timeout.saturating_sub(start.elapsed())).map(|r| r.is_leader())
    }

    /// Tells the launcher how far this worker is; see
    /// [`Event::Progress`](crate::Event::Progress).
    ///
    /// Cheap enough for an inner loop: at most 20 a second are sent, and the last always is.
    pub fn progress(&self, done: usize, total: usize) {
        self.outbox.progress(done as u64, total as u64);
    }

    fn party(&self) -> MutexGuard<'_, Party<'static>> {
        self.party.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn threads_of_a_worker_may_share_it() {
        fn check<T: Send + Sync>() {}
        check::<super::Worker>();
    }
}
