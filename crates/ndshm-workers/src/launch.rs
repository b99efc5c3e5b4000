//! Starting worker processes, and never leaving one behind.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use crate::environment::Variables;
use crate::sys;
use crate::wire::{Decoder, Message};

/// A worker process, from the launcher's side.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) rank: usize,
    pub(crate) pid: u32,
    pub(crate) child: Child,
    /// Readable once the process has ended.
    pub(crate) pidfd: OwnedFd,
    /// `None` once the other end is closed.
    pub(crate) socket: Option<UnixStream>,
    pub(crate) decoder: Decoder,
    pub(crate) started: bool,
    /// Its last message.
    pub(crate) report: Option<Message>,
    /// Whether it was waited for.
    pub(crate) reaped: bool,
}

/// The processes of one group. Dropping it ends those that still run.
#[derive(Debug, Default)]
pub(crate) struct Team {
    pub(crate) processes: Vec<Process>,
}

impl Drop for Team {
    fn drop(&mut self) {
        let running = self.processes.iter_mut().filter(|process| !process.reaped);
        // All are told before one is waited for. Either fails only where the process is gone.
        let killed: Vec<_> = running
            .map(|process| {
                let _ = sys::kill(&process.pidfd);
                &mut process.child
            })
            .collect();
        for child in killed {
            let _ = child.wait();
        }
    }
}

/// The descriptors that every worker inherits, and where its start-up is.
pub(crate) struct Luggage {
    shared: Arc<[OwnedFd]>,
    hello: i32,
    hello_inode: u64,
}

impl Luggage {
    /// Takes the segments; [`numbers`](Self::numbers) tells what they are called in a worker.
    pub(crate) fn segments<'a>(
        segments: impl IntoIterator<Item = impl AsFd + 'a>,
    ) -> io::Result<Vec<OwnedFd>> {
        segments.into_iter().map(|segment| own(&segment)).collect()
    }

    /// The numbers under which workers find these descriptors.
    pub(crate) fn numbers(fds: &[OwnedFd]) -> Vec<i32> {
        fds.iter().map(AsRawFd::as_raw_fd).collect()
    }

    /// Everything that goes to each worker.
    pub(crate) fn new(segments: Vec<OwnedFd>, hello: &File) -> io::Result<Self> {
        let hello_inode = hello.metadata()?.ino();
        let hello = own(hello)?;
        let number = hello.as_raw_fd();
        let shared = segments.into_iter().chain([hello]).collect();
        Ok(Self { shared, hello: number, hello_inode })
    }
}

/// A descriptor of our own on the same open file, above those of stdin, stdout and stderr, where
/// starting a process would put something else.
fn own(fd: &impl AsFd) -> io::Result<OwnedFd> {
    fd.as_fd().try_clone_to_owned()
}

/// Starts worker `rank` of `size`.
pub(crate) fn start(luggage: &Luggage, rank: usize, size: usize) -> io::Result<Process> {
    let (ours, theirs) = UnixStream::pair()?;
    ours.set_nonblocking(true)?;
    let theirs = own(&theirs)?;

    let mut command = Command::new(sys::THIS_EXECUTABLE);
    // The same command line: what a program does before `init` may depend on it, and `ps` tells.
    let mut args = std::env::args_os();
    if let Some(name) = args.next() {
        command.arg0(name);
    }
    command.args(args).stdin(Stdio::null());
    let variables = Variables {
        rank,
        size,
        socket: theirs.as_raw_fd(),
        hello: luggage.hello,
        hello_inode: luggage.hello_inode,
        launcher: std::process::id(),
    };
    variables.set(&mut command);
    sys::prepare_child(&mut command, Arc::clone(&luggage.shared), theirs);

    let mut child = command.spawn()?;
    let pid = child.id();
    let pidfd = match sys::pidfd(pid) {
        Ok(pidfd) => pidfd,
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
        pidfd,
        socket: Some(ours),
        decoder: Decoder::default(),
        started: false,
        report: None,
        reaped: false,
    })
}
