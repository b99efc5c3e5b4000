//! What a worker process said, and how it ended.

use std::io::{self, Read};
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use crate::launch::Process;
use crate::oom::OomKills;
use crate::wire::Message;
use crate::{Cause, Event};

impl Process {
    /// Reads all that has arrived.
    pub(crate) fn receive(
        &mut self,
        piece: &mut [u8],
        tell: &mut dyn FnMut(Event),
    ) -> io::Result<()> {
        while let Some(socket) = &mut self.socket {
            match socket.read(piece) {
                Ok(0) => self.socket = None,
                Ok(n) => {
                    self.decoder.feed(&piece[..n]);
                    self.messages(tell);
                    if self.report.is_some() && n < piece.len() {
                        break; // Nothing follows.
                    }
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

    fn messages(&mut self, tell: &mut dyn FnMut(Event)) {
        let Self { rank, pid, .. } = *self;
        loop {
            match self.decoder.next() {
                Ok(None) => return,
                Ok(Some(Message::Ready)) => {
                    self.ready = true;
                    tell(Event::Started { rank, pid });
                }
                Ok(Some(Message::Progress { done, total })) => {
                    let number = |n| usize::try_from(n).unwrap_or(usize::MAX);
                    let (done, total) = (number(done), number(total));
                    tell(Event::Progress { rank, done, total });
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

    /// Why its run failed, if it did; by its status, where it has ended.
    pub(crate) fn cause(
        &self,
        status: Option<io::Result<ExitStatus>>,
        oom: &mut OomKills,
    ) -> Option<Cause> {
        match &self.report {
            Some(Message::Failed(text)) => return Some(Cause::Returned(text.clone())),
            Some(Message::Panicked(text)) => return Some(Cause::Panicked(text.clone())),
            Some(Message::NeverStarted(text)) => return Some(Cause::NeverStarted(text.clone())),
            Some(Message::BadResult(text)) => return Some(Cause::BadResult(text.clone())),
            _ => {}
        }
        // Of a program nothing but its status is expected.
        let program = !self.is_worker;
        let done = self.report.is_some() || program;
        let status = match status? {
            Ok(status) => status,
            // Where SIGCHLD is ignored the kernel keeps no status.
            Err(_) if done && !program => return None,
            Err(e) => return Some(Cause::Unknown(e.to_string())),
        };
        if let Some(signal) = status.signal() {
            if signal == libc::SIGKILL && oom.take() {
                return Some(Cause::OutOfMemory);
            }
            return Some(Cause::Killed { signal, core_dumped: status.core_dumped() });
        }
        match status.code().unwrap_or(-1) {
            0 if done => None,
            code if done || self.ready => Some(Cause::Exited(code)),
            code => Some(Cause::NeverStarted(format!(
                "exited with status {code} before ndshm_workers::init() took over; call it in the \
                 first line of main"
            ))),
        }
    }
}
