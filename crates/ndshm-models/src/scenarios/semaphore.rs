//! Permits that somebody has, and permits that nobody has.

#[path = "../sync/semaphore/raw.rs"]
mod raw;
#[path = "../sync/signal/raw.rs"]
mod signal;

use std::cell::Cell;
use std::rc::Rc;

use raw::{RawSemaphore, Taken};
use signal::RawSignal;

use crate::atomic::AtomicU64;
use crate::explore::{Scenario, run_all};
use crate::member::Members;
use crate::memory::{Plain, zeroed};
use crate::park::Sleepers;
use crate::wait::{Deadline, Spin};
use crate::world::{self, Death, World};

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "semaphore",
        shows: "no more inside than there are permits; nobody who could have one sleeps",
        run: |e| {
            e.check(3, |d| share(1, &[once, once], d));
            e.check(1, |d| share(1, &[once, once, once], d));
            e.check(1, |d| share(2, &[once, once, once], d));
        },
    },
    Scenario {
        name: "semaphore-death",
        shows: "the permit of a dead one comes back, with its name, exactly if it had one",
        run: |e| {
            e.kill(2, 0, |d| share(1, &[once, once], d));
            e.kill(0, 0, |d| share(1, &[once, once, once], d));
        },
    },
    Scenario {
        name: "signal",
        shows: "as many pass as was posted, and see what was written before; none sleeps on one",
        run: |e| {
            e.check(1, |d| signals(&[passes, passes, posts_two], d));
            e.check(1, |d| signals(&[passes, passes, posts_twice], d));
        },
    },
];

struct Shared {
    permits: Vec<AtomicU64>,
    sleepers: Sleepers,
    /// One for each permit: whoever has it is the only one that writes there.
    written: Vec<Plain>,
    inside: Cell<usize>,
    /// The dead had this permit, and nobody was told yet.
    lost: Cell<bool>,
}

type Body = fn(&Shared, &Members<'static>);

fn once(shared: &Shared, members: &Members<'static>) {
    let (permits, sleepers) = (&shared.permits, &shared.sleepers);
    let raw = RawSemaphore { permits, sleepers, members };
    let free = raw.take_free();
    let Taken { permit, from } =
        free.unwrap_or_else(|| raw.wait(&mut Spin::none(), Deadline::Never).expect("no deadline"));
    if from.is_some() {
        assert_eq!(from, members.world().dead().map(World::member), "whose it was");
        assert!(shared.lost.replace(false), "it had none");
    }
    shared.inside.set(shared.inside.get() + 1);
    assert!(shared.inside.get() <= permits.len(), "more inside than there are permits");
    let written = &shared.written[permit];
    written.write(written.read() + 1);
    world::step();
    shared.inside.set(shared.inside.get() - 1);
    raw.release(permit);
}

fn share(permits: usize, bodies: &[Body], death: Option<Death>) {
    let world = World::new(bodies.len(), death);
    let shared = Rc::new(Shared {
        permits: (0..permits).map(|_| AtomicU64::new(0)).collect(),
        sleepers: Sleepers::new(),
        written: (0..permits).map(|_| Plain::default()).collect(),
        inside: Cell::new(0),
        lost: Cell::new(false),
    });
    run_all(&world, &shared, bodies, |shared, party| {
        let members = World::current_members(party);
        let raw = RawSemaphore {
            permits: &shared.permits,
            sleepers: &shared.sleepers,
            members: &members,
        };
        if raw.owners().any(|owner| owner == Some(World::member(party))) {
            shared.lost.set(true);
            shared.inside.set(0); // one permit, where somebody dies
        }
    });
    if let Some(dead) = world.dead() {
        let late = world.members(dead).anew(world.late());
        let raw =
            RawSemaphore { permits: &shared.permits, sleepers: &shared.sleepers, members: &late };
        let taken = raw.wait(&mut Spin::none(), Deadline::Never).expect("no deadline");
        assert_eq!(taken.from.is_some(), shared.lost.get(), "what the dead one had");
    }
}

struct Signals {
    raw: RawSignal,
    written: Plain,
}

fn passes(shared: &Signals, members: &Members<'static>) {
    if !shared.raw.take(0) {
        assert!(shared.raw.wait(0, members, &mut Spin::none(), Deadline::Never));
    }
    assert_eq!(shared.written.read(), 1);
}

fn posts_two(shared: &Signals, members: &Members<'static>) {
    shared.written.write(1);
    shared.raw.post(0, 2, members).expect("few");
}

fn posts_twice(shared: &Signals, members: &Members<'static>) {
    shared.written.write(1);
    shared.raw.post(0, 1, members).expect("few");
    shared.raw.post(0, 1, members).expect("few");
}

fn signals(bodies: &[fn(&Signals, &Members<'static>)], death: Option<Death>) {
    let world = World::new(bodies.len(), death);
    let shared = Rc::new(Signals { raw: zeroed(), written: Plain::default() });
    run_all(&world, &shared, bodies, |_, _| {});
    assert_eq!(shared.raw.value(0), 0);
}
