//! The processes of a group, from their start to their end, over any number of runs.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::group::Group;
use crate::launch::{Process, Starter, State, Team, What};
use crate::oom::OomKills;
use crate::order::{Task, Welcome};
use crate::output::print_prefixed;
use crate::settings::Settings;
use crate::supervise::{Accept, Outcome, PIECE, Supervisor};
use crate::sys::Interrupts;
use crate::{Event, Output, StartError, threads};

/// A group and its processes.
#[derive(Debug)]
pub(crate) struct Crew {
    // First: they end before what they use goes.
    team: Team,
    starter: Starter,
    group: Group,
    oom: OomKills,
    piece: Vec<u8>,
}

/// What is to be done in a run, beside the work itself.
pub(crate) struct Terms<'a> {
    pub(crate) interrupts: &'a Interrupts,
    pub(crate) tell: &'a mut dyn FnMut(Event),
    pub(crate) accept: &'a mut Accept<'a>,
    pub(crate) retries: usize,
    pub(crate) grace: Duration,
}

impl Crew {
    /// Starts the processes of a group.
    pub(crate) fn start(
        settings: &Settings,
        what: impl FnOnce(&Group) -> Result<What, StartError>,
    ) -> Result<Self, StartError> {
        let size = settings.checked_size()?;
        let cpus = settings.pin.as_ref().map(|pin| pin.places(size)).transpose()?;
        let group = Group::create(size)?;
        let variables = threads::variables(size, settings.threads).into_iter();
        let variables = variables.map(|(name, value)| (name.into(), Some(value.into())));
        let starter = Starter {
            size,
            what: what(&group)?,
            variables: variables.chain(settings.variables.iter().cloned()).collect(),
            cpus: cpus.unwrap_or_default(),
            output: settings.output,
        };
        let (team, oom, piece) = (Team::default(), OomKills::new(), vec![0; PIECE]);
        let mut crew = Self { team, starter, group, oom, piece };
        for rank in 0..size {
            let process = crew.started(rank)?;
            crew.team.processes.push(process);
        }
        Ok(crew)
    }

    /// What workers of a group are started as.
    pub(crate) fn worker(group: &Group, size: usize) -> Result<What, StartError> {
        Ok(What::Worker(Welcome::new(group, size)?))
    }

    /// The process ids, by rank.
    pub(crate) fn pids(&self) -> impl Iterator<Item = u32> {
        self.team.processes.iter().map(|process| process.pid)
    }

    /// Has all processes do `task`, those that have ended since the last replaced by new ones. Where it
    /// fails, no process has begun, or all are ended.
    pub(crate) fn run(
        &mut self,
        task: Option<&Task>,
        terms: Terms<'_>,
    ) -> Result<Outcome, StartError> {
        if let Some(task) = task {
            self.ready().and_then(|()| self.send(task)).inspect_err(|_| self.team.end())?;
        }
        for process in &mut self.team.processes {
            (process.state, process.report) = (State::Busy, None);
        }
        self.oom.begin();
        let Terms { interrupts, tell, accept, retries, grace } = terms;
        let output = self.starter.output;
        let mut tell = |event| match event {
            Event::Output { rank, stream, line } if output == Output::Prefixed => {
                print_prefixed(rank, stream, &line);
            }
            event => tell(event),
        };
        let mut guard = EndOnPanic { team: &mut self.team, armed: true };
        let outcome = Supervisor {
            group: &self.group,
            team: guard.team,
            starter: &self.starter,
            oom: &mut self.oom,
            piece: &mut self.piece,
            task,
            interrupts,
            tell: &mut tell,
            accept,
            retries,
            grace,
        }
        .run();
        guard.armed = false;
        Ok(outcome)
    }

    /// Lets the workers go.
    pub(crate) fn part(&mut self) {
        self.team.part();
    }

    /// Every process is there and waits, and nothing of the last run is left.
    fn ready(&mut self) -> Result<(), StartError> {
        self.team.notice().map_err(StartError::system("look after the workers"))?;
        for rank in 0..self.team.processes.len() {
            if self.team.processes[rank].state == State::Gone {
                self.team.processes[rank] = self.started(rank)?;
            }
        }
        self.group.renew();
        Ok(())
    }

    fn send(&self, task: &Task) -> Result<(), StartError> {
        for process in &self.team.processes {
            if let Some(socket) = &process.socket {
                let sent = task.send(socket, 0);
                sent.map_err(StartError::system("send the arguments to the workers"))?;
            }
        }
        Ok(())
    }

    fn started(&self, rank: usize) -> Result<Process, StartError> {
        self.starter.start(rank).map_err(|source| match &self.starter.what {
            // The one step before exec that says so.
            _ if source.raw_os_error() == Some(libc::EINVAL) && !self.starter.cpus.is_empty() => {
                StartError::Cpu { rank, cpus: self.starter.cpus[rank].clone() }
            }
            What::Program { program, .. } if is_about_program(&source) => {
                StartError::Program { program: PathBuf::from(program), source }
            }
            _ => StartError::Spawn { rank, source },
        })
    }
}

fn is_about_program(e: &io::Error) -> bool {
    use io::ErrorKind::{InvalidInput, IsADirectory, NotADirectory, NotFound, PermissionDenied};
    let kinds = [InvalidInput, IsADirectory, NotADirectory, NotFound, PermissionDenied];
    kinds.contains(&e.kind()) || e.raw_os_error() == Some(libc::ENOEXEC)
}

/// Where the callback panics nobody looks after the workers any more.
struct EndOnPanic<'a> {
    team: &'a mut Team,
    armed: bool,
}

impl Drop for EndOnPanic<'_> {
    fn drop(&mut self) {
        if self.armed {
            self.team.end();
        }
    }
}
