//! An end to tests that hang.

use std::io::{self, Write};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

/// Ends the whole process, and with it its children, unless it is dropped in time.
#[derive(Debug)]
pub struct Watchdog {
    _alive: Sender<()>,
}

impl Watchdog {
    /// Gives `what` that long.
    #[must_use]
    pub fn start(what: &str, limit: Duration) -> Self {
        let (alive, dropped) = mpsc::channel::<()>();
        let what = what.to_owned();
        thread::spawn(move || {
            if dropped.recv_timeout(limit) == Err(RecvTimeoutError::Timeout) {
                // Not `eprintln`: it panics where nobody reads, and the process would live on.
                let _ = writeln!(
                    io::stderr(),
                    "\nWATCHDOG: {what} has not ended after {limit:?}: it hangs"
                );
                // SAFETY: ends the process at once; destructors might wait for what hangs.
                unsafe { libc::_exit(101) };
            }
        });
        Self { _alive: alive }
    }
}
