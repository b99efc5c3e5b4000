//! `segments`: see `--help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    ndshm_faults::segments::run(std::env::args()).into()
}
