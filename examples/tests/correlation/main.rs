//! `correlation` as who runs it sees it: a process with arguments, output and an exit status.

#[path = "../common/mod.rs"]
mod common;

mod files;
mod numbers;
mod output;
mod refusals;
mod terminal;

use std::path::{Path, PathBuf};

use common::{Run, command};

/// The data set that comes with the examples.
fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data").join(name)
}

/// Runs it in `dir`, so that names of files without a folder are there.
fn run(arguments: &[&str], dir: &Path) -> Run {
    Run::of(command("correlation", arguments, dir).current_dir(dir))
}
