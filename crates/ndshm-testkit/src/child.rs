//! A child process that does not outlive its handle.

use std::ffi::c_int;
use std::io::{BufRead, BufReader};
use std::mem::MaybeUninit;
use std::process::{self, ChildStdout, ExitStatus};
use std::time::{Duration, Instant};

/// A child process in a role; killed by its process id and reaped when this is dropped.
#[derive(Debug)]
pub struct Child {
    inner: process::Child,
    name: String,
    stdout: Option<BufReader<ChildStdout>>,
}

impl Child {
    pub(crate) fn new(mut inner: process::Child, name: String) -> Self {
        let stdout = inner.stdout.take().map(BufReader::new);
        Self { inner, name, stdout }
    }

    /// Its process id, as this process sees it.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.inner.id()
    }

    /// Sends it a signal.
    ///
    /// # Panics
    ///
    /// When it has been reaped already.
    pub fn signal(&mut self, signal: c_int) {
        assert_eq!(self.inner.try_wait().ok(), Some(None), "{} is no more", self.name);
        self.send(signal);
    }

    fn send(&self, signal: c_int) {
        let pid = c_int::try_from(self.pid()).expect("a process id is positive");
        // SAFETY: not reaped yet, so the number is still this child's; no memory is touched.
        unsafe { libc::kill(pid, signal) };
    }

    /// SIGKILL, without waiting for the death.
    pub fn kill_now(&mut self) {
        let _ = self.inner.kill();
    }

    /// SIGKILL, and waits until it is dead and reaped.
    ///
    /// # Panics
    ///
    /// When it cannot be waited for.
    pub fn kill(&mut self) -> ExitStatus {
        self.kill_now();
        self.inner.wait().expect("cannot wait for a child")
    }

    /// SIGKILL, waits for the death, and leaves the zombie unreaped.
    ///
    /// # Panics
    ///
    /// When it cannot be waited for.
    pub fn kill_to_zombie(&mut self) {
        self.kill_now();
        self.state_change(libc::WEXITED);
    }

    /// SIGSTOP, and waits until it has stopped.
    ///
    /// # Panics
    ///
    /// When it ends instead.
    pub fn stop(&mut self) {
        self.signal(libc::SIGSTOP);
        self.state_change(libc::WSTOPPED | libc::WEXITED);
        assert!(self.is_running(), "{} ended instead of stopping", self.name);
    }

    /// SIGCONT.
    ///
    /// # Panics
    ///
    /// When it has been reaped already.
    pub fn resume(&mut self) {
        self.signal(libc::SIGCONT);
    }

    /// Waits for a change of state and leaves it to be waited for again.
    fn state_change(&self, which: c_int) {
        let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
        loop {
            // SAFETY: `info` has room for what the kernel writes.
            let r = unsafe {
                libc::waitid(libc::P_PID, self.pid(), info.as_mut_ptr(), which | libc::WNOWAIT)
            };
            if r == 0 {
                return;
            }
            let e = std::io::Error::last_os_error();
            assert_eq!(e.kind(), std::io::ErrorKind::Interrupted, "waitid: {e}");
        }
    }

    /// Whether it has not ended yet.
    ///
    /// # Panics
    ///
    /// When it cannot be asked.
    pub fn is_running(&mut self) -> bool {
        self.inner.try_wait().expect("cannot ask for a child's state").is_none()
    }

    /// Waits for its end.
    ///
    /// # Panics
    ///
    /// When it has not ended after `limit`.
    pub fn wait(&mut self, limit: Duration) -> ExitStatus {
        let start = Instant::now();
        loop {
            if let Some(status) = self.inner.try_wait().expect("cannot wait for a child") {
                return status;
            }
            assert!(start.elapsed() < limit, "{} has not ended after {limit:?}", self.name);
            std::thread::sleep(Duration::from_micros(500));
        }
    }

    /// Waits for its end, which has to be a good one.
    ///
    /// # Panics
    ///
    /// When it failed, or has not ended after `limit`.
    pub fn succeed(&mut self, limit: Duration) {
        let status = self.wait(limit);
        assert!(status.success(), "{} failed: {status}", self.name);
    }

    /// The next line that it prints; empty at its end. Only for one that was
    /// [`piped`](crate::Role::piped).
    ///
    /// # Panics
    ///
    /// When it was not, or prints no text.
    pub fn line(&mut self) -> String {
        let mut line = String::new();
        let stdout = self.stdout.as_mut().expect("its output is not piped");
        stdout.read_line(&mut line).expect("cannot read what a child prints");
        line.trim_end().to_owned()
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let _ = self.kill();
    }
}
