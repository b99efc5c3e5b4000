//! What several test files use.

#![allow(dead_code, reason = "each test file uses a part")]

use std::time::{Duration, Instant};

/// Ends the whole test process when it lives too long; a hang is a failure with a name.
pub(crate) struct Watchdog {
    _cancel: std::sync::mpsc::Sender<()>,
}

pub(crate) fn watchdog(name: &'static str, seconds: u64) -> Watchdog {
    let (cancel, cancelled) = std::sync::mpsc::channel::<()>();
    std::thread::spawn(move || {
        let verdict = cancelled.recv_timeout(Duration::from_secs(seconds));
        if verdict == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
            eprintln!("{name}: not done after {seconds} s");
            std::process::abort();
        }
    });
    Watchdog { _cancel: cancel }
}

pub(crate) fn kill(pid: u32, signal: i32) {
    // SAFETY: sends a signal, which touches no memory of this process.
    assert_eq!(unsafe { libc::kill(pid as i32, signal) }, 0, "kill {pid}");
}

/// Whether a process of that id exists; a zombie does.
pub(crate) fn exists(pid: u32) -> bool {
    // SAFETY: signal 0 is not sent: this only asks.
    unsafe { libc::kill(pid as i32, 0) == 0 }
}

/// Polls until `condition` holds; panics when it does not within `limit`.
pub(crate) fn eventually(what: &str, limit: Duration, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < limit, "{what}: not within {limit:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
