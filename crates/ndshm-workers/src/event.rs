//! What the launcher tells while it waits.

use crate::{Failure, Stream};

/// Something that happened to a worker while [`Workers::run`](crate::Workers::run) waits.
///
/// # Examples
///
/// ```
/// use ndshm_workers::{Event, Worker, Workers};
///
/// fn square(worker: &Worker, x: u64) -> Result<u64, String> {
///     worker.progress(1, 1);
///     Ok(x * x)
/// }
///
/// fn main() {
///     ndshm_workers::init();
///     let mut finished = 0;
///     let workers = Workers::new(2).on_event(|event| match event {
///         Event::Finished { .. } => finished += 1,
///         Event::Progress { done, total, .. } => assert_eq!((done, total), (1, 1)),
///         _ => {}
///     });
///     assert_eq!(workers.run(square, &7).unwrap(), [49, 49]);
///     drop(workers);
///     assert_eq!(finished, 2);
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A worker's process is there and has been given its arguments.
    Started {
        /// Its rank.
        rank: usize,
        /// Its process id.
        pid: u32,
    },
    /// A worker said how far it is.
    Progress {
        /// Its rank.
        rank: usize,
        /// Steps done, in the worker's own unit.
        done: usize,
        /// Steps in all.
        total: usize,
    },
    /// A worker has done its part and its result is here; a program has ended with status 0.
    Finished {
        /// Its rank.
        rank: usize,
    },
    /// A worker has failed.
    Failed(Failure),
    /// A worker has died, and another process of its rank runs its function from the start; see
    /// [`Workers::retry`](crate::Workers::retry).
    Retried {
        /// What became of the one before.
        failure: Failure,
        /// What [`Worker::attempt`](crate::Worker::attempt) says in the new one.
        attempt: usize,
    },
    /// A worker has printed a line; told with [`Output::Events`](crate::Output::Events).
    Output {
        /// Its rank.
        rank: usize,
        /// Where.
        stream: Stream,
        /// What, without the end of the line. Usually text in UTF-8.
        line: Vec<u8>,
    },
}
