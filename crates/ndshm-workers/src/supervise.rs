//! Waiting for the workers of a group: their messages, what they print, their ends, and what all that means.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use crate::failure::absence;
use crate::group::Group;
use crate::launch::{Process, Starter, State, Team};
use crate::oom::OomKills;
use crate::order::Task;
use crate::sys::{self, Interrupts};
use crate::wire::Message;
use crate::{Cause, Event, Failure};

/// What is read at once. Kept from run to run.
pub(crate) const PIECE: usize = 256 << 10;

/// What is done with a result as it arrives: where it is none, why.
pub(crate) type Accept<'a> = dyn FnMut(usize, &[u8]) -> Result<(), String> + 'a;

/// What came of a run.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// In rank order.
    pub(crate) failures: Vec<Failure>,
    /// The signal that ended it.
    pub(crate) interrupted: Option<i32>,
}

/// One run, from its start to its end.
pub(crate) struct Supervisor<'a> {
    pub(crate) group: &'a Group,
    pub(crate) team: &'a mut Team,
    pub(crate) starter: &'a Starter,
    pub(crate) oom: &'a mut OomKills,
    pub(crate) piece: &'a mut [u8],
    /// What the workers do; `None` for programs.
    pub(crate) task: Option<&'a Task>,
    pub(crate) interrupts: &'a Interrupts,
    pub(crate) tell: &'a mut dyn FnMut(Event),
    pub(crate) accept: &'a mut Accept<'a>,
    /// How often the process of a rank may be started again.
    pub(crate) retries: usize,
    /// How long programs may take to end when they are asked to.
    pub(crate) grace: Duration,
}

/// What is new with a process.
#[derive(Clone, Copy)]
enum News {
    Message,
    /// Something printed, by number of the stream.
    Lines(usize),
    End,
}

/// What goes on in a run beside the processes.
#[derive(Default)]
struct Course {
    outcome: Outcome,
    /// By rank: how many have died.
    deaths: Vec<usize>,
    /// The programs were asked to end.
    ending: bool,
    /// When those that have not will be killed.
    deadline: Option<Instant>,
}

