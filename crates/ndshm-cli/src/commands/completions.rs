//! `ndshm completions`.

use clap::CommandFactory;
use clap_complete::Shell;

use crate::cli::Cli;
use crate::outcome::{Outcome, Verdict};
use crate::output::print_bytes;

pub(crate) fn run(shell: Shell) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "ndshm", &mut script);
    print_bytes(&script)?;
    Ok(Verdict::Fine)
}
