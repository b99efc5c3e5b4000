//! Going through another process's instructions, by `ptrace`.

use std::ffi::{c_long, c_uint};
use std::io;
use std::mem::offset_of;
use std::ptr;
use std::time::Duration;

use crate::child::{Birth, Child, State};

/// Why this cannot be done here, if so.
pub(crate) fn impossible() -> Option<String> {
    if cfg!(not(target_arch = "x86_64")) {
        return Some("registers are named for x86-64 only".to_owned());
    }
    let limit = Duration::from_secs(10);
    let tried = Child::spawn(Birth::Plain, stop_here).and_then(|child| {
        let mut traced = Traced::new(child, limit)?;
        traced.stop_at(traced.instruction()?)?;
        traced.step(limit)
    });
    tried.err().map(|e| format!("ptrace: {e}"))
}

/// For one that is to be traced: stops, and goes on as its parent wants.
pub(crate) fn stop_here() {
    let _ = request(libc::PTRACE_TRACEME, 0, 0, 0);
    // SAFETY: stops this process until its tracer lets it go on; touches no memory.
    unsafe { libc::raise(libc::SIGSTOP) };
}

fn request(what: c_uint, pid: libc::pid_t, address: usize, data: c_long) -> io::Result<c_long> {
    // SAFETY: none of the requests made here has the kernel write to memory of this process.
    let r = unsafe { libc::ptrace(what, pid, ptr::without_provenance_mut::<u8>(address), data) };
    if r == -1 { Err(io::Error::last_os_error()) } else { Ok(r) }
}

/// A child that has stopped where it was told to.
#[derive(Debug)]
pub(crate) struct Traced {
    pub(crate) child: Child,
}

/// What came of letting it go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Came {
    /// It stopped before an instruction: one step further, or at the breakpoint.
    Stopped,
    /// Its turn is over.
    Ended,
    /// Nothing so far: it runs, or sleeps.
    Nothing,
}

impl Traced {
    /// One that calls [`stop_here`], once it has.
    pub(crate) fn new(mut child: Child, limit: Duration) -> io::Result<Self> {
        match child.wait(limit) {
            Some(State::Stopped(libc::SIGSTOP)) => {}
            other => return Err(io::Error::other(format!("it did not stop: {other:?}"))),
        }
        request(libc::PTRACE_SETOPTIONS, child.pid(), 0, libc::PTRACE_O_EXITKILL.into())?;
        Ok(Self { child })
    }

    /// The address of its next instruction.
    pub(crate) fn instruction(&self) -> io::Result<u64> {
        let at = offset_of!(libc::user, regs) + offset_of!(libc::user_regs_struct, rip);
        // SAFETY: reads one word of the child's registers; the wrapper of the C library writes it to
        // a variable of its own.
        let r = unsafe {
            libc::ptrace(libc::PTRACE_PEEKUSER, self.child.pid(), ptr::without_provenance::<u8>(at))
        };
        Ok(r.cast_unsigned())
    }

    /// Executes one instruction; a system call that sleeps may not end within `limit`.
    pub(crate) fn step(&mut self, limit: Duration) -> io::Result<Came> {
        request(libc::PTRACE_SINGLESTEP, self.child.pid(), 0, 0)?;
        self.wait(limit)
    }

    /// Has it stop whenever it comes to that instruction, before it is executed.
    pub(crate) fn stop_at(&self, instruction: u64) -> io::Result<()> {
        let register = |n: usize| offset_of!(libc::user, u_debugreg) + n * size_of::<u64>();
        let pid = self.child.pid();
        request(libc::PTRACE_POKEUSER, pid, register(0), instruction.cast_signed())?;
        // On execution, one byte, for this process.
        request(libc::PTRACE_POKEUSER, pid, register(7), 1)?;
        Ok(())
    }

    /// Lets it run.
    pub(crate) fn go_on(&mut self, limit: Duration) -> io::Result<Came> {
        request(libc::PTRACE_CONT, self.child.pid(), 0, 0)?;
        self.wait(limit)
    }

    /// Waits for what comes of it.
    pub(crate) fn wait(&mut self, limit: Duration) -> io::Result<Came> {
        loop {
            return match self.child.wait(limit) {
                None => Ok(Came::Nothing),
                Some(State::Stopped(libc::SIGTRAP)) => Ok(Came::Stopped),
                Some(State::Exited(0)) => Ok(Came::Ended),
                Some(State::Stopped(signal)) => {
                    request(libc::PTRACE_CONT, self.child.pid(), 0, signal.into())?;
                    continue;
                }
                Some(other) => Err(io::Error::other(format!("it ended by itself: {other:?}"))),
            };
        }
    }
}
