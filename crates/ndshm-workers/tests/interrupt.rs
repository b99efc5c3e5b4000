//! Signals that ask the program to end: the workers end, names go, and the program ends by its own `main`.

mod common;

use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use common::{eventually, exists, kill, watchdog};
use ndshm_buffer::SharedBuffer;
use ndshm_testkit::default_signals;
use ndshm_workers::{Event, RunError, Worker, Workers};

ndshm_workers::test_support!();

const ROLE: &str = "NDSHM_TEST_ROLE";

fn sleep(_: &Worker, (): ()) -> Result<(), String> {
    std::thread::sleep(Duration::from_secs(600));
    Ok(())
}

fn segment_name(of: u32) -> String {
    format!("workers-interrupt-{of}")
}

/// Not a test: the program that is interrupted. How its run came out is its exit status.
#[test]
fn program() {
    let Ok(role) = std::env::var(ROLE) else { return };
    default_signals();
    let buffer = SharedBuffer::options().create(&segment_name(std::process::id()), 4096).unwrap();
    if role == "ignores" {
        // SAFETY: SIG_IGN is a valid disposition, and runs no code.
        unsafe { libc::signal(libc::SIGTERM, libc::SIG_IGN) };
    }
    let stubborn = role == "stubborn";
    let mut started = 0;
    let workers = Workers::new(2).on_event(|event| {
        if let Event::Started { pid, .. } = event {
            eprintln!("worker {pid}");
            started += 1;
        }
        if stubborn && started == 2 {
            // The callback goes on for ever, as a program may that is not to be interrupted.
            std::thread::sleep(Duration::from_secs(600));
        }
    });
    let status = if role == "pool" || role == "idle" {
        let mut pool = workers.pool().unwrap();
        let first = status_of(pool.run(sleep, &()));
        // The pool is whole again.
        assert_eq!(pool.run(|w, ()| Ok::<_, String>(w.rank()), &()).unwrap(), [0, 1]);
        if role == "pool" {
            // And sees to the same signal once more.
            eprintln!("again");
            assert_eq!(status_of(pool.run(sleep, &())), first);
        } else {
            eprintln!("idle");
            std::thread::sleep(Duration::from_secs(600));
        }
        first
    } else {
        status_of(workers.run(sleep, &()))
    };
    // As the end of `main` does; `exit` drops nothing.
    drop(buffer);
    eprintln!("done");
    std::process::exit(status);
}

fn status_of(run: Result<Vec<()>, RunError<()>>) -> i32 {
    match run {
        Err(RunError::Interrupted { signal }) => 100 + signal,
        Err(RunError::Failed { .. }) => 50,
        _ => 51,
    }
}

struct Program {
    child: Child,
    workers: Vec<u32>,
    lines: Box<dyn Iterator<Item = String>>,
}

/// Starts it, and waits until its two workers run.
fn start(role: &str) -> Program {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "program", "--nocapture"])
        .env(ROLE, role)
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    let mut lines = Box::new(lines);
    let workers = lines
        .by_ref()
        .filter_map(|line| line.strip_prefix("worker ")?.parse().ok())
        .take(2)
        .collect();
    Program { child, workers, lines }
}

fn segment_exists(pid: u32) -> bool {
    SharedBuffer::options().info(&segment_name(pid)).is_ok()
}

fn gone(pid: u32) -> bool {
    match std::fs::read_to_string(format!("/proc/{pid}/stat")) {
        Ok(stat) => stat.contains(") Z "),
        Err(_) => true,
    }
}

