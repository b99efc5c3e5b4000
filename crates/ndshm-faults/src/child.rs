//! Child processes of a campaign, made by `fork` alone: no new program, so thousands a second.

use std::ffi::c_int;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

/// How a child comes to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Birth {
    /// By `fork`.
    Plain,
    /// As the first process of a PID namespace of its own: its process id is 1.
    Namespace,
    /// By `fork`, with this process id where it is free.
    Pid(libc::pid_t),
}

/// What became of a child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Stopped by that signal.
    Stopped(c_int),
    /// Killed by that signal.
    Killed(c_int),
    /// Ended with that status.
    Exited(c_int),
}

/// A child process; killed and reaped when dropped.
#[derive(Debug)]
pub(crate) struct Child {
    pid: libc::pid_t,
    reaped: bool,
}

/// From now on SIGCHLD is kept for [`Child::wait`]. Once, before any child.
pub(crate) fn keep_sigchld() {
    let set = sigchld();
    // SAFETY: a valid set; the old one is not asked for.
    unsafe { libc::sigprocmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut()) };
}

fn sigchld() -> libc::sigset_t {
    let mut set = std::mem::MaybeUninit::uninit();
    // SAFETY: room for a set.
    unsafe { libc::sigemptyset(set.as_mut_ptr()) };
    // SAFETY: initialised by the call before.
    let mut set = unsafe { set.assume_init() };
    // SAFETY: a valid set and a valid signal.
    unsafe { libc::sigaddset(&raw mut set, libc::SIGCHLD) };
    set
}

/// SIGKILL, by itself.
pub(crate) fn die() -> ! {
    // SAFETY: always succeeds, and touches no memory.
    let me = unsafe { libc::getpid() };
    loop {
        // SAFETY: signals this process itself, and touches no memory.
        unsafe { libc::kill(me, libc::SIGKILL) };
    }
}

/// Has this process come before its players, which never rest, when it has something to do: where
/// that is allowed. Or, for a player, not any more.
pub(crate) fn hurry(yes: bool) {
    // SAFETY: changes the priority of this process; touches no memory.
    unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, if yes { -15 } else { 0 }) };
}

/// Takes over children whose parent has died, so that they can be reaped.
pub(crate) fn adopt_orphans() {
    // SAFETY: the option takes a flag, and touches no memory of ours.
    unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1) };
}

/// Reaps every child that has ended, and is none of `known`.
pub(crate) fn reap_strays(known: impl Fn(libc::pid_t) -> bool) {
    loop {
        // SAFETY: plain data, valid when zeroed.
        let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
        let how = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
        // SAFETY: `info` has room for what the kernel writes.
        let r = unsafe { libc::waitid(libc::P_ALL, 0, &raw mut info, how) };
        // SAFETY: filled by `waitid`, or zero.
        let pid = unsafe { info.si_pid() };
        if r != 0 || pid == 0 || known(pid) {
            return;
        }
        // SAFETY: no status is asked for.
        unsafe { libc::waitpid(pid, std::ptr::null_mut(), libc::WNOHANG) };
    }
}

impl Child {
    /// Starts `body` in a child, which ends when `body` returns, and dies with its parent.
    ///
    /// This process has to have one thread only, since the child goes on with one.
    pub(crate) fn spawn(birth: Birth, body: impl FnOnce()) -> io::Result<Self> {
        if let Birth::Pid(pid) = birth {
            std::fs::write("/proc/sys/kernel/ns_last_pid", (pid - 1).to_string())?;
        }
        let pid = if birth == Birth::Namespace {
            let flags = libc::c_long::from(libc::CLONE_NEWPID | libc::SIGCHLD);
            // SAFETY: as `fork`, which takes no memory from this process; no handlers run, which
            // members of a region allow for.
            let pid = unsafe { libc::syscall(libc::SYS_clone, flags, 0, 0, 0, 0) };
            libc::pid_t::try_from(pid).expect("a process id")
        } else {
            // SAFETY: this process has one thread (the caller's promise, checked by nobody), so
            // the child finds no lock held that its own thread does not hold.
            unsafe { libc::fork() }
        };
        match pid {
            0 => {
                ndshm_testkit::die_with_parent();
                hurry(false);
                let status = if catch_unwind(AssertUnwindSafe(body)).is_ok() { 0 } else { 101 };
                // SAFETY: ends the process without running what the parent has registered.
                unsafe { libc::_exit(status) }
            }
            -1 => Err(io::Error::last_os_error()),
            pid => Ok(Self { pid, reaped: false }),
        }
    }

    pub(crate) const fn pid(&self) -> libc::pid_t {
        self.pid
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: c_int) {
        if !self.reaped {
            // SAFETY: not reaped, so the number is this child's; no memory is touched.
            unsafe { libc::kill(self.pid, signal) };
        }
    }

    /// What became of it, if anything did.
    pub(crate) fn look(&mut self) -> Option<State> {
        let mut status = 0;
        // SAFETY: `status` has room for what the kernel writes.
        let r = unsafe {
            libc::waitpid(self.pid, &raw mut status, libc::WNOHANG | libc::WUNTRACED | libc::__WALL)
        };
        if r != self.pid {
            return None;
        }
        if libc::WIFSTOPPED(status) {
            return Some(State::Stopped(libc::WSTOPSIG(status)));
        }
        self.reaped = true;
        Some(if libc::WIFSIGNALED(status) {
            State::Killed(libc::WTERMSIG(status))
        } else {
            State::Exited(libc::WEXITSTATUS(status))
        })
    }

    /// Waits until something becomes of it, for at most `limit`.
    pub(crate) fn wait(&mut self, limit: Duration) -> Option<State> {
        let mut start = None;
        loop {
            if let Some(state) = self.look() {
                return Some(state);
            }
            let left = limit.checked_sub(start.get_or_insert_with(Instant::now).elapsed())?;
            let timeout = libc::timespec {
                tv_sec: libc::time_t::try_from(left.as_secs()).unwrap_or(libc::time_t::MAX),
                tv_nsec: left.subsec_nanos().into(),
            };
            let set = sigchld();
            // SAFETY: a valid set and a valid time; who sent it is not asked for.
            unsafe { libc::sigtimedwait(&raw const set, std::ptr::null_mut(), &raw const timeout) };
        }
    }

    /// Whether it sleeps in the kernel, as /proc tells.
    pub(crate) fn sleeps(&self) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid));
        stat.is_ok_and(|s| s.rsplit(") ").next().is_some_and(|rest| rest.starts_with('S')))
    }

    /// SIGKILL, and waits until it is dead and reaped; `false` when that takes longer than `limit`.
    pub(crate) fn kill(&mut self, limit: Duration) -> bool {
        self.signal(libc::SIGKILL);
        let start = Instant::now();
        while !self.reaped {
            let Some(left) = limit.checked_sub(start.elapsed()) else { return false };
            self.wait(left);
        }
        true
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.kill(Duration::from_secs(10));
    }
}
