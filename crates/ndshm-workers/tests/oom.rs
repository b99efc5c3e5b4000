//! A worker that the kernel kills for want of memory is told from one that somebody kills.

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::{kill, watchdog};
use ndshm_testkit::skip;
use ndshm_workers::{Cause, Worker, Workers};

ndshm_workers::test_support!();

const GROUP: &str = "NDSHM_TEST_CGROUP";
const LIMIT: usize = 64 << 20;

fn take(worker: &Worker, killed: bool) -> Result<(), String> {
    if worker.rank() == 1 {
        if killed {
            kill(std::process::id(), libc::SIGKILL);
        }
        let mut all = Vec::new();
        loop {
            all.push(std::hint::black_box(vec![1_u8; 1 << 20]));
        }
    }
    Ok(())
}

/// Not a test: the program in the small group.
#[test]
fn starved() {
    let Some(group) = std::env::var_os(GROUP) else { return };
    fs::write(Path::new(&group).join("cgroup.procs"), std::process::id().to_string()).unwrap();
    let mut pool = Workers::new(2).pool().unwrap();
    for killed in [true, false, true, false] {
        let error = pool.run(take, &killed).unwrap_err();
        let [failure] = error.failures() else { panic!("{error}") };
        let expected = match killed {
            true => Cause::Killed { signal: libc::SIGKILL, core_dumped: false },
            false => Cause::OutOfMemory,
        };
        assert_eq!((failure.rank, &failure.cause), (1, &expected), "{error}");
    }
    let error = Workers::new(2).run(take, &false).unwrap_err();
    assert!(error.to_string().contains("out of memory"), "{error}");
}

/// A control group with little memory, if one can be made.
fn small_group() -> Option<PathBuf> {
    let membership = fs::read_to_string("/proc/self/cgroup").ok()?;
    let name = format!("ndshm-{}", std::process::id());
    membership.lines().find_map(|line| {
        let mut fields = line.splitn(3, ':').skip(1);
        let (controllers, path) = (fields.next()?, fields.next()?.strip_prefix('/')?);
        let (root, limit) = match controllers {
            "" => ("/sys/fs/cgroup", "memory.max"),
            "memory" => ("/sys/fs/cgroup/memory", "memory.limit_in_bytes"),
            _ => return None,
        };
        let group = Path::new(root).join(path).join(&name);
        fs::create_dir(&group).ok()?;
        if fs::write(group.join(limit), LIMIT.to_string()).is_err() {
            let _ = fs::remove_dir(&group);
            return None;
        }
        // Where there is swap, it is not to be had.
        let _ = fs::write(group.join("memory.swap.max"), "0");
        let _ = fs::write(group.join("memory.memsw.limit_in_bytes"), LIMIT.to_string());
        Some(group)
    })
}

#[test]
fn out_of_memory_is_told_from_a_kill() {
    let _watchdog = watchdog("out of memory", 60);
    let Some(group) = small_group() else {
        skip("out of memory", "no control group can be made here");
        return;
    };
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "starved", "--nocapture"])
        .env(GROUP, &group)
        .output()
        .unwrap();
    fs::remove_dir(&group).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
