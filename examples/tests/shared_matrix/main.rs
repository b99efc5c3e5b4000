//! `shared_matrix` as who runs it sees it: a process with arguments, output and an exit status.

#[path = "../common/mod.rs"]
mod common;

mod deaths;
mod kept;
mod permissions;
mod refusals;
mod results;
mod terminal;

use std::path::Path;

use common::{Run, command};

fn run(arguments: &[&str], dir: &Path) -> Run {
    Run::of(&mut command("shared_matrix", arguments, dir))
}
