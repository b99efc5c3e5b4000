//! The subcommands, one a file.

mod completions;
mod gc;
mod info;
mod load;
mod ls;
mod man;
mod rm;
mod run;
mod save;
mod top;

pub(crate) use ls::all;

use crate::cli::{Cli, Command};
use crate::outcome::Outcome;
use crate::{doctor, view};

pub(crate) fn run(cli: &Cli) -> Outcome {
    let common = &cli.common;
    match &cli.command {
        Command::Ls => ls::run(common),
        Command::Info { name } => info::run(common, name),
        Command::View(options) => view::run(common, options),
        Command::Top(options) => top::run(common, options),
        Command::Rm(options) => rm::run(common, options),
        Command::Gc { dry_run } => gc::run(common, *dry_run),
        Command::Save(options) => save::run(common, options),
        Command::Load(options) => load::run(common, options),
        Command::Run(options) => run::run(common, options),
        Command::Doctor => doctor::run(common),
        Command::Completions { shell } => completions::run(*shell),
        Command::Man => man::run(),
    }
}
