//! The `ndshm` command: `ndshm --help`.
#![forbid(unsafe_code)]

mod bar;
mod cli;
mod commands;
mod doctor;
mod exit;
mod holds;
mod model;
mod outcome;
mod output;
mod screen;
mod size;
mod table;
mod target;
mod view;

use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = match cli::parse() {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    exit::code(commands::run(&cli))
}
