//! The examples of ndshm-sync, as a person runs them.

#[path = "../common/mod.rs"]
#[allow(dead_code, reason = "these examples have no tables, pictures or terminals")]
mod common;

use std::thread;
use std::time::Duration;

use ndshm_testkit::until;

use common::{Run, Running, assert_empty, command, names};

#[test]
fn processes_count_together() {
    let dir = names();
    let run = Run::of(&mut command("sync_alone", &[], dir.path())).exits(0);
    assert_eq!(run.stdout, "4 processes counted to 400000\n");
}

#[test]
fn two_programs_take_turns() {
    let dir = names();
    let path = dir.path().join("table");
    let path = path.to_str().expect("a name of ours");
    for [first, second] in [["ping", "pong"], ["pong", "ping"]] {
        let first = Running::start(&mut command(first, &[path], dir.path()));
        thread::sleep(Duration::from_millis(20)); // in either order
        let second = Running::start(&mut command(second, &[path], dir.path()));
        let runs = [first.end().exits(0), second.end().exits(0)];
        let said: Vec<_> = runs.iter().map(|run| run.stdout.as_str()).collect();
        assert!(said.concat().starts_with("10000 numbers squared by another program"), "{said:?}");
        assert_empty(dir.path());
    }
}

#[test]
fn the_other_program_says_who_died() {
    for [victim, other] in [["ping", "pong"], ["pong", "ping"]] {
        let dir = names();
        let path = dir.path().join("table");
        let path = path.to_str().expect("a name of ours");
        let there = || std::path::Path::new(path).exists();
        let limit = Duration::from_secs(60);
        let survivor = Running::start(&mut command(other, &[path], dir.path()));
        until("one is there", limit, there);
        let mut dead = command(victim, &[path], dir.path()).spawn().expect("cannot start it");
        // Ping removes the name once both are there.
        until("they play", limit, || !there());
        dead.kill().expect("it runs");
        dead.wait().expect("it is a child");
        let run = survivor.end().exits(1);
        let pid = format!("pid {}", dead.id());
        assert!(run.stderr.contains(&pid) && run.stderr.contains("died"), "{}", run.stderr);
    }
}

#[test]
fn a_path_is_needed() {
    let dir = names();
    for name in ["ping", "pong"] {
        let run = Run::of(&mut command(name, &[], dir.path())).exits(1);
        assert!(run.stderr.starts_with("error: give both the path"), "{}", run.stderr);
        let run = Run::of(&mut command(name, &["/no/such/place"], dir.path())).exits(1);
        assert!(run.stderr.contains("/no/such/place"), "{}", run.stderr);
    }
}
