//! Forking, which is not how a test starts its children, but what some are about.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Forks, with handlers or without, and has the child end well if `child` does not panic. For a
/// process of one thread. Gives the child's process id.
///
/// # Panics
///
/// When there can be no more processes.
pub fn fork(with_handlers: bool, child: impl FnOnce()) -> libc::pid_t {
    // SAFETY: this process has one thread, so the child finds everything as it was.
    let pid = if with_handlers { unsafe { libc::fork() } } else { unsafe { raw_clone() } };
    assert!(pid >= 0, "fork: {}", std::io::Error::last_os_error());
    if pid == 0 {
        let ended = catch_unwind(AssertUnwindSafe(child));
        // SAFETY: ends the child without running what belongs to the parent.
        unsafe { libc::_exit(i32::from(ended.is_err())) };
    }
    pid
}

/// # Safety
///
/// As for `fork`, in a process of one thread.
unsafe fn raw_clone() -> libc::pid_t {
    // SAFETY: no flags but the signal: a plain fork, of which the C library knows nothing.
    let pid = unsafe { libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0) };
    libc::pid_t::try_from(pid).expect("a process id")
}

/// Waits for a forked child.
///
/// # Panics
///
/// When it failed.
pub fn ends_well(pid: libc::pid_t) {
    let mut status = 0;
    // SAFETY: `status` is what the kernel writes.
    let r = unsafe { libc::waitpid(pid, &raw mut status, 0) };
    assert_eq!((r, status), (pid, 0), "the forked child failed");
}
