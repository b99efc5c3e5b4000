//! `faults`: see `--help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    ndshm_faults::run(std::env::args(), ndshm_faults::primitive::ALL).into()
}
