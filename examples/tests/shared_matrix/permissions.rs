//! What the system refuses: a full file system, somebody else's folder, too many files.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::{Command, Stdio};

use super::{common, run};
use common::{Run, assert_empty, example, names};

fn works(command: &mut Command) -> bool {
    let command = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

#[test]
fn a_full_tmpfs() {
    let dir = names();
    let mount = r#"mount -t tmpfs -o size="$1",mode=700 tmpfs "$NDSHM_DIR" || exit 99
        shift; "$@"; status=$?; ls -A "$NDSHM_DIR"; exit $status"#;
    let in_tmpfs = |size: &str| {
        let mut unshare = Command::new("unshare");
        unshare.args(["-Urm", "sh", "-c", mount, "sh", size]).env("NDSHM_DIR", dir.path());
        unshare
    };
    if !works(in_tmpfs("1m").arg("true")) {
        ndshm_testkit::skip("a full tmpfs", "`unshare -Urm` may not mount one here");
        return;
    }
    let matrix = |size: &str, n: &str| {
        let mut command = in_tmpfs(size);
        command.arg(example("shared_matrix"));
        Run::of(command.args(["--size", n, "--workers", "2", "--name", "heat"]))
    };
    let full = dir.path().to_string_lossy();
    matrix("1m", "2000").refused(&[
        "ndshm.heat",
        &full,
        "bytes asked for, 1048576 bytes free in",
        "less",
    ]);
    // Room for the data, but not for what belongs to it.
    matrix("1m", "360").refused(&["ndshm.heat", &full, "free in"]);
    let done = matrix("2m", "360").exits(0);
    assert!(done.stdout.ends_with("\nndshm.heat\n"), "{}", done.stdout);
    assert_empty(dir.path());
}

/// `command` as a user who may do nothing; `None`, said aloud, where that cannot be done.
fn as_nobody(what: &str, program: &Path) -> Option<Command> {
    let drop = || {
        let mut setpriv = Command::new("setpriv");
        setpriv.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"]);
        setpriv
    };
    if works(drop().arg("true")) {
        let mut command = drop();
        command.arg(program);
        return Some(command);
    }
    ndshm_testkit::skip(what, "`setpriv` may not change the user here");
    None
}

#[test]
fn somebody_elses_folder_and_segment() {
    let dir = names();
    fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).expect("it is ours");
    // A copy, since the user may not reach the folder of the original.
    let programs = tempfile::tempdir().expect("no folder");
    fs::set_permissions(programs.path(), Permissions::from_mode(0o755)).expect("it is ours");
    let program = programs.path().join("shared_matrix");
    fs::copy(example("shared_matrix"), &program).expect("cannot copy it");

    run(&["--size", "5", "--workers", "1", "--name", "mine"], dir.path()).exits(0);
    let path = dir.path().join("ndshm.mine");
    assert_eq!(fs::metadata(&path).expect("it is there").mode() & 0o777, 0o600);

    let Some(mut other) = as_nobody("somebody else's folder", &program) else { return };
    other.env("NDSHM_DIR", dir.path());
    Run::of(other.args(["--size", "5", "--workers", "1"])).exits(0);
    Run::of(other.args(["--name", "theirs"])).refused(&[
        &dir.path().to_string_lossy(),
        "Permission denied",
        "NDSHM_DIR",
    ]);
    let mut other = as_nobody("somebody else's segment", &program).expect("as above");
    other.env("NDSHM_DIR", dir.path()).args(["--attach", "mine"]);
    Run::of(&mut other).refused(&["ndshm.mine", "belongs to user", "65534"]);
    // Readable and writable, it is still somebody else's.
    fs::set_permissions(&path, Permissions::from_mode(0o666)).expect("it is ours");
    Run::of(&mut other).refused(&["ndshm.mine", "belongs to user", "65534"]);
    fs::remove_file(path).expect("it is ours");
    assert_empty(dir.path());
}

#[test]
fn more_workers_than_there_may_be_open_files() {
    let dir = names();
    let script = r#"ulimit -n 64 && exec "$@""#;
    let mut shell = Command::new("sh");
    shell.args(["-c", script, "sh"]).arg(example("shared_matrix")).env("NDSHM_DIR", dir.path());
    Run::of(shell.args(["--size", "5", "--workers", "100", "--name", "heat"]))
        .refused(&["worker ", "open files"]);
    assert_empty(dir.path());
}
