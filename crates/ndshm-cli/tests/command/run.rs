//! Running the command.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

/// The command, with nothing of this process's surroundings that it could heed.
pub(crate) fn command(dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ndshm"));
    for name in ["NDSHM_DIR", "NO_COLOR", "COLORTERM", "CLICOLOR", "CLICOLOR_FORCE"] {
        command.env_remove(name);
    }
    command.env("TERM", "xterm-256color").arg("--dir").arg(dir);
    command
}

pub(crate) fn run(dir: &Path, arguments: &[&str]) -> Output {
    command(dir).args(arguments).output().expect("the command starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("text")
}

/// What it prints, when it ends with that status and complains of nothing.
#[track_caller]
pub(crate) fn prints(status: i32, dir: &Path, arguments: &[&str]) -> String {
    let output = run(dir, arguments);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(status), "{arguments:?}: {said}");
    assert_eq!(said, "", "{arguments:?}");
    text(&output.stdout)
}

/// The JSON it prints on one line, with that status.
#[track_caller]
pub(crate) fn json(status: i32, dir: &Path, arguments: &[&str]) -> Value {
    let output = run(dir, &[arguments, &["--json"]].concat());
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(status), "{arguments:?}: {said}");
    let line = text(&output.stdout);
    assert_eq!(line.lines().count(), 1, "{line}");
    serde_json::from_str(&line).expect("JSON")
}

/// The one line that it complains with, and nothing else; it ends with status 2.
#[track_caller]
pub(crate) fn fails(dir: &Path, arguments: &[&str], needles: &[&str]) {
    let output = run(dir, arguments);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
    assert_eq!(text(&output.stdout), "", "{arguments:?}");
    let line = said.strip_prefix("error: ").and_then(|line| line.strip_suffix('\n'));
    let line = line.unwrap_or_else(|| panic!("{arguments:?}: no line: {said:?}"));
    ndshm_testkit::one_line(&line, needles);
}
