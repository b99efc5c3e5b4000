//! Workers that stay.

use std::fmt::{self, Display};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::crew::Crew;
use crate::sys::Handlers;
use crate::workers::watch;
use crate::{RunError, Worker, Workers};

/// Worker processes that are there for any number of runs: what [`Workers::pool`] starts.
///
/// - **A run costs one message** to each worker and one back, and no process start; arrays made since the
///   pool began travel as those before.
/// - **A worker that dies** (panics, exits, is killed) fails its run, and is replaced by a new process
///   before the next; so are those that die in between. One whose function returned an error goes on.
/// - **Each run is one of its own**: the barrier is whole again, whatever broke it, and globals of the
///   process are what the last run left there. A guard that a function leaks (`mem::forget`) is held
///   until the pool ends.
/// - **Signals** that ask the program to end are seen to while it runs, as by [`Workers::run`]; between runs
///   they do what they would without a pool. The handlers stay in place meanwhile, unless the program has its own.
/// - **The end.** Dropped, it lets the workers go and waits for them, at most half a second; then it kills
///   them. They never outlive the thread that started the pool.
///
/// # Examples
///
/// ```
/// use ndshm_array::SharedArray1;
/// use ndshm_workers::{Worker, Workers};
///
/// fn add(worker: &Worker, (a, x): (SharedArray1<f64>, f64)) -> ndshm_workers::Result<()> {
///     *a.claim_mut(worker.band(a.len()))? += x;
///     worker.barrier()?;
///     Ok(())
/// }
///
/// fn main() -> ndshm_workers::Result<()> {
///     ndshm_workers::init();
///     let mut pool = Workers::new(2).pool()?;
///     let a = SharedArray1::<f64>::zeros(100)?; // made later than the workers
///     for step in 0..10 {
///         pool.run(add, &(a.clone(), f64::from(step)))?;
///     }
///     assert_eq!(a.read()?.sum(), 4500.0);
///     Ok(())
/// }
/// ```
pub struct Pool<'a> {
    workers: Workers<'a>,
    crew: Crew,
    /// Those of the runs: in between they do what there would be without them.
    _handlers: Handlers,
}

impl<'a> Pool<'a> {
    pub(crate) fn new(workers: Workers<'a>, crew: Crew, handlers: Handlers) -> Self {
        Self { workers, crew, _handlers: handlers }
    }

    /// Calls `f` in every worker, as [`Workers::run`] does, and waits until all have returned.
    ///
    /// # Errors
    ///
    /// As [`Workers::run`]; [`RunError::Start`] also where a worker that has died cannot be replaced. The
    /// pool can be used again after any of them.
    ///
    /// # Examples
    ///
    /// ```
    /// use ndshm_workers::{Worker, Workers};
    ///
    /// fn odd(worker: &Worker, (): ()) -> Result<usize, String> {
    ///     if worker.rank() == 1 { panic!("no") } else { Ok(worker.rank()) }
    /// }
    ///
    /// fn main() -> ndshm_workers::Result<()> {
    ///     ndshm_workers::init();
    ///     let mut pool = Workers::new(2).pool()?;
    ///     assert!(pool.run(odd, &()).is_err());
    ///     assert_eq!(pool.run(|w, ()| Ok::<_, String>(w.rank()), &())?, [0, 1]);
    ///     Ok(())
    /// }
    /// ```
    pub fn run<A, R, E>(
        &mut self,
        f: fn(&Worker, A) -> Result<R, E>,
        args: &A,
    ) -> Result<Vec<R>, RunError<R>>
    where
        A: Serialize + DeserializeOwned,
        R: Serialize + DeserializeOwned,
        E: Display,
    {
        let interrupts = watch()?;
        let task = self.workers.task(f, args, false)?;
        self.workers.perform(&mut self.crew, &task, &interrupts)
    }

    /// The process ids of the workers, by rank. Those of the dead are replaced in the next run.
    ///
    /// ```
    /// use ndshm_workers::Workers;
    ///
    /// fn main() -> ndshm_workers::Result<()> {
    ///     ndshm_workers::init();
    ///     let mut pool = Workers::new(2).pool()?;
    ///     let seen = pool.run(|_, ()| Ok::<_, String>(std::process::id()), &())?;
    ///     assert_eq!(pool.pids(), seen);
    ///     Ok(())
    /// }
    /// ```
    #[must_use]
    pub fn pids(&self) -> Vec<u32> {
        self.crew.pids().collect()
    }
}

impl Drop for Pool<'_> {
    fn drop(&mut self) {
        self.crew.part();
    }
}

impl fmt::Debug for Pool<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("pids", &self.pids()).finish_non_exhaustive()
    }
}
