//! Programs that are run as they are.

mod common;

use std::time::{Duration, Instant};

use common::{eventually, exists, watchdog};
use ndshm_workers::{Cause, Event, JoinGroupError, Output, RunError, StartError, Worker, Workers};

ndshm_workers::test_support!();

const ROLE: &str = "NDSHM_TEST_ROLE";

/// This test program, in a role, in a group of `size`.
fn run_role(size: usize, role: &str) -> Result<(), RunError<()>> {
    let this = std::env::current_exe().unwrap();
    let script = format!("{ROLE}={role} exec \"$0\" --exact member --nocapture");
    Workers::new(size).run_program("sh", ["-c".into(), script.into(), this.into_os_string()])
}

/// Not a test: a program that finds its group.
#[test]
fn member() {
    let Ok(role) = std::env::var(ROLE) else { return };
    let worker = Worker::from_env().unwrap();
    assert_eq!(std::env::var("NDSHM_SIZE").unwrap(), worker.size().to_string());
    for _ in 0..100 {
        worker.barrier().unwrap();
    }
    match role.as_str() {
        "meets" => {
            let again = Worker::from_env().unwrap_err();
            assert!(matches!(again, JoinGroupError::Barrier(_)), "{again}");
            // It may have workers of its own.
            let ranks = Workers::new(2).run(|w, ()| Ok::<_, String>(w.rank()), &()).unwrap();
            assert_eq!(ranks, [0, 1]);
            worker.barrier().unwrap();
        }
        "leaves" if worker.rank() == 1 => {}
        "dies" if worker.rank() == 1 => common::kill(std::process::id(), libc::SIGKILL),
        _ => {
            let error = worker.barrier().unwrap_err().to_string();
            assert!(error.contains("broken") && error.contains("rank 1"), "{error}");
        }
    }
}

#[test]
fn programs_find_their_group() {
    let _watchdog = watchdog("group", 60);
    run_role(3, "meets").unwrap();
    run_role(3, "leaves").unwrap();
    let error = run_role(3, "dies").unwrap_err();
    let killed = Cause::Killed { signal: libc::SIGKILL, core_dumped: false };
    assert!(error.failures().iter().any(|f| f.rank == 1 && f.cause == killed), "{error}");
}

#[test]
fn a_process_by_itself_is_a_group_of_one() {
    let worker = Worker::from_env().unwrap();
    assert_eq!((worker.rank(), worker.size(), worker.attempt()), (0, 1, 0));
    for _ in 0..3 {
        assert!(worker.barrier().unwrap().is_leader());
    }
    worker.progress(1, 2); // goes nowhere
}

#[test]
fn a_group_that_is_gone_is_told() {
    let _watchdog = watchdog("gone", 60);
    // The variable outlives its launcher.
    let mut group = Vec::new();
    let workers = Workers::new(1).output(Output::Events).on_event(|event| {
        if let Event::Output { line, .. } = event {
            group = line;
        }
    });
    workers.run_program("sh", ["-c", "echo $NDSHM_GROUP"]).unwrap();
    drop(workers);
    let group = String::from_utf8(group).unwrap();
    for group in [group.as_str(), "2:program:", "2:program:zz", "2:program:0102030405"] {
        let output = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "member", "--nocapture"])
            .envs([
                (ROLE, "meets"),
                ("NDSHM_GROUP", group),
                ("NDSHM_RANK", "0"),
                ("NDSHM_SIZE", "1"),
            ])
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success());
        assert!(text.contains("OutOfReach") || text.contains("Environment"), "{group}: {text}");
    }
}

#[test]
fn one_that_fails_ends_all() {
    let _watchdog = watchdog("ends all", 60);
    let script = "sleep 600 & test $NDSHM_RANK -eq 1 && exit 9; sleep 600";
    let mut pids = Vec::new();
    let start = Instant::now();
    let workers = Workers::new(3).on_event(|event| {
        if let Event::Started { pid, .. } = event {
            pids.push(pid);
        }
    });
    let error = workers.run_program("sh", ["-c", script]).unwrap_err();
    drop(workers);
    assert!(start.elapsed() < Duration::from_secs(4), "{:?}", start.elapsed());
    let [failure] = error.failures() else { panic!("{error}") };
    assert_eq!((failure.rank, &failure.cause), (1, &Cause::Exited(9)));
    assert_eq!(pids.len(), 3);
    for pid in pids {
        assert!(!exists(pid));
        // Nor what it had started.
        eventually("its group", Duration::from_secs(5), || {
            // SAFETY: signal 0 is not sent: this only asks.
            unsafe { libc::kill(-(pid as i32), 0) != 0 }
        });
    }
}

#[test]
fn one_that_does_not_heed_is_killed_after_the_grace() {
    let _watchdog = watchdog("grace", 60);
    let script =
        "trap '' TERM; test $NDSHM_RANK -eq 1 && sleep 0.2 && exit 9; while :; do sleep 0.05; done";
    let start = Instant::now();
    let workers = Workers::new(2).grace(Duration::from_millis(300));
    let error = workers.run_program("sh", ["-c", script]).unwrap_err();
    let took = start.elapsed();
    assert!((Duration::from_millis(400)..Duration::from_secs(4)).contains(&took), "{took:?}");
    assert_eq!(error.failures().len(), 1, "{error}");
}

#[test]
fn what_is_no_program_is_told() {
    let run = |program: &str| Workers::new(2).run_program(program, [""; 0]).unwrap_err();
    for program in ["ndshm-no-such-program", "/etc/passwd", "/"] {
        let error = run(program);
        assert!(matches!(error, RunError::Start(StartError::Program { .. })), "{error}");
        assert!(error.to_string().contains(program), "{error}");
    }
}