impl Supervisor<'_> {
    /// Waits until the run of every process is over. All are `Busy` when it begins, and have their task.
    pub(crate) fn run(mut self) -> Outcome {
        let deaths = vec![0; self.team.processes.len()];
        let mut course = Course { deaths, ..Course::default() };
        for process in self.team.processes.iter().filter(|p| p.ready || self.task.is_none()) {
            (self.tell)(Event::Started { rank: process.rank, pid: process.pid });
        }
        loop {
            // Also where nobody is left: what came last must not be lost.
            if course.outcome.interrupted.is_none()
                && let Some(signal) = self.interrupts.caught()
            {
                course.outcome.interrupted = Some(signal);
                self.stop(&mut course, signal);
            }
            if !self.team.processes.iter().any(|process| process.state == State::Busy) {
                break;
            }
            match self.wait(&course) {
                Ok(news) => news.into_iter().for_each(|(i, what)| self.take(i, what, &mut course)),
                Err(e) => {
                    self.lose(&e, &mut course);
                    break;
                }
            }
            if course.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                course.deadline = None;
                self.signal(libc::SIGKILL);
            }
        }
        // In rank order, whatever the order in which they came.
        course.outcome.failures.sort_by_key(|failure| failure.rank);
        course.outcome
    }

    /// Waits for something to happen, and tells with which processes.
    fn wait(&self, course: &Course) -> io::Result<Vec<(usize, News)>> {
        let mut fds: Vec<BorrowedFd<'_>> = Vec::with_capacity(3 * self.team.processes.len());
        let mut whose = Vec::with_capacity(3 * self.team.processes.len());
        for (i, process) in self.team.processes.iter().enumerate() {
            if process.state != State::Busy {
                continue;
            }
            if let Some(socket) = &process.socket {
                fds.push(socket.as_fd());
                whose.push((i, News::Message));
            }
            for (stream, fd) in process.lines.iter().map(|lines| lines.fd()).enumerate() {
                if let Some(fd) = fd {
                    fds.push(fd);
                    whose.push((i, News::Lines(stream)));
                }
            }
            fds.push(process.pidfd.as_fd());
            whose.push((i, News::End));
        }
        if course.outcome.interrupted.is_none() {
            fds.push(self.interrupts.as_fd());
        }
        let ready = sys::wait_readable(&fds, course.deadline)?;
        Ok(whose.into_iter().zip(ready).filter_map(|(who, ready)| ready.then_some(who)).collect())
    }

    fn take(&mut self, i: usize, news: News, course: &mut Course) {
        if self.team.processes[i].state != State::Busy {
            return; // Its run was over with what came before.
        }
        match news {
            News::Message => self.receive(i, course),
            News::Lines(stream) => {
                let process = &mut self.team.processes[i];
                let (rank, tell) = (process.rank, &mut self.tell);
                process.lines[stream].read(self.piece, &mut |stream, line| {
                    tell(Event::Output { rank, stream, line });
                });
            }
            News::End => {
                // What it said before it ended comes first.
                self.receive(i, course);
                if self.team.processes[i].state == State::Busy {
                    self.end(i, course);
                }
            }
        }
    }

    /// Reads the messages that have arrived; the last may be the end of its run.
    fn receive(&mut self, i: usize, course: &mut Course) {
        let process = &mut self.team.processes[i];
        if process.receive(self.piece, self.tell).is_err() {
            process.socket = None; // Its end is seen all the same.
        }
        let stays = process.ready && self.task.is_some_and(|task| !task.last);
        if stays && process.report.as_ref().is_some_and(|m| !matches!(m, Message::Panicked(_))) {
            let cause = process.cause(None, self.oom);
            self.team.processes[i].state = State::Idle;
            self.conclude(i, cause, course);
        }
    }

    /// Takes account of a process that has ended.
    fn end(&mut self, i: usize, course: &mut Course) {
        let process = &mut self.team.processes[i];
        if self.task.is_none() && (course.ending || !sys::ended_well(&process.pidfd)) {
            // What it has started ends with it; while it is not waited for, the number is its own.
            sys::signal_group(process.pid, libc::SIGKILL);
        }
        let status = process.child.wait();
        process.state = State::Gone;
        let cause = process.cause(Some(status), self.oom);
        process.socket = None;
        self.conclude(i, cause, course);
    }

    /// The run of a process is over.
    fn conclude(&mut self, i: usize, mut cause: Option<Cause>, course: &mut Course) {
        let process = &mut self.team.processes[i];
        let (rank, pid) = (process.rank, process.pid);
        // Before anybody is told, so that none of the others waits while the callback runs.
        // The first death of a rank is what stays said of it.
        if course.deaths[i] == 0 {
            self.group.barrier().withdraw(rank, absence(cause.as_ref()));
        }
        let tell = &mut self.tell;
        for lines in &mut process.lines {
            let mut told = |stream, line| tell(Event::Output { rank, stream, line });
            lines.read(self.piece, &mut told);
            lines.flush(&mut told);
        }
        if let Some(Message::Done(bytes)) = process.report.take()
            && let Err(why) = (self.accept)(rank, &bytes)
        {
            cause.get_or_insert(Cause::BadResult(why));
        }
        if course.outcome.interrupted.is_some() || (course.ending && cause.is_some()) {
            return; // It was told to.
        }
        let Some(cause) = cause else {
            (self.tell)(Event::Finished { rank });
            return;
        };
        let failure = Failure { rank, pid, cause };
        if failure.cause.is_death() && course.deaths[i] < self.retries && self.again(i, course) {
            let attempt = course.deaths[i];
            (self.tell)(Event::Retried { failure, attempt });
            return;
        }
        course.outcome.failures.push(failure.clone());
        (self.tell)(Event::Failed(failure));
        if self.task.is_none() && !course.ending {
            self.stop(course, sys::terminate());
        }
    }

    /// Starts the process of a rank anew, with the same task.
    fn again(&mut self, i: usize, course: &mut Course) -> bool {
        let Some(task) = self.task else { return false };
        let attempt = course.deaths[i] + 1;
        let started = self.starter.start(self.team.processes[i].rank).and_then(|process| {
            if let Some(socket) = &process.socket {
                task.send(socket, attempt)?;
            }
            Ok(process)
        });
        // Where it cannot be, the death before is what there is to say.
        let Ok(process) = started else { return false };
        self.team.processes[i] = Process { state: State::Busy, ..process };
        course.deaths[i] = attempt;
        true
    }

    /// Ends all: workers at once, programs by a signal that they may heed for a while.
    fn stop(&mut self, course: &mut Course, signal: i32) {
        if self.task.is_some() {
            self.team.processes.iter().filter(|p| p.state != State::Gone).for_each(Process::kill);
        } else {
            course.ending = true;
            course.deadline = Instant::now().checked_add(self.grace);
            self.signal(signal);
        }
    }

    /// Sends a signal to all programs, and to what they have started.
    fn signal(&self, signal: i32) {
        for process in self.team.processes.iter().filter(|p| p.state == State::Busy) {
            sys::signal_group(process.pid, signal);
        }
    }

    /// Nothing can be learnt of them any more: they are ended.
    fn lose(&mut self, e: &io::Error, course: &mut Course) {
        let busy = self.team.processes.iter().filter(|process| process.state == State::Busy);
        course.outcome.failures.extend(busy.map(|process| Failure {
            rank: process.rank,
            pid: process.pid,
            cause: Cause::Unknown(format!("cannot wait for it: {e}")),
        }));
        self.team.end();
    }
}
