//! Workers do not outlive the process, or the thread, that started them.

mod common;

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use common::{eventually, exists, kill, watchdog};
use ndshm_workers::{Event, Worker, Workers};

ndshm_workers::test_support!();

const ROLE: &str = "NDSHM_TEST_PARENT";

fn sleep(worker: &Worker, (): ()) -> Result<(), String> {
    if worker.rank() == 0 {
        let _ = worker.barrier(); // one sleeps in a wait of ours
    }
    std::thread::sleep(Duration::from_secs(600));
    Ok(())
}

/// Not a test: what the other test starts, to be killed.
#[test]
fn parent_to_be_killed() {
    let Ok(role) = std::env::var(ROLE) else { return };
    if role == "run" {
        let workers = Workers::new(3).on_event(|event| {
            if let Event::Started { pid, .. } = event {
                eprintln!("worker {pid}");
            }
        });
        let _ = workers.run(sleep, &());
    } else {
        let mut pool = Workers::new(3).pool().unwrap();
        pool.run(|_, ()| Ok::<_, String>(()), &()).unwrap();
        pool.pids().iter().for_each(|pid| eprintln!("worker {pid}"));
        std::thread::sleep(Duration::from_secs(600)); // between two runs
    }
}

#[test]
fn workers_die_when_the_parent_is_killed() {
    let _watchdog = watchdog("parent", 60);
    // In a run SIGTERM ends the run first.
    for (role, signal) in [
        ("run", libc::SIGKILL),
        ("run", libc::SIGTERM),
        ("pool", libc::SIGKILL),
        ("pool", libc::SIGTERM),
    ] {
        let mut parent = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "parent_to_be_killed", "--nocapture"])
            .env(ROLE, role)
            .stderr(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(parent.stderr.take().unwrap()).lines();
        let pids: Vec<u32> = lines
            .map_while(Result::ok)
            .filter_map(|line| line.strip_prefix("worker ")?.parse().ok())
            .take(3)
            .collect();
        assert_eq!(pids.len(), 3);
        assert!(pids.iter().all(|&pid| exists(pid)));
        kill(parent.id(), signal);
        parent.wait().unwrap();
        // Orphans are reaped by init or whoever stands in for it; a zombie counts as dead.
        let gone = |pid: u32| match std::fs::read_to_string(format!("/proc/{pid}/stat")) {
            Ok(stat) => stat.rsplit(')').next().is_some_and(|rest| rest.starts_with(" Z")),
            Err(_) => true,
        };
        eventually("workers die", Duration::from_secs(5), || pids.iter().all(|&pid| gone(pid)));
    }
}
