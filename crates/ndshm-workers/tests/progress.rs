//! Bars, on a terminal made for the test and nowhere else.
#![cfg(feature = "progress")]

mod common;

use std::fs::File;
use std::io::Read;
use std::os::fd::{FromRawFd, OwnedFd};
use std::process::{Command, Stdio};

use common::watchdog;
use ndshm_workers::{Output, Worker, Workers, progress_bars};

ndshm_workers::test_support!();

const ROLE: &str = "NDSHM_TEST_PROGRESS";

fn steps(worker: &Worker, steps: usize) -> Result<(), String> {
    println!("begins");
    for step in 1..=steps {
        worker.progress(step, steps);
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    Ok(())
}

/// Not a test: the program whose progress is seen.
#[test]
fn program() {
    if std::env::var_os(ROLE).is_some() {
        let workers = Workers::new(2).output(Output::Events).on_event(progress_bars());
        let mut pool = workers.pool().unwrap();
        pool.run(steps, &200).unwrap();
        pool.run(steps, &100).unwrap();
    }
}

fn start(stderr: Stdio) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "program", "--nocapture"]).env(ROLE, "1").env("TERM", "xterm");
    command.stdout(Stdio::piped()).stderr(stderr);
    command
}

#[test]
fn bars_are_shown_on_a_terminal() {
    let _watchdog = watchdog("bars", 60);
    let size = libc::winsize { ws_row: 40, ws_col: 100, ws_xpixel: 0, ws_ypixel: 0 };
    let (mut master, mut slave) = (-1, -1);
    let (none, size) = (std::ptr::null_mut(), &raw const size);
    // SAFETY: the two numbers are what it writes; it reads `size`, and takes null for the rest.
    let r = unsafe { libc::openpty(&raw mut master, &raw mut slave, none, std::ptr::null(), size) };
    assert_eq!(r, 0, "openpty: {}", std::io::Error::last_os_error());
    // SAFETY: a new descriptor that nothing else owns.
    let mut master = unsafe { File::from_raw_fd(master) };
    // SAFETY: the same.
    let slave = unsafe { OwnedFd::from_raw_fd(slave) };
    let child = start(slave.into()).spawn().unwrap();
    let shown = std::thread::spawn(move || {
        let (mut all, mut piece) = (Vec::new(), [0; 4096]);
        // An error is the end: nobody has the other side any more.
        while let Ok(n @ 1..) = master.read(&mut piece) {
            all.extend_from_slice(&piece[..n]);
        }
        String::from_utf8_lossy(&all).into_owned()
    });
    let ended = child.wait_with_output().unwrap();
    assert!(ended.status.success());
    let out = String::from_utf8(ended.stdout).unwrap();
    let shown = shown.join().unwrap();
    for rank in 0..2 {
        assert_eq!(out.lines().filter(|l| *l == format!("[{rank}] begins")).count(), 2, "{out}");
        assert!(shown.contains(&format!("[{rank}] ")) && shown.contains("/200"), "{shown:?}");
    }
    assert!(shown.contains("/100"), "the second run too: {shown:?}");
}

#[test]
fn nothing_is_shown_elsewhere() {
    let _watchdog = watchdog("no bars", 60);
    let ended = start(Stdio::piped()).output().unwrap();
    assert!(ended.status.success());
    assert_eq!(String::from_utf8_lossy(&ended.stderr), "");
}
