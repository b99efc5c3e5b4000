//! `run`: any program, in several processes.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Output, Stdio};
use std::time::{Duration, Instant};

use ndshm_testkit::{arguments, scratch, until};
use ndshm_workers::Worker;
use serde_json::Value;

use crate::run::{command, fails, run as output};

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// `ndshm run -n P -- sh -c SCRIPT`, with options before.
fn sh(dir: &Path, options: &[&str], script: &str) -> Output {
    output(dir, &[&["run"], options, &["--", "sh", "-c", script]].concat())
}

pub(crate) fn each_has_its_rank_and_its_lines() {
    let dir = scratch();
    let dir = dir.path();
    let script = "echo $NDSHM_RANK of $NDSHM_SIZE in $NDSHM_DIR; echo bad >&2; cat; printf end";
    let ended = sh(dir, &["-n", "12"], script);
    assert_eq!(ended.status.code(), Some(0), "{}", text(&ended.stderr));
    let (out, err) = (text(&ended.stdout), text(&ended.stderr));
    for rank in 0..12 {
        let line = format!("[{rank:>2}] {rank} of 12 in {}", dir.display());
        assert_eq!(out.lines().filter(|l| *l == line).count(), 1, "{out}");
        assert!(out.lines().any(|l| l == format!("[{rank:>2}] end")), "{out}");
        assert_eq!(err.lines().filter(|l| *l == format!("[{rank:>2}] bad")).count(), 1, "{err}");
    }
    assert_eq!((out.lines().count(), err.lines().count()), (24, 12));
    assert!(!out.contains('\x1b'));

    let ended = sh(dir, &["-n", "2", "--no-prefix"], "echo $NDSHM_SIZE");
    assert_eq!(text(&ended.stdout), "2\n2\n");
    // Without `--` too; what follows the program is its own.
    let ended = output(dir, &["run", "-n", "1", "echo", "--json", "-n", "x"]);
    assert_eq!(text(&ended.stdout), "[0] --json -n x\n");
    let processors = std::thread::available_parallelism().unwrap().get();
    assert_eq!(sh(dir, &[], "echo").stdout.len(), processors * "[0] \n".len());
}

pub(crate) fn long_lines_of_many_are_never_mixed() {
    let dir = scratch();
    let script =
        "i=0; while [ $i -lt 300 ]; do printf \"$NDSHM_RANK%01000d\\n\" $i; i=$((i+1)); done";
    let ended = sh(dir.path(), &["-n", "4"], script);
    let mut next = [0; 4];
    for line in text(&ended.stdout).lines() {
        let rank: usize = line[1..2].parse().unwrap();
        assert_eq!(line, format!("[{rank}] {rank}{:01000}", next[rank]));
        next[rank] += 1;
    }
    assert_eq!(next, [300; 4]);
}

pub(crate) fn one_dead_ends_all_and_its_status_is_returned() {
    let dir = scratch();
    let dir = dir.path();
    for (ending, status, said) in [
        ("exit 7", 7, "rank 1 exited with status 7"),
        ("kill -9 $$", 137, "was killed by SIGKILL"),
        ("kill -TERM $$", 143, "was killed by SIGTERM"),
    ] {
        let start = Instant::now();
        let script =
            format!("test $NDSHM_RANK -eq 1 && {{ sleep 0.1; {ending}; }}; sleep 600 & wait");
        let ended = sh(dir, &["-n", "3"], &script);
        assert_eq!(ended.status.code(), Some(status), "{ending}");
        assert!(start.elapsed() < Duration::from_secs(4), "{ending}: {:?}", start.elapsed());
        let line = text(&ended.stderr);
        assert_eq!(line.lines().count(), 1, "{line}");
        let said = said.rsplit("rank 1 ").next().unwrap();
        assert!(line.starts_with("error: worker 1 (pid ") && line.contains(said), "{line}");
        assert!(line.ends_with("; all were ended\n"), "{line}");
    }
    // Those that do not heed are killed.
    let script = "trap '' TERM; test $NDSHM_RANK -eq 1 && exit 3; while :; do sleep 0.1; done";
    let ended = sh(dir, &["-n", "2", "--grace", "0.3"], script);
    assert_eq!(ended.status.code(), Some(3));
    // All is well where all end well, whenever they do.
    assert_eq!(sh(dir, &["-n", "3"], "sleep 0.$NDSHM_RANK").status.code(), Some(0));
}

pub(crate) fn what_cannot_be_run() {
    let dir = scratch();
    let dir = dir.path();
    for (program, status) in [("ndshm-no-such-program", 127), ("/etc/passwd", 126)] {
        let ended = output(dir, &["run", "-n", "2", program]);
        assert_eq!(ended.status.code(), Some(status));
        let line = text(&ended.stderr);
        assert!(line.starts_with("error: cannot run ") && line.lines().count() == 1, "{line}");
    }
    fails(dir, &["run", "-n", "0", "true"], &["--processes"]);
    fails(dir, &["run"], &["COMMAND"]);
    fails(dir, &["run", "-n", "60000", "true"], &["60000 workers"]);
}

