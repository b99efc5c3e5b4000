//! What a worker knows of itself and its group.

use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use ndshm_sync::{Absence, BarrierError, BarrierWaitResult, Lost, Party};

use crate::group::{self, Group};
use crate::outbox::Outbox;
use crate::{JoinGroupError, band, codec, environment, threads};

/// One of the processes that [`Workers::run`](crate::Workers::run) started, as its function sees
/// it; or one of those that `ndshm run` started, as [`from_env`](Self::from_env) finds it.
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
    attempt: usize,
    /// `None` for one that takes the place of a dead one, which the others have lost.
    party: Option<Mutex<Party<'static>>>,
    outbox: Option<&'static Outbox>,
}

impl Worker {
    pub(crate) fn new(
        rank: usize,
        size: usize,
        attempt: usize,
        party: Option<Party<'static>>,
        outbox: Option<&'static Outbox>,
    ) -> Self {
        Self { rank, size, attempt, party: party.map(Mutex::new), outbox }
    }

    /// The worker that this process is in a group that `ndshm run` (or
    /// [`Workers::run_program`](crate::Workers::run_program)) started; in a process that was started by
    /// itself, the only worker of a group of one. So one program runs in both ways.
    ///
    /// Once in a process, and in one process of each rank. When it is dropped, and when the process ends,
    /// whoever waits for it at the barrier gets an error. [`progress`](Self::progress) goes nowhere here.
    ///
    /// It maps the group's memory and keeps it until the process ends; some 50 microseconds. Does not wait
    /// for the others.
    ///
    /// # Errors
    ///
    /// [`JoinGroupError`]: the group is gone, is out of reach (another user, a container without its
    /// `/proc`), or another process has this rank.
    ///
    /// # Examples
    ///
    /// ```
    /// use ndshm_workers::Worker;
    ///
    /// // Under `ndshm run -n 4 -- PROGRAM`: ranks 0 to 3 of 4.
    /// let worker = Worker::from_env()?;
    /// println!("rows {:?}", worker.band(1000));
    /// worker.barrier()?;
    /// # Ok::<(), ndshm_workers::Error>(())
    /// ```
    pub fn from_env() -> Result<Self, JoinGroupError> {
        let found = environment::program().map_err(|_| JoinGroupError::Environment)?;
        let (rank, size, group) = match found {
            None => (0, 1, Group::create(1)?),
            Some((rank, size, handle)) => {
                let out_of_reach = |e: Box<dyn std::error::Error + Send + Sync>| {
                    JoinGroupError::OutOfReach { rank, source: e }
                };
                let handle = codec::decode(&handle).map_err(|_| JoinGroupError::Environment)?;
                let segment = group::open(&handle).map_err(|e| out_of_reach(e.into()))?;
                (rank, size, Group::join(segment, size, rank).map_err(out_of_reach)?)
            }
        };
        if let Ok(rank) = u32::try_from(rank) {
            ndshm_array::set_rank(rank);
        }
        // Whoever waits for this process's locks is to find them released, or their holder dead.
        let group: &'static Group = Box::leak(Box::new(group));
        let party = group.barrier().join(rank)?;
        Ok(Self::new(rank, size, 0, Some(party), None))
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

    /// How many processes of this rank have died in this run: 0 but where
    /// [`Workers::retry`](crate::Workers::retry) had another one started.
    #[must_use]
    pub fn attempt(&self) -> usize {
        self.attempt
    }

    /// How many threads are this worker's share of the processors: what rayon and the libraries of linear
    /// algebra are set to as well.
    #[must_use]
    pub fn threads(&self) -> usize {
        threads::share()
    }

    /// This worker's part of `0..n`: contiguous, in rank order, as even as possible; empty for the
    /// last ranks when there are more workers than rows. The parts of all ranks together are
    /// `0..n`.
    #[must_use]
    pub fn band(&self, n: usize) -> Range<usize> {
        band::band(n, self.rank, self.size)
    }

    /// Waits until every worker has called this; one of them is told that it
    /// [leads](BarrierWaitResult::is_leader) (none where that one was killed in that moment). What any of them
    /// wrote before, all see after.
    ///
    /// A worker arrives once in a phase: when several of its threads call this, they do so one
    /// after the other.
    ///
    /// # Errors
    ///
    /// [`BarrierError::Broken`], which names the lost ranks, once a worker has ended that others
    /// wait for: killed, failed, or returned already. A death breaks it for the rest of the run, also
    /// where the dead one's function is run [again](crate::Workers::retry).
    pub fn barrier(&self) -> Result<BarrierWaitResult, BarrierError> {
        self.party()?.wait()
    }

    /// As [`barrier`](Self::barrier), for at most `timeout`. A time-out breaks the barrier, for the
    /// others too and for the rest of the run.
    ///
    /// # Errors
    ///
    /// As [`barrier`](Self::barrier), and [`BarrierError::TimedOut`].
    pub fn barrier_timeout(&self, timeout: Duration) -> Result<BarrierWaitResult, BarrierError> {
        self.barrier_while(Some(timeout), || true)
    }

    /// As [`barrier_timeout`](Self::barrier_timeout), or for ever without one, as long as `goes_on` says so: asked before each
    /// sleep, thus every 40 ms or so. For those who have to look after signals meanwhile.
    ///
    /// # Errors
    ///
    /// As [`barrier_timeout`](Self::barrier_timeout), also where `goes_on` said no.
    ///
    /// ```
    /// # fn main() -> ndshm_workers::Result<()> {
    /// let worker = ndshm_workers::Worker::from_env()?; // alone here
    /// worker.barrier_while(None, || true)?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn barrier_while(
        &self,
        timeout: Option<Duration>,
        goes_on: impl Fn() -> bool,
    ) -> Result<BarrierWaitResult, BarrierError> {
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let left = || deadline.map(|at| at.saturating_duration_since(Instant::now()));
        let party = self.party.as_ref().ok_or_else(|| self.lost())?;
        let mut party = loop {
            // Another thread of this worker is at the barrier: wait for it within the time.
            match party.try_lock() {
                Ok(party) => break party,
                Err(TryLockError::Poisoned(poisoned)) => break poisoned.into_inner(),
                Err(TryLockError::WouldBlock)
                    if left().is_some_and(|left| left.is_zero()) || !goes_on() =>
                {
                    return Err(BarrierError::TimedOut { missing: vec![self.rank] });
                }
                Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(1)),
            }
        };
        party.wait_while(left(), goes_on)
    }

    /// Tells the launcher how far this worker is; see
    /// [`Event::Progress`](crate::Event::Progress).
    ///
    /// Cheap enough for an inner loop: at most 20 a second are sent, and the last always is.
    pub fn progress(&self, done: usize, total: usize) {
        if let Some(outbox) = self.outbox {
            outbox.progress(done as u64, total as u64);
        }
    }

    fn party(&self) -> Result<MutexGuard<'_, Party<'static>>, BarrierError> {
        let party = self.party.as_ref().ok_or_else(|| self.lost())?;
        Ok(party.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The others have seen a process of this rank die: their phases are not those of this one.
    fn lost(&self) -> BarrierError {
        let lost = Lost { rank: self.rank, why: Absence::Died, member: None };
        BarrierError::Broken { lost: vec![lost] }
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
