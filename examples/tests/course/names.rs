//! `writer` and `reader`: in either order, and when the writer dies.

use std::fs;
use std::path::PathBuf;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use ndshm_testkit::until;
use tempfile::TempDir;

use super::{common, run};
use common::{Run, Running, assert_empty, command, names};

const LIMIT: Duration = Duration::from_secs(60);

fn start(name: &str, arguments: &[&str], dir: &TempDir) -> Running {
    Running::start(&mut command(name, arguments, dir.path()))
}

fn path(dir: &TempDir) -> PathBuf {
    dir.path().join("ndshm.table")
}

/// What the reader prints of so many rows.
fn rows(n: usize) -> String {
    (0..n)
        .map(|i| format!("[{}, {}, {}, {}]\n", 10 * i, 10 * i + 1, 10 * i + 2, 10 * i + 3))
        .collect()
}

#[test]
fn in_either_order() {
    let writing = ["--rows", "20", "--pause", "20"];
    for reader_first in [false, true] {
        let dir = names();
        let (writer, reader);
        if reader_first {
            reader = start("reader", &["--patience", "60"], &dir);
            thread::sleep(Duration::from_millis(100)); // it looks, in vain
            writer = start("writer", &writing, &dir);
        } else {
            writer = start("writer", &writing, &dir);
            until("the matrix is there", LIMIT, || path(&dir).exists());
            reader = start("reader", &["--patience", "60"], &dir);
        }
        assert_eq!(reader.end().exits(0).stdout, rows(20));
        let said = writer.end().exits(0).stdout;
        assert_eq!(said, format!("{}\n", path(&dir).display()));
        assert_empty(dir.path());
    }
}

#[test]
fn several_read_and_none_is_needed() {
    let dir = names();
    let named = ["--name", "other", "--patience", "60"];
    let readers = [(); 3].map(|()| start("reader", &named, &dir));
    let arguments = ["--name", "other", "--rows", "5", "--pause", "300"];
    run("writer", &arguments, dir.path());
    for reader in readers {
        assert_eq!(reader.end().exits(0).stdout, rows(5));
    }
    run("writer", &["--rows", "3", "--pause", "0"], dir.path());
    assert_empty(dir.path());
}

#[test]
fn a_writer_is_killed() {
    let dir = names();
    let mut writer = command("writer", &["--rows", "1000", "--pause", "5"], dir.path());
    let mut writer = writer.stdout(Stdio::null()).spawn().expect("it starts");
    until("the matrix is there", LIMIT, || path(&dir).exists());
    let reader = start("reader", &["--patience", "1"], &dir);
    thread::sleep(Duration::from_millis(200));
    writer.kill().expect("it runs");
    writer.wait().expect("it is a child");
    let run = reader.end().exits(1);
    let seen = run.stdout.lines().count();
    assert!((1..1000).contains(&seen), "{}", run.stdout);
    assert_eq!(run.stdout, rows(seen)); // no row half-written
    let said = format!("error: row {seen} did not come in 1s; is the writer dead?\n");
    assert_eq!(run.stderr, said);

    // What the dead one left: a name that is taken, and can be read again.
    Run::of(&mut command("writer", &[], dir.path())).refused(&["ndshm.table", "taken"]);
    let again = Run::of(&mut command("reader", &["--patience", "0"], dir.path())).exits(1);
    assert_eq!(again.stdout, run.stdout);
    fs::remove_file(path(&dir)).expect("it is there");
    assert_empty(dir.path());
}

#[test]
fn a_name_that_leads_to_no_such_matrix() {
    let dir = names();
    let read = |name: &str| {
        Run::of(&mut command("reader", &["--name", name, "--patience", "0"], dir.path()))
    };
    read("nothing").refused(&["ndshm.nothing", "no such segment"]);
    read("a/b").refused(&["a/b"]);
    Run::of(&mut command("writer", &["--name", "a/b"], dir.path())).refused(&["a/b"]);
    fs::write(dir.path().join("ndshm.text"), "no matrix").expect("cannot write");
    read("text").refused(&["ndshm.text"]);
}
