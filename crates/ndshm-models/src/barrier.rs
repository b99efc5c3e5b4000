//! The words of a barrier, from production, and what is shown of them.

#[path = "sync/barrier/error.rs"]
mod error;
#[path = "sync/barrier/raw.rs"]
mod raw;

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

pub use error::Absence;
pub(crate) use raw::{ABSENCE, absence, absent};
use raw::{BarrierCell, NotMet, PartyCell, RawBarrier};

use crate::explore::{Scenario, run_all};
use crate::member::Members;
use crate::memory::{Plain, zeroed};
use crate::wait::Deadline;
use crate::world::{self, Death, World};

pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "barrier",
        shows: "two parties, and three, meet in two phases: what one wrote before, all see after; one leads",
        run: |e| {
            e.check(2, |d| meet(&[stays, stays], d));
            e.check(0, |d| meet(&[stays, stays, stays], d));
        },
    },
    Scenario {
        name: "barrier-death",
        shows: "one dies at any step: a phase is complete for all or broken for all, and names the dead",
        run: |e| {
            e.kill(1, 0, |d| meet(&[stays, stays], d));
            e.kill(0, 0, |d| meet(&[once, once, once], d));
        },
    },
    Scenario {
        name: "barrier-many",
        shows: "the same among many parties, who look at the arrivals less often",
        run: |e| {
            e.check(2, |d| meet_among_many(&[stays, stays], d));
            e.kill(1, 0, |d| meet_among_many(&[once, once], d));
        },
    },
    Scenario {
        name: "barrier-timeout",
        shows: "one's time is up: a phase is complete for all or broken for all; reset, all meet again",
        run: |e| {
            e.check(1, |d| meet(&[impatient, insists, clock], d));
            e.check(2, |d| meet(&[impatient, insists], d));
            e.kill(1, 0, |d| meet(&[gives_up, once, clock], d));
        },
    },
    Scenario {
        name: "barrier-departure",
        shows: "one departs, or dies departing: the others go on without it, or are told of its death",
        run: |e| {
            e.check(2, |d| meet(&[departs, stays], d));
            e.check(0, |d| meet(&[departs, stays, stays], d));
            e.kill(1, 0, |d| meet(&[departs, stays], d));
        },
    },
];

const PHASES: usize = 2;

struct Meeting {
    head: BarrierCell,
    parties: Vec<PartyCell>,
    /// For each phase, what each party writes before it.
    written: [Vec<Plain>; PHASES],
    /// How each phase ended: complete for all, or broken for all; and who led.
    ended: [Cell<Option<bool>>; PHASES],
    leaders: [Cell<usize>; PHASES],
    /// Who has departed in front of which phase.
    departed: Cell<Option<(usize, usize)>>,
    /// Time may pass, so that a phase may be broken though nobody is dead.
    timed: bool,
}

type Body = fn(&Meeting, &Members<'static>);

impl Meeting {
    fn raw<'a>(&'a self, members: &'a Members<'a>) -> RawBarrier<'a> {
        RawBarrier { head: &self.head, parties: &self.parties, members }
    }

    /// Writes, and meets the others; whether the phase was completed.
    fn phase(&self, members: &Members<'_>, phase: usize, deadline: Deadline) -> bool {
        let (me, raw) = (members.party(), self.raw(members));
        self.written[phase][me].write(1);
        let ended = raw.wait(me, deadline, || true);
        let complete = ended.is_ok();
        let before = self.ended[phase].replace(Some(complete));
        // Where time may pass, another attempt at the same phase may have begun before this party came.
        let same = before.is_none_or(|b| b == complete) || self.timed;
        assert!(same, "complete for some, broken for others");
        match ended {
            Ok(leads) => {
                self.leaders[phase].set(self.leaders[phase].get() + usize::from(leads));
                assert!(self.leaders[phase].get() <= 1, "two lead");
                for (party, written) in self.written[phase].iter().enumerate() {
                    let gone = self.departed.get().is_some_and(|(p, at)| p == party && at <= phase);
                    assert!(gone || written.read() == 1, "met one that has not arrived");
                }
            }
            Err(NotMet::Broken(attempt)) => {
                let dead = members.world().dead();
                assert!(dead.is_some() || self.timed, "broken, and all live");
                if let Some(dead) = dead
                    && !self.timed
                {
                    let party = &self.parties[dead];
                    let why = party.absence(members, attempt);
                    assert_eq!(why, Some(Absence::Died), "why it is broken");
                    let done = raw.is_done(dead, attempt);
                    assert!(!done, "broken, though the dead one had done its part");
                }
            }
            Err(NotMet::TimedOut(attempt)) => {
                let why = self.parties[me].absence(members, attempt);
                assert_eq!(why, Some(Absence::TimedOut), "why it is broken");
            }
        }
        complete
    }
}

