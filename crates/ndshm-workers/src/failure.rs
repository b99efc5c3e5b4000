//! How a worker failed.

use std::fmt;

use ndshm_sync::Absence;

/// A worker that gave no result, and why.
///
/// # Examples
///
/// ```
/// use ndshm_workers::{Cause, Failure};
///
/// let failure = Failure { rank: 2, pid: 123, cause: Cause::Killed { signal: 9, core_dumped: false } };
/// assert_eq!(failure.to_string(), "worker 2 (pid 123) was killed by SIGKILL");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Its rank, from 0.
    pub rank: usize,
    /// The process id it had.
    pub pid: u32,
    /// What ended it.
    pub cause: Cause,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "worker {} (pid {}) {}", self.rank, self.pid, self.cause)
    }
}

/// What ended a worker that gave no result.
///
/// # Examples
///
/// ```
/// use ndshm_workers::Cause;
///
/// assert_eq!(Cause::Exited(3).to_string(), "exited with status 3");
/// assert_eq!(Cause::Exited(0).to_string(), "exited with status 0 without a result");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cause {
    /// Its function panicked: the message, and where.
    Panicked(String),
    /// Its function returned this error.
    Returned(String),
    /// It ended with this exit status and left no result. Status 0 is a failure too.
    Exited(i32),
    /// A signal ended it.
    Killed {
        /// The signal's number.
        signal: i32,
        /// Whether the kernel wrote a core file.
        core_dumped: bool,
    },
    /// The kernel ended it by SIGKILL when memory ran out: of this process's control group (a
    /// container, a job), or of the machine. Told from another SIGKILL by the kernel's own count.
    OutOfMemory,
    /// It ended before its function was called.
    NeverStarted(String),
    /// Its function returned a value that could not be brought home.
    BadResult(String),
    /// How it ended could not be learnt.
    Unknown(String),
}

impl Cause {
    /// Whether its process died of it, rather than its function telling an error.
    pub(crate) fn is_death(&self) -> bool {
        match self {
            Self::Panicked(_) | Self::Exited(_) | Self::Killed { .. } | Self::OutOfMemory => true,
            Self::Returned(_) | Self::NeverStarted(_) | Self::BadResult(_) | Self::Unknown(_) => {
                false
            }
        }
    }
}

/// What an absence from the barrier is called: as the worker itself called it, where it could.
pub(crate) fn absence(cause: Option<&Cause>) -> Absence {
    match cause {
        None => Absence::Left,
        Some(Cause::Panicked(_) | Cause::Returned(_) | Cause::BadResult(_)) => Absence::Failed,
        Some(_) => Absence::Died,
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Panicked(text) => write!(f, "panicked: {}", OneLine(text)),
            Self::Returned(text) => write!(f, "returned an error: {}", OneLine(text)),
            Self::Exited(0) => f.write_str("exited with status 0 without a result"),
            Self::Exited(status) => write!(f, "exited with status {status}"),
            Self::Killed { signal, core_dumped } => {
                write!(f, "was killed by {}", Signal(*signal))?;
                f.write_str(if *core_dumped { " (core dumped)" } else { "" })
            }
            Self::OutOfMemory => f.write_str(
                "was killed by SIGKILL: out of memory (`dmesg` or the control group's memory.events tell more)",
            ),
            Self::NeverStarted(text) => write!(f, "never started: {}", OneLine(text)),
            Self::BadResult(text) => {
                write!(f, "returned a value that could not be sent: {}", OneLine(text))
            }
            Self::Unknown(text) => write!(f, "ended, nobody knows how: {}", OneLine(text)),
        }
    }
}

/// Writes a text of several lines, as `assert_eq!` makes them, in one.
struct OneLine<'a>(&'a str);

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = self.0.lines().map(str::trim).filter(|line| !line.is_empty());
        for (i, line) in lines.enumerate() {
            f.write_str(if i > 0 { "; " } else { "" })?;
            f.write_str(line)?;
        }
        Ok(())
    }
}

/// Writes a signal's name, or its number where it has none.
pub(crate) struct Signal(pub(crate) i32);

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match signal_name(self.0) {
            Some(name) => f.write_str(name),
            None => write!(f, "signal {}", self.0),
        }
    }
}

/// The name of a signal that ends processes.
fn signal_name(signal: i32) -> Option<&'static str> {
    Some(match signal {
        libc::SIGHUP => "SIGHUP",
        libc::SIGINT => "SIGINT",
        libc::SIGQUIT => "SIGQUIT",
        libc::SIGILL => "SIGILL",
        libc::SIGTRAP => "SIGTRAP",
        libc::SIGABRT => "SIGABRT",
        libc::SIGBUS => "SIGBUS",
        libc::SIGFPE => "SIGFPE",
        libc::SIGKILL => "SIGKILL",
        libc::SIGUSR1 => "SIGUSR1",
        libc::SIGSEGV => "SIGSEGV",
        libc::SIGUSR2 => "SIGUSR2",
        libc::SIGPIPE => "SIGPIPE",
        libc::SIGALRM => "SIGALRM",
        libc::SIGTERM => "SIGTERM",
        libc::SIGXCPU => "SIGXCPU",
        libc::SIGXFSZ => "SIGXFSZ",
        libc::SIGVTALRM => "SIGVTALRM",
        libc::SIGPROF => "SIGPROF",
        libc::SIGIO => "SIGIO",
        libc::SIGSYS => "SIGSYS",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cause_is_one_line() {
        let text = || "assertion failed\n  left: 1\n right: 2\n".to_owned();
        let causes = [
            Cause::Panicked(text()),
            Cause::Returned(text()),
            Cause::NeverStarted(text()),
            Cause::BadResult(text()),
            Cause::Unknown(text()),
        ];
        for cause in causes {
            let line = cause.to_string();
            assert!(!line.contains('\n'), "{line:?}");
            assert!(line.ends_with("assertion failed; left: 1; right: 2"), "{line:?}");
        }
    }

    #[test]
    fn signals_have_names_or_numbers() {
        let killed = |signal, core_dumped| Cause::Killed { signal, core_dumped }.to_string();
        assert_eq!(killed(libc::SIGSEGV, true), "was killed by SIGSEGV (core dumped)");
        assert_eq!(killed(40, false), "was killed by signal 40");
    }
}
