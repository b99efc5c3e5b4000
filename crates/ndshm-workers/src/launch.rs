//! Starting processes, and never leaving one behind.

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::environment::{self, Variables};
use crate::order::Welcome;
use crate::output::Lines;
use crate::sys::{self, Preparation};
use crate::wire::{Decoder, Message};
use crate::{Output, Stream};

/// How long a worker that was let go may take to end by itself.
const PARTING: Duration = Duration::from_millis(500);

/// What a process is doing, as far as its launcher knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Its run goes on.
    Busy,
    /// It waits for the next run.
    Idle,
    /// It has ended, and was waited for.
    Gone,
}

/// A worker process, from the launcher's side.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) rank: usize,
    pub(crate) pid: u32,
    pub(crate) child: Child,
    /// And not a program.
    pub(crate) is_worker: bool,
    /// Readable once the process has ended.
    pub(crate) pidfd: OwnedFd,
    /// `None` once the other end is closed, and for a program.
    pub(crate) socket: Option<UnixStream>,
    pub(crate) decoder: Decoder,
    /// What it prints, where that comes here.
    pub(crate) lines: Vec<Lines>,
    /// Whether it has become a worker.
    pub(crate) ready: bool,
    /// The last message of its run.
    pub(crate) report: Option<Message>,
    pub(crate) state: State,
}

/// The processes of one group. Dropping it ends those that still run.
#[derive(Debug)]
pub(crate) struct Team {
    pub(crate) processes: Vec<Process>,
    /// The process that started them: they are no children of one that was forked from it.
    launcher: u32,
}

impl Default for Team {
    fn default() -> Self {
        Self { processes: Vec::new(), launcher: std::process::id() }
    }
}

impl Team {
    /// Kills all that are not gone, and waits for them.
    pub(crate) fn end(&mut self) {
        if self.launcher != std::process::id() {
            return;
        }
        // All are told before one is waited for. Either fails only where the process is gone.
        let running = || |process: &&mut Process| process.state != State::Gone;
        for process in self.processes.iter_mut().filter(running()) {
            process.kill();
        }
        for process in self.processes.iter_mut().filter(running()) {
            let _ = process.child.wait();
            process.state = State::Gone;
        }
    }

    /// Lets idle workers go: they end by themselves, and are killed where they do not.
    pub(crate) fn part(&mut self) {
        for process in &mut self.processes {
            process.socket = None;
        }
        let until = Instant::now() + PARTING;
        for process in self.processes.iter_mut().filter(|process| process.state == State::Idle) {
            let ended = sys::wait_readable(&[process.pidfd.as_fd()], Some(until));
            if ended.is_ok_and(|ended| ended == [true]) {
                let _ = process.child.wait();
                process.state = State::Gone;
            }
        }
    }

    /// Takes account of the idle that have ended since.
    pub(crate) fn notice(&mut self) -> io::Result<()> {
        let idle: Vec<usize> =
            self.processes.iter().filter(|p| p.state == State::Idle).map(|p| p.rank).collect();
        let fds: Vec<_> = idle.iter().map(|&rank| self.processes[rank].pidfd.as_fd()).collect();
        let ended = sys::wait_readable(&fds, Some(Instant::now()))?;
        for rank in idle.into_iter().zip(ended).filter_map(|(rank, ended)| ended.then_some(rank)) {
            let _ = self.processes[rank].child.wait();
            self.processes[rank].state = State::Gone;
        }
        Ok(())
    }
}

impl Drop for Team {
    fn drop(&mut self) {
        self.end();
    }
}

impl Process {
    pub(crate) fn kill(&self) {
        // Fails only where it is gone.
        let _ = sys::kill(&self.pidfd);
    }
}

/// What is started in each process.
#[derive(Debug)]
pub(crate) enum What {
    /// This executable, to be a worker.
    Worker(Welcome),
    /// A program as it is, which finds the group's segment by that handle.
    Program { program: OsString, args: Vec<OsString>, handle: Vec<u8> },
}

/// All that is needed to start the process of any rank, at any time.
#[derive(Debug)]
pub(crate) struct Starter {
    pub(crate) size: usize,
    pub(crate) what: What,
    /// In the environment of each; those without a value are taken out of it.
    pub(crate) variables: Vec<(OsString, Option<OsString>)>,
    /// Of each rank; empty where they go where they like.
    pub(crate) cpus: Vec<Vec<usize>>,
    pub(crate) output: Output,
}

impl Starter {
    /// Starts the process of that rank.
    pub(crate) fn start(&self, rank: usize) -> io::Result<Process> {
        let cpus = self.cpus.get(rank).cloned().unwrap_or_default();
        let mut preparation = Preparation { cpus, ..Preparation::default() };
        let (mut command, socket) = match &self.what {
            What::Worker(welcome) => {
                let (command, ours, theirs) = self.worker(rank)?;
                // It lies there until the process comes to read it.
                welcome.send(&ours)?;
                preparation.own = Some(theirs);
                (command, Some(ours))
            }
            What::Program { program, args, handle } => {
                let mut command = Command::new(program);
                command.args(args);
                environment::set_program(&mut command, rank, self.size, handle);
                preparation.leads_group = true;
                (command, None)
            }
        };
        command.stdin(Stdio::null());
        for (name, value) in &self.variables {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        if self.output != Output::Inherit {
            command.stdout(Stdio::piped()).stderr(Stdio::piped());
        }
        sys::prepare_child(&mut command, preparation);
        let mut child = command.spawn()?;
        let pid = child.id();
        let rest = sys::pidfd(pid).and_then(|pidfd| Ok((pidfd, lines(&mut child)?)));
        let (pidfd, lines) = match rest {
            Ok(rest) => rest,
            Err(e) => {
                // Not reaped yet, so the number is still this child's.
                let _ = child.kill();
                let _ = child.wait();
                return Err(e);
            }
        };
        Ok(Process {
            rank,
            pid,
            child,
            is_worker: socket.is_some(),
            pidfd,
            socket,
            decoder: Decoder::default(),
            lines,
            ready: false,
            report: None,
            state: State::Idle,
        })
    }

    /// This executable again, the launcher's end of its socket, and its own.
    fn worker(&self, rank: usize) -> io::Result<(Command, UnixStream, OwnedFd)> {
        let (ours, theirs) = UnixStream::pair()?;
        ours.set_nonblocking(true)?;
        // Above the descriptors of stdin, stdout and stderr, where starting a process would put
        // something else.
        let theirs = theirs.as_fd().try_clone_to_owned()?;
        let mut command = Command::new(sys::THIS_EXECUTABLE);
        // The same command line: what a program does before `init` may depend on it, and `ps` tells.
        let mut args = std::env::args_os();
        if let Some(name) = args.next() {
            command.arg0(name);
        }
        command.args(args);
        let socket = theirs.as_raw_fd();
        let inode = std::fs::metadata(format!("/proc/self/fd/{socket}"))?.ino();
        let launcher = std::process::id();
        Variables { rank, size: self.size, socket, inode, launcher }.set(&mut command);
        Ok((command, ours, theirs))
    }
}

/// The streams of a child that come here.
fn lines(child: &mut Child) -> io::Result<Vec<Lines>> {
    let mut lines = Vec::new();
    if let Some(pipe) = child.stdout.take() {
        lines.push(Lines::new(Stream::Stdout, pipe.into())?);
    }
    if let Some(pipe) = child.stderr.take() {
        lines.push(Lines::new(Stream::Stderr, pipe.into())?);
    }
    Ok(lines)
}