fn once(shared: &Meeting, members: &Members<'static>) {
    shared.phase(members, 0, Deadline::Never);
}

fn stays(shared: &Meeting, members: &Members<'static>) {
    let _ = (0..PHASES).all(|phase| shared.phase(members, phase, Deadline::Never));
}

fn departs(shared: &Meeting, members: &Members<'static>) {
    if shared.phase(members, 0, Deadline::Never) {
        shared.departed.set(Some((members.party(), 1)));
        shared.raw(members).depart(members.party());
    }
}

/// Waits until time passes.
fn gives_up(shared: &Meeting, members: &Members<'static>) {
    shared.phase(members, 0, Deadline::after(Duration::ZERO));
}

fn impatient(shared: &Meeting, members: &Members<'static>) {
    if !shared.phase(members, 0, Deadline::after(Duration::ZERO)) {
        insist(shared, members);
    }
}

fn insists(shared: &Meeting, members: &Members<'static>) {
    if shared.parties.len() == 2 && members.world().parties() == 2 {
        members.world().pass_time(); // there is no clock beside
    }
    if !shared.phase(members, 0, Deadline::Never) {
        insist(shared, members);
    }
}

/// Mends the barrier, and meets the others in a phase that everybody stays for.
fn insist(shared: &Meeting, members: &Members<'static>) {
    shared.raw(members).reset();
    while shared.raw(members).wait(members.party(), Deadline::Never, || true).is_err() {
        shared.raw(members).reset();
    }
    for written in &shared.written[0] {
        assert_eq!(written.read(), 1, "met one that has not arrived");
    }
}

fn clock(_: &Meeting, members: &Members<'static>) {
    members.world().pass_time();
}

fn meet(bodies: &[Body], death: Option<Death>) {
    meet_beside(0, bodies, death);
}

/// The same, in a barrier of more parties than those that look at all arrivals whenever they look; all
/// others have departed before.
fn meet_among_many(bodies: &[Body], death: Option<Death>) {
    meet_beside(4, bodies, death);
}

fn meet_beside(gone: usize, bodies: &[Body], death: Option<Death>) {
    let world = World::new(bodies.len(), death);
    let parties = bodies.iter().filter(|&&b| b as usize != clock as Body as usize).count();
    let timed = bodies
        .iter()
        .any(|&b| [impatient as Body, gives_up].iter().any(|&timed| b as usize == timed as usize));
    let shared = Rc::new(Meeting {
        head: zeroed(),
        parties: (0..parties + gone).map(|_| zeroed()).collect(),
        written: [(); PHASES].map(|()| (0..parties).map(|_| Plain::default()).collect()),
        ended: Default::default(),
        leaders: Default::default(),
        departed: Cell::new(None),
        timed,
    });
    for rank in 0..parties {
        shared.raw(&world.members(rank)).join(rank).expect("nobody is that party");
    }
    let one_that_goes = world.members(0).anew(world.late());
    for rank in parties..parties + gone {
        shared.raw(&one_that_goes).join(rank).expect("nobody is that party");
        shared.raw(&one_that_goes).depart(rank);
    }
    run_all(&world, &shared, bodies, |_, _| {});
    for (ended, leaders) in shared.ended.iter().zip(&shared.leaders) {
        // One that departs may be the one that ends a phase, and does not lead.
        let one_leads = world.dead().is_none() && !timed && shared.departed.get().is_none();
        if one_leads && ended.get() == Some(true) {
            assert_eq!(leaders.get(), 1, "nobody leads");
        }
    }
}
