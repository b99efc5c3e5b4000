//! How a worker failed.

use std::fmt;

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
/// assert_eq!(Cause::Exited(3).to_string(), "exited with status 3 without a result");
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
    /// It ended before its function was called.
    NeverStarted(String),
    /// Its function returned a value that could not be brought home.
    BadResult(String),
    /// How it ended could not be learnt.
    Unknown(String),
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Panicked(text) => write!(f, "panicked: {}", OneLine(text)),
            Self::Returned(text) => write!(f, "returned an error: {}", OneLine(text)),
            Self::Exited(status) => write!(f, "exited with status {status} without a result"),
            Self::Killed { signal, core_dumped } => {
                match signal_name(*signal) {
                    Some(name) => write!(f, "was killed by {name}")?,
                    None => write!(f, "was killed by signal {signal}")?,
                }
                f.write_str(if *core_dumped { " (core dumped)" } else { "" })
            }
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
