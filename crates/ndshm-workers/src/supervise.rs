//! Waiting for the workers of a group: their messages, their ends, and what both mean.

use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use ndshm_sync::{Absence, Barrier};
use serde::de::DeserializeOwned;

use crate::launch::{Process, Team};
use crate::wire::Message;
use crate::{Cause, Event, Failure};
use crate::{codec, sys};

const PIECE: usize = 256 << 10;

/// What came of a group.
#[derive(Debug)]
pub(crate) struct Outcome<R> {
    pub(crate) failures: Vec<Failure>,
    /// By rank.
    pub(crate) results: Vec<Option<R>>,
}

/// Waits until every process of the team has ended.
pub(crate) fn supervise<R: DeserializeOwned>(
    team: &mut Team,
    barrier: &Barrier<'_>,
    on_event: &mut dyn FnMut(Event),
) -> Outcome<R> {
    let results = team.processes.iter().map(|_| None).collect();
    let mut outcome = Outcome { failures: Vec::new(), results };
    let mut piece = vec![0; PIECE];
    while team.processes.iter().any(|process| !process.reaped) {
        let happened = match wait(team) {
            Ok(happened) => happened,
            Err(e) => {
                // Nothing can be learnt of them any more; the team, when dropped, ends and reaps them.
                for Process { rank, pid, .. } in team.processes.iter().filter(|p| !p.reaped) {
                    let cause = Cause::Unknown(format!("cannot wait for it: {e}"));
                    outcome.failures.push(Failure { rank: *rank, pid: *pid, cause });
                }
                break;
            }
        };
        for (i, what) in happened {
            let process = &mut team.processes[i];
            if process.receive(&mut piece, on_event).is_err() {
                process.socket = None; // Its end is seen all the same.
            }
            if matches!(what, Ready::Ended) {
                outcome.end(process, barrier, on_event);
            }
        }
    }
    // In rank order, whatever the order in which they came.
    outcome.failures.sort_by_key(|failure| failure.rank);
    outcome
}

enum Ready {
    Message,
    Ended,
}

/// Waits for something to happen, and tells with which processes.
fn wait(team: &Team) -> io::Result<Vec<(usize, Ready)>> {
    let mut fds = Vec::new();
    let mut whose = Vec::new();
    for (i, process) in team.processes.iter().enumerate().filter(|(_, p)| !p.reaped) {
        if let Some(socket) = &process.socket {
            fds.push(socket.as_fd());
            whose.push((i, Ready::Message));
        }
        fds.push(process.pidfd.as_fd());
        whose.push((i, Ready::Ended));
    }
    let ready = sys::wait_readable(&fds)?;
    Ok(whose.into_iter().zip(ready).filter_map(|(who, ready)| ready.then_some(who)).collect())
}

impl Process {
    /// Reads all that has arrived.
    fn receive(&mut self, piece: &mut [u8], on_event: &mut dyn FnMut(Event)) -> io::Result<()> {
        while let Some(socket) = &mut self.socket {
            match socket.read(piece) {
                Ok(0) => self.socket = None,
                Ok(n) => {
                    self.decoder.feed(&piece[..n]);
                    self.messages(on_event);
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
                // It ended with something of ours unread.
                Err(e) if e.kind() == io::ErrorKind::ConnectionReset => self.socket = None,
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    fn messages(&mut self, on_event: &mut dyn FnMut(Event)) {
        let Self { rank, pid, .. } = *self;
        loop {
            match self.decoder.next() {
                Ok(None) => return,
                Ok(Some(Message::Started)) => {
                    self.started = true;
                    on_event(Event::Started { rank, pid });
                }
                Ok(Some(Message::Progress { done, total })) => {
                    let number = |n| usize::try_from(n).unwrap_or(usize::MAX);
                    let (done, total) = (number(done), number(total));
                    on_event(Event::Progress { rank, done, total });
                }
                Ok(Some(last)) => self.report = Some(last),
                Err(_) => {
                    self.socket = None; // Nothing that follows can be understood.
                    self.report = None;
                    return;
                }
            }
        }
    }

    /// Why it failed, if it did.
    fn cause(&self, status: io::Result<ExitStatus>) -> Option<Cause> {
        match &self.report {
            Some(Message::Failed(text)) => return Some(Cause::Returned(text.clone())),
            Some(Message::Panicked(text)) => return Some(Cause::Panicked(text.clone())),
            Some(Message::NeverStarted(text)) => return Some(Cause::NeverStarted(text.clone())),
            Some(Message::BadResult(text)) => return Some(Cause::BadResult(text.clone())),
            _ => {}
        }
        let done = self.report.is_some();
        let status = match status {
            Ok(status) => status,
            // Where SIGCHLD is ignored the kernel keeps no status.
            Err(_) if done => return None,
            Err(e) => return Some(Cause::Unknown(e.to_string())),
        };
        if let Some(signal) = status.signal() {
            return Some(Cause::Killed { signal, core_dumped: status.core_dumped() });
        }
        match status.code().unwrap_or(-1) {
            0 if done => None,
            code if done || self.started => Some(Cause::Exited(code)),
            code => Some(Cause::NeverStarted(format!(
                "exited with status {code} before ndshm_workers::init() took over; call it in the \
                 first line of main"
            ))),
        }
    }
}

impl<R: DeserializeOwned> Outcome<R> {
    /// Takes account of a process that has ended.
    fn end(
        &mut self,
        process: &mut Process,
        barrier: &Barrier<'_>,
        on_event: &mut dyn FnMut(Event),
    ) {
        let rank = process.rank;
        let status = process.child.wait();
        process.reaped = true;
        process.socket = None;
        let mut cause = process.cause(status);
        // Before anybody is told, so that none of the others waits while the callback runs.
        barrier.withdraw(rank, absence(cause.as_ref()));
        if let Some(Message::Done(bytes)) = process.report.take() {
            match codec::decode(&bytes) {
                Ok(result) => self.results[rank] = Some(result),
                Err(e) => {
                    cause.get_or_insert(Cause::BadResult(e.to_string()));
                }
            }
        }
        match cause {
            None => on_event(Event::Finished { rank }),
            Some(cause) => {
                let failure = Failure { rank, pid: process.pid, cause };
                self.failures.push(failure.clone());
                on_event(Event::Failed(failure));
            }
        }
    }
}

/// What its absence from the barrier is called: as the worker itself called it, where it could.
fn absence(cause: Option<&Cause>) -> Absence {
    match cause {
        None => Absence::Left,
        Some(Cause::Panicked(_) | Cause::Returned(_) | Cause::BadResult(_)) => Absence::Failed,
        Some(_) => Absence::Died,
    }
}
