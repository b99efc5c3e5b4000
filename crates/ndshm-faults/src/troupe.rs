//! The players of a scene, as the survivor sees them.

use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

use crate::child::{Birth, Child, State, reap_strays};
use crate::futex;
use crate::gate::{self, LOOK};
use crate::job::Job;
use crate::scene::{Act, Hang};
use crate::seat::At;
use crate::stage::PLAYERS;

/// Living players, by seat.
#[derive(Debug)]
pub(crate) struct Troupe<'a> {
    job: &'a Job,
    players: [Option<Player>; 1 + PLAYERS],
}

#[derive(Debug)]
pub(crate) struct Player {
    pub(crate) child: Child,
    pub(crate) born: Instant,
}

impl<'a> Troupe<'a> {
    pub(crate) fn new(job: &'a Job) -> Self {
        Self { job, players: [const { None }; 1 + PLAYERS] }
    }

    /// Starts a player in each of these seats that has none.
    pub(crate) fn fill(
        &mut self,
        seats: std::ops::RangeInclusive<usize>,
        mut birth: impl FnMut(usize) -> Birth,
        mut seed: impl FnMut() -> u64,
    ) -> Result<(), Hang> {
        for seat in seats {
            if self.players[seat].is_none() {
                let seed = seed();
                let child = Child::spawn(birth(seat), || self.job.play(seat, seed))
                    .map_err(|e| Hang(format!("cannot start a player: {e}")))?;
                self.players[seat] = Some(Player { child, born: Instant::now() });
            }
        }
        Ok(())
    }

    pub(crate) fn living(&self) -> impl Iterator<Item = usize> + '_ {
        (1..=PLAYERS).filter(|&seat| self.players[seat].is_some())
    }

    pub(crate) fn player(&mut self, seat: usize) -> Option<&mut Child> {
        self.players[seat].as_mut().map(|player| &mut player.child)
    }

    /// One that is to die; it is not one of the living any more.
    pub(crate) fn take(&mut self, seat: usize) -> Option<Player> {
        self.players[seat].take()
    }

    /// Waits until all who live are at the gate.
    pub(crate) fn gather(&mut self) -> Result<(), Hang> {
        self.until("comes to the gate", 0, |job, seat| job.control().seats[seat].at() == At::Gate)
    }

    /// Those who live and have gone through the gate as it is open now.
    pub(crate) fn begun(&self) -> impl Iterator<Item = usize> + '_ {
        let now = self.job.control().gate.load(SeqCst);
        self.living().filter(move |&seat| self.job.control().seats[seat].passed.load(SeqCst) == now)
    }

    /// Waits until all but `some` of the living are done.
    fn until(
        &mut self,
        what: &str,
        some: usize,
        done: impl Fn(&Job, usize) -> bool,
    ) -> Result<(), Hang> {
        let control = self.job.control();
        let mut start = None;
        loop {
            let seen = control.arrivals.load(SeqCst);
            let Some(late) = self.living().filter(|&seat| !done(self.job, seat)).nth(some) else {
                return Ok(());
            };
            let began = *start.get_or_insert_with(Instant::now);
            futex::wait(&control.arrivals, seen, LOOK);
            let waited = began.elapsed();
            if waited > self.job.limit {
                let at = control.seats[late].at();
                return Err(Hang(format!("seat {late}, {at:?}, never {what}")));
            }
            if waited > Duration::from_millis(1) {
                self.nobody_failed()?;
            }
        }
    }

    /// Players end by SIGKILL only.
    fn nobody_failed(&mut self) -> Result<(), Hang> {
        for seat in 1..=PLAYERS {
            if let Some(player) = &mut self.players[seat]
                && let Some(state @ (State::Exited(_) | State::Killed(_))) = player.child.look()
            {
                self.players[seat] = None;
                let at = self.job.control().seats[seat].at();
                let details = format!("seat {seat}, {at:?}, ended by itself: {state:?}");
                self.job.report(&details);
                return Err(Hang(details));
            }
        }
        if self.job.act == Act::Forks {
            self.reap_strays();
        }
        Ok(())
    }

    /// Reaps what the dead have forked.
    pub(crate) fn reap_strays(&self) {
        reap_strays(|pid| self.players.iter().flatten().any(|p| p.child.pid() == pid));
    }

    /// Opens the gate, and waits until all but `some` have gone through.
    pub(crate) fn begin(&mut self, some: usize) -> Result<(), Hang> {
        self.gather()?;
        let control = self.job.control();
        gate::open(control);
        let now = control.gate.load(SeqCst);
        self.until("goes through the gate", some, |job, seat| {
            job.control().seats[seat].passed.load(SeqCst) == now
        })
    }

    /// Closes the gate, and waits until all are there.
    pub(crate) fn end(&mut self) -> Result<(), Hang> {
        gate::close(self.job.control());
        self.gather()
    }
}
