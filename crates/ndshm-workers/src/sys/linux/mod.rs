//! Linux: memfd, pidfd, poll, signals, what happens between fork and exec, and where code lies.

mod child;
mod files;
mod image;
mod signals;

use std::os::unix::process::parent_id;

pub(crate) use child::{
    Preparation, allowed_cpus, ended_well, kill, pidfd, prepare_child, signal_group, terminate,
};
pub(crate) use files::{anonymous_file, inherited, make_nonblocking, receive, send, wait_readable};
pub(crate) use image::{ExecutableId, Image, THIS_EXECUTABLE};
pub(crate) use signals::{Handlers, Interrupts};

/// Whether the kernel marked this process as more privileged than who started it (setuid and kin).
pub(crate) fn is_privileged_start() -> bool {
    // SAFETY: reads a word of the auxiliary vector, which the kernel wrote before the start.
    unsafe { libc::getauxval(libc::AT_SECURE) != 0 }
}

/// Whether this process has one thread only. `false` when that cannot be told.
pub(crate) fn is_single_threaded() -> bool {
    std::fs::read_dir("/proc/self/task").is_ok_and(|tasks| tasks.count() == 1)
}

/// Ignores SIGPIPE, as Rust's runtime does before `main`: a write to a closed pipe is an error.
pub(crate) fn ignore_sigpipe() {
    // SAFETY: SIG_IGN is a valid disposition for SIGPIPE and runs no code.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
}

/// The process that started this one.
pub(crate) fn parent_pid() -> u32 {
    parent_id()
}
