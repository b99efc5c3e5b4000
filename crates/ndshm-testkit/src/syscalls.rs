//! Going through another process's system calls, by `ptrace`: to kill it, to overtake it or to have a
//! call fail, at each of them.

use std::ffi::{c_int, c_long, c_uint};
use std::mem::offset_of;
use std::ptr;

use crate::fork;

/// A forked child that stops before each of its system calls. Killed when this is dropped.
#[derive(Debug)]
pub struct Traced {
    pid: libc::pid_t,
    status: Option<c_int>,
}

impl Traced {
    /// Forks, and has the child end well if `child` does not panic; it has not begun yet. For a process
    /// of one thread.
    ///
    /// # Panics
    ///
    /// When there can be no more processes, or none may be traced.
    #[must_use]
    pub fn fork(child: impl FnOnce()) -> Self {
        let pid = fork(true, || {
            request(libc::PTRACE_TRACEME, 0, 0, 0);
            // SAFETY: stops this process until its tracer lets it go on; touches no memory.
            unsafe { libc::raise(libc::SIGSTOP) };
            child();
        });
        let mut traced = Self { pid, status: None };
        let stopped = traced.wait();
        assert_eq!(stopped, Some(libc::SIGSTOP), "it did not stop to be traced");
        let options = libc::PTRACE_O_EXITKILL | libc::PTRACE_O_TRACESYSGOOD;
        request(libc::PTRACE_SETOPTIONS, pid, 0, options.into());
        traced
    }

    /// Lets it run until it is about to make a system call; gives the number of that. `None` once it has
    /// ended.
    ///
    /// # Panics
    ///
    /// When it cannot be traced.
    pub fn to_call(&mut self) -> Option<c_long> {
        self.run_to_stop().then(|| self.register(offset_of!(libc::user_regs_struct, orig_rax)))
    }

    /// Lets it make the call that it is about to make; false where it ended meanwhile.
    ///
    /// # Panics
    ///
    /// When it cannot be traced.
    pub fn make_call(&mut self) -> bool {
        self.run_to_stop()
    }

    /// Has the call that it is about to make fail, without being made; false where it ended meanwhile.
    ///
    /// # Panics
    ///
    /// When it cannot be traced.
    pub fn fail_call(&mut self, errno: c_int) -> bool {
        // No system call has this number.
        self.set_register(offset_of!(libc::user_regs_struct, orig_rax), -1);
        let goes_on = self.run_to_stop();
        if goes_on {
            self.set_register(offset_of!(libc::user_regs_struct, rax), (-errno).into());
        }
        goes_on
    }

    /// Lets it run to its end; what the kernel says of that.
    ///
    /// # Panics
    ///
    /// When it cannot be traced.
    pub fn end(&mut self) -> c_int {
        while self.status.is_none() {
            request(libc::PTRACE_CONT, self.pid, 0, 0);
            self.wait();
        }
        self.status.unwrap_or_default()
    }

    /// SIGKILL, and waits for its death.
    ///
    /// # Panics
    ///
    /// When it cannot be waited for.
    pub fn kill(&mut self) {
        if self.status.is_none() {
            // SAFETY: a child that was not waited for, so the number is its own; touches no memory.
            unsafe { libc::kill(self.pid, libc::SIGKILL) };
            while self.status.is_none() {
                self.wait();
            }
        }
    }

    /// To the next entry of a system call, or return from one.
    fn run_to_stop(&mut self) -> bool {
        let mut signal = 0;
        while self.status.is_none() {
            request(libc::PTRACE_SYSCALL, self.pid, 0, signal);
            match self.wait() {
                Some(stopped) if stopped == libc::SIGTRAP | 0x80 => return true,
                Some(other) => signal = other.into(),
                None => {}
            }
        }
        false
    }

    /// Waits for it to stop, and gives the signal; `None` where it has ended.
    fn wait(&mut self) -> Option<c_int> {
        let mut status = 0;
        // SAFETY: `status` is what the kernel writes.
        let r = unsafe { libc::waitpid(self.pid, &raw mut status, 0) };
        assert_eq!(r, self.pid, "waitpid: {}", std::io::Error::last_os_error());
        if libc::WIFSTOPPED(status) {
            return Some(libc::WSTOPSIG(status));
        }
        self.status = Some(status);
        None
    }

    fn register(&self, which: usize) -> c_long {
        let at = offset_of!(libc::user, regs) + which;
        request(libc::PTRACE_PEEKUSER, self.pid, at, 0)
    }

    fn set_register(&self, which: usize, value: c_long) {
        let at = offset_of!(libc::user, regs) + which;
        request(libc::PTRACE_POKEUSER, self.pid, at, value);
    }
}

impl Drop for Traced {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.kill();
        }
    }
}

/// What the kernel answers; a failure is one of this program.
fn request(what: c_uint, pid: libc::pid_t, address: usize, data: c_long) -> c_long {
    // SAFETY: none of the requests made here has the kernel write to memory of this process; the wrapper of
    // the C library keeps a word that it reads in a variable of its own.
    let r = unsafe { libc::ptrace(what, pid, ptr::without_provenance_mut::<u8>(address), data) };
    // A register may well hold -1.
    assert!(
        r != -1 || what == libc::PTRACE_PEEKUSER,
        "ptrace: {}",
        std::io::Error::last_os_error()
    );
    r
}
