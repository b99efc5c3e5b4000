//! Exit statuses, the same for all subcommands but `run`, whose is that of the program.

use std::process::ExitCode;

use crate::outcome::{Failure, Outcome, Verdict};
use crate::output::complain;

/// What `--help` and the man page say of them.
pub(crate) const HELP: &str = "\
Exit status:
  0  done, and nothing is wrong
  1  something was found, or the answer is no: doctor has advice, a segment is damaged or in use
  2  wrong usage, or it could not be done: one line on standard error says why
That of run is that of the program (`ndshm run --help`).

Without --dir the segments are those in the directory NDSHM_DIR, or in /dev/shm. Colours are used on a
terminal only, and not where NO_COLOR is set.";

pub(crate) fn code(outcome: Outcome) -> ExitCode {
    match outcome {
        Ok(Verdict::Fine) | Err(Failure::ReaderGone) => ExitCode::SUCCESS,
        Ok(Verdict::Found) => ExitCode::from(1),
        Ok(Verdict::Status(status)) => ExitCode::from(status),
        Err(Failure::Said(text)) => {
            complain(text);
            ExitCode::from(2)
        }
    }
}
