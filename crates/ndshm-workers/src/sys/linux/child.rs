//! Processes to be started, and their ends.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::Command;

use rustix::io::{Errno, FdFlags, fcntl_setfd};
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, getpid, getppid, kill_process_group,
    pidfd_open, pidfd_send_signal, set_parent_process_death_signal, setpgid, waitid,
};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// What becomes of a process between fork and exec.
#[derive(Debug, Default)]
pub(crate) struct Preparation {
    /// It inherits this.
    pub(crate) own: Option<OwnedFd>,
    /// The processors it may run on; where empty, those of its parent.
    pub(crate) cpus: Vec<usize>,
    /// Whether it leads a process group, so that what it starts can be ended with it.
    pub(crate) leads_group: bool,
}

/// Prepares `command`'s process, and has it killed when the thread that starts it ends. No other child
/// inherits the descriptor.
pub(crate) fn prepare_child(command: &mut Command, preparation: Preparation) {
    let Preparation { own, cpus, leads_group } = preparation;
    let launcher = getpid();
    let cpus = (!cpus.is_empty()).then(|| set_of(&cpus));
    let before_exec = move || {
        set_parent_process_death_signal(Some(Signal::KILL))?;
        // The launcher may have died before the line above: then no signal comes.
        if getppid() != Some(launcher) {
            return Err(Errno::SRCH.into());
        }
        if leads_group {
            setpgid(None, None)?;
        }
        if let Some(cpus) = &cpus {
            sched_setaffinity(None, cpus)?;
        }
        if let Some(fd) = &own {
            fcntl_setfd(fd, FdFlags::empty())?;
        }
        Ok(())
    };
    // SAFETY: between fork and exec only prctl, getpid, getppid, setpgid, sched_setaffinity and fcntl
    // are called, all of them async-signal-safe; nothing is allocated or freed and no lock is taken.
    unsafe { command.pre_exec(before_exec) };
}

fn set_of(cpus: &[usize]) -> CpuSet {
    let mut set = CpuSet::new();
    for &cpu in cpus.iter().filter(|&&cpu| cpu < CpuSet::MAX_CPU) {
        set.set(cpu);
    }
    set
}

/// The processors that this thread may run on, in order.
pub(crate) fn allowed_cpus() -> io::Result<Vec<usize>> {
    let set = sched_getaffinity(None)?;
    Ok((0..CpuSet::MAX_CPU).filter(|&cpu| set.is_set(cpu)).collect())
}

/// A descriptor that becomes readable when the child has ended.
pub(crate) fn pidfd(pid: u32) -> io::Result<OwnedFd> {
    let pid = number(pid).ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
    Ok(pidfd_open(pid, PidfdFlags::empty())?)
}

/// Kills the process that `pidfd` refers to, whatever became of its number.
pub(crate) fn kill(pidfd: &OwnedFd) -> io::Result<()> {
    Ok(pidfd_send_signal(pidfd, Signal::KILL)?)
}

/// Sends a signal to the process group that the child `pid` leads, which is not yet waited for.
pub(crate) fn signal_group(pid: u32, signal: i32) {
    if let Some((pid, signal)) = number(pid).zip(Signal::from_named_raw(signal)) {
        // Refused only where nobody of the group is left.
        let _ = kill_process_group(pid, signal);
    }
}

/// The signal that asks a process to end.
pub(crate) fn terminate() -> i32 {
    Signal::TERM.as_raw()
}

/// Whether the child has ended with status 0; it stays to be waited for.
pub(crate) fn ended_well(pidfd: &OwnedFd) -> bool {
    use std::os::fd::AsFd;
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    let status = waitid(WaitId::PidFd(pidfd.as_fd()), options);
    status.is_ok_and(|status| status.is_some_and(|status| status.exit_status() == Some(0)))
}

fn number(pid: u32) -> Option<Pid> {
    i32::try_from(pid).ok().and_then(Pid::from_raw)
}
