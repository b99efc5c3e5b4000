//! Exit statuses that all examples share.

use std::process::ExitCode;

use crate::output::complain;

/// 0 when all is right, 1 when it is not or a worker failed, 2 when the input was bad: then one
/// line on standard error says what is wrong.
pub fn exit_code(outcome: ndshm::Result<bool>) -> ExitCode {
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(e) => {
            complain(&e);
            ExitCode::from(if matches!(e, ndshm::Error::Workers(_)) { 1 } else { 2 })
        }
    }
}
