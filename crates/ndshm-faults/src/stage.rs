//! What every process of a campaign has: the arena, its membership, its seat.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use ndshm_sync::{MemberId, Members};
use ndshm_testkit::Rng;

use crate::arena::{Arena, Control, SEATS};
use crate::child::{self, Birth, Child};
use crate::clock;
use crate::seat::{At, Seat};
use crate::violation::Violation;

/// The seat of the survivor.
pub const SURVIVOR: usize = 0;
/// The seat of those that orphan.
pub const ORPHANER: usize = SEATS - 1;
/// Players that there can be.
pub(crate) const PLAYERS: usize = SEATS - 2;

/// A process's place in a campaign.
#[derive(Debug)]
pub struct Stage {
    /// The shared memory.
    pub arena: &'static Arena,
    /// This process's membership.
    pub members: &'static Members<'static>,
    /// Its seat.
    pub seat: usize,
    /// Turns that this player has done.
    pub done: u64,
    /// How long anybody waits before it is a hang.
    pub limit: Duration,
    /// Passes time between two steps of a turn, where moments are random.
    pub(crate) dwell: Option<Rng>,
    /// Forks at times in the middle of a turn.
    pub(crate) forks: bool,
    /// Whether this is the one turn of a player that is traced.
    pub once: bool,
    /// Dies in the middle of a turn.
    pub(crate) death: Option<Death>,
}

/// When one dies that is to leave something.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Death {
    /// At which step of a turn.
    pub(crate) step: u8,
    /// After that time in the middle of it.
    pub(crate) after: Duration,
}

/// The note in which one that dies by itself says when.
pub(crate) const DIED_AT: usize = 7;

impl Stage {
    /// Joins the region of `arena`.
    #[must_use]
    pub(crate) fn enter(arena: &'static Arena, seat: usize, limit: Duration) -> Self {
        let stage = Self { seat, ..Self::look_on(arena, limit) };
        stage.words().member.store(stage.members.me().to_bits(), SeqCst);
        stage
    }

    /// Joins to look on, without a seat.
    pub(crate) fn look_on(arena: &'static Arena, limit: Duration) -> Self {
        let members = Members::join(arena.region()).expect("cannot join the region");
        let members = Box::leak(Box::new(members));
        Self {
            arena,
            members,
            seat: SURVIVOR,
            done: 0,
            limit,
            dwell: None,
            forks: false,
            once: false,
            death: None,
        }
    }

    /// The words by which the processes agree.
    #[must_use]
    pub fn control(&self) -> &'static Control {
        self.arena.control()
    }

    /// The words of this seat.
    #[must_use]
    pub fn words(&self) -> &'static Seat {
        &self.control().seats[self.seat]
    }

    /// The words of that seat.
    #[must_use]
    pub fn words_of(&self, seat: usize) -> &'static Seat {
        &self.control().seats[seat]
    }

    /// The seats of all but the survivor.
    pub fn others(&self) -> impl Iterator<Item = usize> + use<> {
        SURVIVOR + 1..SEATS
    }

    /// Says what this process is doing.
    pub fn say(&self, at: At) {
        self.words().say(self.done, at);
    }

    /// Says that it has made that many changes; passes time, or dies, where that is wanted.
    pub fn changing(&mut self, k: u8) {
        self.say(At::Changing(k));
        match self.death {
            Some(Death { step, after }) if step == k => {
                std::thread::sleep(after);
                self.words().notes[DIED_AT].store(clock::nanos(), SeqCst);
                child::die();
            }
            _ => self.dwell(),
        }
    }

    /// Counts a turn.
    pub fn count_turn(&mut self) {
        self.done += 1;
        self.say(At::Out);
    }

    /// The seat of a member; `None` where that member is nobody's.
    #[must_use]
    pub fn seat_of(&self, member: MemberId) -> Option<usize> {
        let bits = member.to_bits();
        self.control().seats.iter().position(|seat| seat.member.load(SeqCst) == bits)
    }

    /// Notes that this process was told of the death of `member`, who had what it takes.
    pub fn told_of(&self, member: MemberId) {
        match self.seat_of(member) {
            Some(seat) if seat != self.seat => {
                self.words_of(seat).told.fetch_add(1, SeqCst);
            }
            who => self.report(
                Violation::Other,
                &format!("the death of {member} was told, which is {who:?} of the seats"),
            ),
        }
    }

    /// Says that a promise was broken.
    pub fn report(&self, what: Violation, details: &str) {
        self.control().violations.report(what, &format!("seat {}: {details}", self.seat));
    }

    /// Takes the word of who is inside, for one that was told nothing, or `after` a death.
    pub fn go_inside(&self, after: bool) {
        let before = self.inside().swap(self.seat as u64, SeqCst);
        if before != 0 && !after {
            self.report(Violation::Stolen, &format!("seat {before} is inside as well"));
        }
    }

    /// Gives it back; whoever else has been inside has changed it.
    pub fn go_outside(&self) {
        let now = self.inside().swap(0, SeqCst);
        if now != self.seat as u64 {
            self.report(Violation::Stolen, &format!("seat {now} came inside as well"));
        }
    }

    fn inside(&self) -> &'static AtomicU64 {
        &self.control().inside
    }

    /// Passes a little time now and then, so that others come to wait and to sleep.
    pub fn dwell(&mut self) {
        self.pass(8);
    }

    /// The same, oftener: in what happens seldom, and is to be hit.
    pub fn dwell_longer(&mut self) {
        self.pass(50);
    }

    fn pass(&mut self, percent: u64) {
        if let Some(rng) = &mut self.dwell
            && rng.chance(percent)
        {
            rng.pause(Duration::from_micros(20));
        }
    }

    /// Forks now and then, where this scene wants that: the child runs `refused`, which tries what the
    /// parent has in hand and says whether that was refused; and lingers, so that it outlives the
    /// parent at times.
    pub fn fork(&mut self, refused: impl FnOnce() -> bool) {
        if !self.forks || !self.dwell.as_mut().is_some_and(|rng| rng.chance(10)) {
            return;
        }
        let linger = self.dwell.as_mut().map_or(0, |rng| rng.below(1500));
        let child = Child::spawn(Birth::Plain, || {
            if self.members.is_mine() || !refused() {
                self.report(Violation::Other, "a forked child could use what is its parent's");
            }
            std::thread::sleep(Duration::from_micros(linger));
        });
        // Nobody waits for it: this process ignores SIGCHLD.
        match child {
            Ok(child) => std::mem::forget(child),
            Err(e) => self.report(Violation::Other, &format!("cannot fork: {e}")),
        }
    }
}
