//! SIGKILL of a worker, and of the parent.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use ndshm_testkit::until;

use super::{common, run};
use common::{Run, Running, assert_empty, command, names};

/// Large enough that nobody is done before the signal comes.
const SIZE: &str = "6000";
const SOON: Duration = Duration::from_secs(10);

/// A process that is not mistaken for another that got its number later.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Process {
    pid: u32,
    started: String,
}

impl Process {
    /// `None` for one that has ended, whether or not somebody has noticed.
    fn of(pid: u32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let fields: Vec<_> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let started = (*fields.get(19)?).to_owned();
        (!["Z", "X"].contains(&fields[0])).then_some(Self { pid, started })
    }

    fn lives(&self) -> bool {
        Self::of(self.pid).as_ref() == Some(self)
    }

    /// Does nothing if it has ended.
    fn signal(&self, signal: &str) {
        if self.lives() {
            let mut kill = Command::new("sh");
            kill.args(["-c", r#"kill -"$0" "$1""#, signal, &self.pid.to_string()]);
            kill.output().expect("cannot run kill");
        }
    }

    /// `None` before it has become a worker: between fork and exec it is still like its parent.
    fn rank(&self) -> Option<usize> {
        let environment = fs::read(format!("/proc/{}/environ", self.pid)).ok()?;
        let environment = String::from_utf8_lossy(&environment);
        environment.split('\0').find_map(|line| line.strip_prefix("NDSHM_RANK="))?.parse().ok()
    }

    /// Whether it has a mapping as large as the matrix.
    fn has_mapped(&self, bytes: u64) -> bool {
        let maps = fs::read_to_string(format!("/proc/{}/maps", self.pid)).unwrap_or_default();
        let sizes = maps.lines().filter_map(|line| {
            let (from, to) = line.split_whitespace().next()?.split_once('-')?;
            let [from, to] = [from, to].map(|text| u64::from_str_radix(text, 16));
            Some(to.ok()? - from.ok()?)
        });
        sizes.into_iter().any(|size| size >= bytes)
    }
}

fn workers_of(parent: u32) -> Vec<Process> {
    let Ok(tasks) = fs::read_dir(format!("/proc/{parent}/task")) else { return Vec::new() };
    let children = tasks.flatten().filter_map(|task| {
        let list = fs::read_to_string(task.path().join("children")).ok()?;
        Some(list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<u32>>())
    });
    children.flatten().filter_map(Process::of).collect()
}

/// Starts it, and waits until all workers have the matrix.
fn start(workers: usize, name: &[&str], dir: &Path) -> (Running, Vec<Process>) {
    let p = workers.to_string();
    let arguments = [&["--size", SIZE, "--workers", &p], name].concat();
    let bytes = 6000 * 6000 * 8;
    loop {
        let running = Running::start(&mut command("shared_matrix", &arguments, dir));
        let parent = Process::of(running.id()).expect("not waited for yet");
        let mut found = Vec::new();
        until("all workers have the matrix", SOON * 3, || {
            found = workers_of(parent.pid);
            let ready = |worker: &Process| worker.rank().is_some() && worker.has_mapped(bytes);
            found.len() == workers && found.iter().all(ready) || !parent.lives()
        });
        if parent.lives() {
            return (running, found);
        }
        // It was done before this process was given a moment to look. A name is kept then.
        running.end().exits(0);
        let _ = fs::remove_file(dir.join("ndshm.heat"));
    }
}

fn all_end(workers: &[Process]) {
    until("all workers end", SOON, || !workers.iter().any(Process::lives));
}

#[test]
fn a_worker_that_is_killed_is_named_and_nobody_hangs() {
    let dir = names();
    for (victim, stopped) in [(0, false), (2, false), (1, true)] {
        let (done, workers, pid) = kill_one(victim, stopped, dir.path());
        let said = format!("worker {victim} (pid {pid}) was killed by SIGKILL");
        let lines: Vec<_> = done.stderr.lines().collect();
        assert!(lines.iter().any(|line| line.ends_with(&said)), "{lines:?}");
        // The others say whom they waited for in vain.
        let others = lines.iter().filter(|line| line.contains("the barrier is broken"));
        // Without its pid, if it was killed before it had joined the group.
        let dead = [format!("rank {victim} (pid {pid}) died"), format!("rank {victim} died")];
        let others = others.filter(|line| dead.iter().any(|dead| line.contains(dead))).count();
        assert_eq!(others + 1, lines.len(), "{lines:?}");
        assert!(others == 2 || !stopped, "{lines:?}");
        assert_eq!(done.stdout, "");
        all_end(&workers);
    }
    assert_empty(dir.path());
}

fn kill_one(victim: usize, stopped: bool, dir: &Path) -> (Run, Vec<Process>, u32) {
    loop {
        let (running, workers) = start(3, &[], dir);
        let Some(worker) = workers.iter().find(|worker| worker.rank() == Some(victim)) else {
            running.end().exits(0); // too late
            continue;
        };
        if stopped {
            worker.signal("STOP");
            // The others have long been waiting for it at the barrier when it dies.
            std::thread::sleep(Duration::from_secs(2));
        }
        worker.signal("KILL");
        let (killed, pid) = (Instant::now(), worker.pid);
        let done = running.end();
        if done.status.success() {
            continue; // too late: it had ended
        }
        assert!(killed.elapsed() < SOON, "{:?}", killed.elapsed());
        return (done.exits(1), workers, pid);
    }
}

#[test]
fn the_name_goes_when_a_worker_is_killed() {
    let dir = names();
    let (running, workers) = start(2, &["--name", "heat"], dir.path());
    assert!(dir.path().join("ndshm.heat").exists());
    workers[1].signal("KILL");
    if running.end().status.code() == Some(0) {
        fs::remove_file(dir.path().join("ndshm.heat")).expect("kept: the signal came too late");
    }
    all_end(&workers);
    assert_empty(dir.path());
}

#[test]
fn workers_end_when_their_parent_is_killed() {
    let dir = names();
    let (running, workers) = start(3, &[], dir.path());
    assert_empty(dir.path());
    drop(running); // by SIGKILL
    all_end(&workers);
    assert_empty(dir.path());
}

#[test]
fn what_a_killed_parent_leaves_says_so_and_can_be_removed() {
    let dir = names();
    let path = dir.path().join("ndshm.heat");
    let (running, workers) = start(2, &["--name", "heat"], dir.path());
    // While it lives its name is taken.
    run(&["--size", "5", "--name", "heat"], dir.path()).refused(&["ndshm.heat", "taken", "rm"]);
    drop(running); // by SIGKILL
    all_end(&workers);
    // Whoever comes next is told which rows were at work, or finds what is missing.
    let found = run(&["--attach", "heat"], dir.path());
    if found.status.code() == Some(2) {
        found.refused(&["ndshm.heat", "died with rows", "claimed"]);
    } else {
        assert!(found.exits(1).stdout.contains("WRONG"));
    }
    fs::remove_file(path).expect("it is there");
    run(&["--size", "5", "--workers", "2", "--name", "heat"], dir.path()).exits(0);
}
