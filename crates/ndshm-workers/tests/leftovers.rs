//! What a run leaves behind: nothing. A process of its own, so that no other test opens files in it.

mod common;

use std::collections::BTreeSet;
use std::time::Duration;

use common::{exists, watchdog};
use ndshm_buffer::SharedBuffer;
use ndshm_workers::{Event, Worker, Workers};

ndshm_workers::test_support!();

fn descriptors() -> BTreeSet<String> {
    let entries = std::fs::read_dir("/proc/self/fd").unwrap().map(|entry| entry.unwrap().path());
    entries.filter_map(|fd| Some(format!("{fd:?} {:?}", std::fs::read_link(&fd).ok()?))).collect()
}

fn children() -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let of_task = |task: std::path::PathBuf| {
        std::fs::read_to_string(task.join("children")).unwrap_or_default()
    };
    tasks.map(|task| of_task(task.unwrap().path()).split_whitespace().count()).sum()
}

/// What a worker inherits, apart from stdin, stdout, stderr and what it opens itself.
fn inherited(worker: &Worker, (buffer, fail): (SharedBuffer, bool)) -> Result<Vec<String>, String> {
    if fail && worker.rank() == 1 {
        std::process::exit(5);
    }
    buffer.write_at(worker.rank(), &[1]).map_err(|e| e.to_string())?;
    // A grandchild sees only what is not closed on exec, and is no worker although it is the
    // same program in the same environment.
    let output = std::process::Command::new("/bin/ls")
        .args(["-l", "/proc/self/fd"])
        .output()
        .map_err(|e| e.to_string())?;
    let listing = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok(listing
        .lines()
        .filter(|line| line.contains("memfd") || line.contains("socket"))
        .map(str::to_owned)
        .collect())
}

#[test]
fn nothing_is_left() {
    let _watchdog = watchdog("leftovers", 120);
    let buffer = SharedBuffer::anonymous(4096).unwrap();
    // Whatever is opened once and kept, by libtest or by us, is open after this.
    Workers::new(2).run(inherited, &(buffer.clone(), false)).unwrap();
    let before = descriptors();
    for round in 0..10 {
        let mut pids = Vec::new();
        let workers = Workers::new(3).on_event(|event| {
            if let Event::Started { pid, .. } = event {
                pids.push(pid);
            }
        });
        let result = workers.run(inherited, &(buffer.clone(), round % 2 == 1));
        assert_eq!(result.is_err(), round % 2 == 1);
        if let Ok(listings) = result {
            for listing in listings {
                assert_eq!(listing, [""; 0], "a worker's child inherits descriptors");
            }
        }
        drop(workers);
        assert_eq!(pids.len(), 3);
        for pid in pids {
            assert!(!exists(pid), "worker {pid} is left");
        }
    }
    assert_eq!(descriptors(), before);
    assert_eq!(children(), 0);

    // While workers run, other children of this process inherit nothing of theirs.
    let slow = |_: &Worker, _: SharedBuffer| {
        std::thread::sleep(Duration::from_millis(300));
        Ok::<_, String>(())
    };
    let mut listing = None;
    let workers = Workers::new(1).on_event(|event| {
        if matches!(event, Event::Started { .. }) {
            let output =
                std::process::Command::new("/bin/ls").args(["-l", "/proc/self/fd"]).output();
            listing = Some(String::from_utf8_lossy(&output.unwrap().stdout).into_owned());
        }
    });
    workers.run(slow, &buffer).unwrap();
    drop(workers);
    assert!(!listing.unwrap().contains("memfd"));
}
