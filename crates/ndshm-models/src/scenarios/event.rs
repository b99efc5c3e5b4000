//! Events and latches: waiting for what others have done.

#[path = "../sync/latch/raw.rs"]
mod latch;
#[path = "../sync/event/raw.rs"]
mod raw;

use std::cell::Cell;
use std::rc::Rc;

use latch::RawLatch;
use raw::{RawEvent, Sets, Undone};

use crate::atomic::AtomicU64;
use crate::barrier::Absence;
use crate::explore::{Scenario, run_all};
use crate::member::Members;
use crate::memory::{Plain, zeroed};
use crate::park::Sleepers;
use crate::wait::{Deadline, Spin};
use crate::world::{Death, World};

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "event",
        shows: "set, all pass, or one of them; what was written before is seen; none sleeps on",
        run: |e| {
            e.check(1, |d| event(false, &[passes, passes, sets], d));
            e.check(1, |d| event(true, &[passes_on, passes_on, sets], d));
            e.check(2, |d| event(false, &[passes, sets_and_resets], d));
        },
    },
    Scenario {
        name: "latch",
        shows: "open once all have counted down, for all who wait, with what each wrote before",
        run: |e| {
            e.check(2, |d| latch(&[counts, counts, waits], d));
            e.check(0, |d| latch(&[counts, counts, waits, waits], d));
        },
    },
    Scenario {
        name: "latch-death",
        shows: "a party dies at any step: those who wait pass if it had counted down, and are told if not",
        run: |e| {
            e.kill(2, 0, |d| latch(&[counts, waits], d));
            e.kill(1, 0, |d| latch(&[counts, counts, waits], d));
        },
    },
];

struct Gate {
    sets: Sets,
    undone: Undone,
    auto: bool,
    written: Plain,
}

impl Gate {
    fn raw(&self) -> RawEvent<'_> {
        RawEvent { sets: &self.sets, undone: &self.undone, auto: self.auto }
    }

    fn pass(&self, members: &Members<'_>) {
        let raw = self.raw();
        let since = raw.sets_so_far();
        if !raw.pass(since) {
            assert!(raw.wait(since, members, &mut Spin::none(), Deadline::Never));
        }
    }
}

fn sets(shared: &Gate, members: &Members<'static>) {
    shared.written.write(1);
    shared.raw().set(members);
}

/// Whoever waited when it was set passes, though it is not set any more; who came later waits.
fn sets_and_resets(shared: &Gate, members: &Members<'static>) {
    sets(shared, members);
    shared.raw().reset();
    shared.raw().set(members);
}

fn passes(shared: &Gate, members: &Members<'static>) {
    shared.pass(members);
    assert_eq!(shared.written.read(), 1);
}

/// One at a time.
fn passes_on(shared: &Gate, members: &Members<'static>) {
    shared.pass(members);
    shared.written.write(shared.written.read() + 1);
    shared.raw().set(members);
}

fn event(auto: bool, bodies: &[fn(&Gate, &Members<'static>)], death: Option<Death>) {
    let world = World::new(bodies.len(), death);
    let shared =
        Rc::new(Gate { sets: zeroed(), undone: zeroed(), auto, written: Plain::default() });
    run_all(&world, &shared, bodies, |_, _| {});
}

struct Counted {
    parties: Vec<AtomicU64>,
    sleepers: Sleepers,
    written: Vec<Plain>,
    /// Whether the dead one had counted down.
    done: Cell<bool>,
}

impl Counted {
    fn raw<'a>(&'a self, members: &'a Members<'a>) -> RawLatch<'a> {
        RawLatch { parties: &self.parties, sleepers: &self.sleepers, members }
    }
}

type Counts = fn(&Counted, &Members<'static>);

fn counts(shared: &Counted, members: &Members<'static>) {
    shared.written[members.party()].write(1);
    shared.raw(members).count_down(members.party());
}

fn waits(shared: &Counted, members: &Members<'static>) {
    let raw = shared.raw(members);
    let opened = raw.wait(&mut Spin::none(), Deadline::Never).expect("no deadline");
    let dead = members.world().dead();
    if opened {
        assert!(dead.is_none() || shared.done.get(), "open, without the dead one");
        assert!(shared.written.iter().all(|w| w.read() == 1), "open too early");
    } else {
        let dead = dead.expect("broken, and all live");
        assert!(!shared.done.get(), "broken, though all have counted down");
        assert_eq!(raw.lost(dead), Some((Absence::Died, Some(World::member(dead)))));
    }
}

fn latch(bodies: &[Counts], death: Option<Death>) {
    let world = World::new(bodies.len(), death);
    let parties = bodies.iter().filter(|&&b| b as usize == counts as Counts as usize).count();
    let shared = Rc::new(Counted {
        parties: (0..parties).map(|_| AtomicU64::new(0)).collect(),
        sleepers: Sleepers::new(),
        written: (0..parties).map(|_| Plain::default()).collect(),
        done: Cell::new(false),
    });
    for rank in 0..parties {
        shared.raw(&world.members(rank)).join(rank).expect("nobody is that party");
    }
    run_all(&world, &shared, bodies, |shared, party| {
        let members = World::current_members(party);
        shared.done.set(shared.raw(&members).party(party).is_done());
    });
}