#[test]
fn the_first_signal_ends_the_run_and_the_program_ends_by_itself() {
    let _watchdog = watchdog("signals", 60);
    for (role, signal) in [
        ("run", libc::SIGINT),
        ("run", libc::SIGTERM),
        ("run", libc::SIGHUP),
        ("pool", libc::SIGINT),
    ] {
        let mut program = start(role);
        let pid = program.child.id();
        assert!(segment_exists(pid));
        let start = Instant::now();
        kill(pid, signal);
        if role == "pool" {
            assert!(program.lines.any(|line| line == "again"));
            assert!(program.lines.any(|line| line.starts_with("worker ")), "it runs again");
            kill(pid, signal);
        }
        let status = program.child.wait().unwrap();
        assert!(start.elapsed() < Duration::from_secs(5));
        assert_eq!(status.code(), Some(100 + signal), "{role}: {status:?}");
        assert!(program.workers.iter().all(|&pid| !exists(pid)), "workers are left");
        assert!(!segment_exists(pid), "a name is left");
        assert!(program.lines.any(|line| line == "done"));
    }
}

#[test]
fn the_second_signal_ends_the_program_at_once() {
    let _watchdog = watchdog("twice", 60);
    let mut program = start("stubborn");
    let pid = program.child.id();
    // Until it is in its callback.
    std::thread::sleep(Duration::from_millis(200));
    kill(pid, libc::SIGINT);
    std::thread::sleep(Duration::from_millis(200));
    assert!(program.child.try_wait().unwrap().is_none(), "the first is only noted");
    kill(pid, libc::SIGINT);
    assert_eq!(program.child.wait().unwrap().signal(), Some(libc::SIGINT));
    let workers = program.workers.clone();
    eventually("workers", Duration::from_secs(5), || workers.iter().all(|&pid| gone(pid)));
    // It was killed: the name is an orphan, for whoever collects those.
    SharedBuffer::options().remove(&segment_name(pid)).unwrap();
}

#[test]
fn between_the_runs_of_a_pool_a_signal_does_what_it_would_without() {
    let _watchdog = watchdog("idle", 60);
    let mut program = start("idle");
    let pid = program.child.id();
    // In a run it ends that; in between, the program. The same signal, so its handler was put in again.
    kill(pid, libc::SIGINT);
    assert!(program.lines.any(|line| line == "idle"));
    kill(pid, libc::SIGINT);
    assert_eq!(program.child.wait().unwrap().signal(), Some(libc::SIGINT));
    SharedBuffer::options().remove(&segment_name(pid)).unwrap();
}

#[test]
fn an_ignored_signal_stays_ignored() {
    let _watchdog = watchdog("ignored", 60);
    let mut program = start("ignores");
    kill(program.child.id(), libc::SIGTERM);
    std::thread::sleep(Duration::from_millis(300));
    assert!(program.child.try_wait().unwrap().is_none());
    assert!(program.workers.iter().all(|&pid| !gone(pid)));
    kill(program.child.id(), libc::SIGINT);
    assert_eq!(program.child.wait().unwrap().code(), Some(100 + libc::SIGINT));
}

#[test]
fn dispositions_are_put_back() {
    default_signals();
    let disposition = |signal| {
        let mut now = std::mem::MaybeUninit::<libc::sigaction>::uninit();
        // SAFETY: asks only; what there is is written to `now`.
        assert_eq!(unsafe { libc::sigaction(signal, std::ptr::null(), now.as_mut_ptr()) }, 0);
        // SAFETY: written just now.
        unsafe { now.assume_init() }.sa_sigaction
    };
    let mut during = Vec::new();
    let signals = [libc::SIGINT, libc::SIGTERM, libc::SIGHUP];
    // Other tests of this process may run at the same time, but they watch in processes of their own.
    assert!(signals.iter().all(|&signal| disposition(signal) == libc::SIG_DFL));
    let workers = Workers::new(1).on_event(|_| during.push(disposition(libc::SIGINT)));
    workers.run(|_, ()| Ok::<_, String>(()), &()).unwrap();
    drop(workers);
    assert!(during.iter().all(|&d| d != libc::SIG_DFL) && !during.is_empty());
    assert!(signals.iter().all(|&signal| disposition(signal) == libc::SIG_DFL));
}