pub(crate) fn json_tells_lines_and_events() {
    let dir = scratch();
    let ended = sh(dir.path(), &["-n", "2", "--json"], "echo out; echo err >&2; exit $NDSHM_RANK");
    assert_eq!(ended.status.code(), Some(1));
    let all: Vec<Value> =
        text(&ended.stdout).lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let of = |rank: u64| all.iter().filter(move |v| v["rank"] == rank);
    for rank in 0..2 {
        assert!(of(rank).next().unwrap()["pid"].as_u64().unwrap() > 1);
        assert!(of(rank).any(|v| v["stream"] == "stdout" && v["line"] == "out"), "{all:?}");
        assert!(of(rank).any(|v| v["stream"] == "stderr" && v["line"] == "err"), "{all:?}");
    }
    let failed = of(1).next_back().unwrap();
    assert_eq!((&failed["event"], &failed["status"]), (&"failed".into(), &1.into()));
}

/// Starts it, and gives the pids that its processes print.
fn started(dir: &Path, script: &str, processes: usize) -> (Child, Vec<u32>) {
    let count = processes.to_string();
    let mut child = command(dir)
        .args(["run", "-n", &count, "--grace", "1", "sh", "-c", script])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let pids = lines.map_while(Result::ok).filter_map(|line| line.rsplit(' ').next()?.parse().ok());
    let pids: Vec<u32> = pids.take(processes).collect();
    assert_eq!(pids.len(), processes);
    (child, pids)
}

fn is_gone(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).map_or(true, |stat| stat.contains(") Z "))
}

fn send(pid: u32, signal: i32) {
    let pid = rustix::process::Pid::from_raw(pid as i32).unwrap();
    let signal = rustix::process::Signal::from_named_raw(signal).unwrap();
    rustix::process::kill_process(pid, signal).expect("it is there");
}

pub(crate) fn signals_pass_on_and_nobody_is_left() {
    let dir = scratch();
    let dir = dir.path();
    for (signal, trap) in
        [(libc::SIGINT, ""), (libc::SIGTERM, ""), (libc::SIGINT, "trap '' INT TERM; ")]
    {
        let script = format!("{trap}echo $$; while :; do sleep 0.05; done");
        let (mut child, pids) = started(dir, &script, 3);
        send(child.id(), signal);
        let status = child.wait().unwrap();
        assert_eq!(status.code(), Some(128 + signal), "{status:?}");
        assert!(pids.iter().all(|&pid| is_gone(pid)), "left after {signal}");
    }
    // A second one does not wait for the grace.
    let (mut child, pids) =
        started(dir, "trap '' INT TERM; echo $$; while :; do sleep 0.05; done", 2);
    send(child.id(), libc::SIGINT);
    std::thread::sleep(Duration::from_millis(100));
    send(child.id(), libc::SIGINT);
    assert_eq!(child.wait().unwrap().signal(), Some(libc::SIGINT));
    until("their end", Duration::from_secs(5), || pids.iter().all(|&pid| is_gone(pid)));
    // Nor does anybody outlive the command, however it ends.
    let (mut child, pids) = started(dir, "echo $$; while :; do sleep 0.05; done", 3);
    child.kill().unwrap();
    child.wait().unwrap();
    until("their end", Duration::from_secs(5), || pids.iter().all(|&pid| is_gone(pid)));
}

pub(crate) fn a_reader_that_goes_ends_all() {
    let dir = scratch();
    let mut child = command(dir.path())
        .args(["run", "-n", "2", "--", "yes"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut some = [0; 1000];
    child.stdout.take().unwrap().read_exact(&mut some).unwrap();
    let ended = child.wait_with_output().unwrap();
    assert_eq!((ended.status.code(), text(&ended.stderr)), (Some(0), String::new()));
}

/// A program written with ndshm, as `run` starts it: all meet, then do as they are told.
pub(crate) fn member() {
    let worker = Worker::from_env().expect("a group");
    for _ in 0..1000 {
        worker.barrier().expect("all are there");
    }
    println!("met {} threads {}", worker.rank(), worker.threads());
    if arguments().first().is_some_and(|how| how == "dies") {
        if worker.rank() == 1 {
            std::process::abort();
        }
        // Until it is ended, with the others.
        let error = worker.barrier().expect_err("one is gone").to_string();
        assert!(error.contains("rank 1"), "{error}");
        std::thread::sleep(Duration::from_secs(600));
    }
}

pub(crate) fn programs_of_ndshm_meet() {
    let dir = scratch();
    let this = std::env::current_exe().unwrap();
    let run = |arguments: &str, options: &[&str]| {
        command(dir.path())
            .args([&["run", "-n", "3"], options].concat())
            .arg(&this)
            .env("NDSHM_TEST_ROLE", "running::member")
            .env("NDSHM_TEST_ARGS", arguments)
            .output()
            .unwrap()
    };
    let ended = run("", &["--threads", "5", "--pin"]);
    assert_eq!(ended.status.code(), Some(0), "{}", text(&ended.stderr));
    for rank in 0..3 {
        let line = format!("[{rank}] met {rank} threads ");
        assert!(
            text(&ended.stdout).lines().any(|l| l.starts_with(&line)),
            "{}",
            text(&ended.stdout)
        );
    }
    let ended = run("dies", &["--no-prefix"]);
    assert_eq!(ended.status.code(), Some(128 + libc::SIGABRT), "{}", text(&ended.stderr));
}
