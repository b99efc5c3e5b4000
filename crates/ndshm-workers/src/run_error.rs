//! Why a run failed.

use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::{Cause, Failure, failure};

/// Why [`Workers::run`](crate::Workers::run) did not return a result of every worker.
///
/// Its text has one line for each failure.
///
/// # Examples
///
/// ```
/// use ndshm_workers::{Cause, RunError, Worker, Workers};
///
/// fn root(worker: &Worker, x: f64) -> Result<f64, String> {
///     if worker.rank() == 1 { Err("no real root".into()) } else { Ok(x.sqrt()) }
/// }
///
/// fn main() {
///     ndshm_workers::init();
///     let error = Workers::new(2).run(root, &4.0).unwrap_err();
///     assert_eq!(error.failures()[0].cause, Cause::Returned("no real root".into()));
///     assert!(error.to_string().ends_with("returned an error: no real root"));
///     let RunError::Failed { results, .. } = error else { panic!("{error}") };
///     assert_eq!(results, [Some(2.0), None]); // what did arrive
/// }
/// ```
#[non_exhaustive]
pub enum RunError<R> {
    /// Nothing was run.
    Start(StartError),
    /// A signal has asked this process to end: SIGINT (Ctrl-C), SIGTERM, SIGHUP. The workers were ended,
    /// and their results are lost; what this process has made goes as its variables do, when `main`
    /// returns.
    Interrupted {
        /// The signal's number.
        signal: i32,
    },
    /// Some workers failed.
    Failed {
        /// Each failure, in rank order.
        failures: Vec<Failure>,
        /// By rank: the results that arrived.
        results: Vec<Option<R>>,
    },
}

impl<R> RunError<R> {
    /// The workers that failed, in rank order; empty when none was started.
    #[must_use]
    pub fn failures(&self) -> &[Failure] {
        match self {
            Self::Start(_) | Self::Interrupted { .. } => &[],
            Self::Failed { failures, .. } => failures,
        }
    }
}

impl<R> fmt::Display for RunError<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start(error) => error.fmt(f),
            Self::Interrupted { signal } => interrupted(f, *signal),
            Self::Failed { failures, .. } => list(f, failures),
        }
    }
}

pub(crate) fn interrupted(f: &mut fmt::Formatter<'_>, signal: i32) -> fmt::Result {
    let signal = failure::Signal(signal);
    write!(f, "interrupted by {signal}; the workers were ended")
}

/// One line for each failure.
pub(crate) fn list(f: &mut fmt::Formatter<'_>, failures: &[Failure]) -> fmt::Result {
    // Causes before consequences: who panicked or was killed, then who met an error by it.
    let mut failures: Vec<&Failure> = failures.iter().collect();
    failures.sort_by_key(|failure| matches!(failure.cause, Cause::Returned(_)));
    for (i, failure) in failures.iter().enumerate() {
        f.write_str(if i > 0 { "\n" } else { "" })?;
        write!(f, "{failure}")?;
    }
    Ok(())
}

// By hand: what workers return need not be `Debug` for `unwrap`.
impl<R> fmt::Debug for RunError<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start(error) => f.debug_tuple("Start").field(error).finish(),
            Self::Interrupted { signal } => {
                f.debug_struct("Interrupted").field("signal", signal).finish()
            }
            Self::Failed { failures, results } => f
                .debug_struct("Failed")
                .field("failures", failures)
                .field("results", &results.iter().flatten().count())
                .finish(),
        }
    }
}

impl<R> std::error::Error for RunError<R> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Start(error) => error.source(),
            Self::Interrupted { .. } | Self::Failed { .. } => None,
        }
    }
}

impl<R> From<StartError> for RunError<R> {
    fn from(error: StartError) -> Self {
        Self::Start(error)
    }
}

/// Why no function was run. No process is left.
///
/// # Examples
///
/// ```
/// use ndshm_workers::{RunError, StartError, Workers};
///
/// fn main() {
///     ndshm_workers::init();
///     let error = Workers::new(0).run(|_, ()| Ok::<_, String>(()), &()).unwrap_err();
///     assert!(matches!(error, RunError::Start(StartError::Size { size: 0, .. })));
/// }
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// [`init`](crate::init()) was not called in this process.
    #[error(
        "workers cannot be started: call ndshm_workers::init() in the first line of main (in \
         tests, put ndshm_workers::test_support!() into the test crate)"
    )]
    NotInitialised,
    /// A group has at least one worker, and not more than a group's memory has room for.
    #[error("cannot start {size} workers: a group has 1 to {most}")]
    Size {
        /// How many were asked for.
        size: usize,
        /// How many there can be.
        most: usize,
    },
    /// The function is not part of the executable, but of a shared library, say.
    #[error(
        "workers cannot be started: the function is not in the executable itself, where they \
         would look for it; call it from a function of the program"
    )]
    NotInExecutable,
    /// The arguments could not be serialised.
    #[error("the arguments of the workers cannot be serialised: {0}")]
    Arguments(String),
    /// The memory that the group needs for itself could not be made.
    #[error("cannot make the shared memory of the group of workers: {0}")]
    Group(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A worker process could not be started. Those before it were ended.
    #[error(
        "cannot start the process of worker {rank}: {source}; ask for fewer workers, or raise the \
         limits of descriptors (`ulimit -n`, three a worker) and processes (`ulimit -u`)"
    )]
    Spawn {
        /// Which.
        rank: usize,
        /// What the system said.
        source: io::Error,
    },
    /// The program cannot be run.
    #[error("cannot run {}: {source}", .program.display())]
    Program {
        /// Which.
        program: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A worker was to be [pinned](crate::Workers::pin) to processors that there are not, or that are kept
    /// from this process.
    #[error("cannot pin worker {rank} to processor {}: there is none that it may use", .cpus.iter().map(usize::to_string).collect::<Vec<_>>().join(", "))]
    Cpu {
        /// Which worker.
        rank: usize,
        /// Which processors.
        cpus: Vec<usize>,
    },
    /// The system refused something else.
    #[error("cannot {what}: {source}")]
    System {
        /// What was tried.
        what: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

impl StartError {
    pub(crate) fn system(what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::System { what, source }
    }

    pub(crate) fn group(error: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Group(Box::new(error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_for_each_failure() {
        let failure = |rank, cause| Failure { rank, pid: 100, cause };
        let failures = vec![
            failure(0, Cause::Panicked("a\nb".into())),
            failure(2, Cause::Killed { signal: libc::SIGKILL, core_dumped: false }),
        ];
        let error = RunError::<()>::Failed { failures, results: vec![None; 3] };
        assert_eq!(
            error.to_string(),
            "worker 0 (pid 100) panicked: a; b\nworker 2 (pid 100) was killed by SIGKILL"
        );
    }
}
