//! A mutex around two words that belong together.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use crate::explore::{Scenario, run_all};
use crate::member::{MemberId, Members};
use crate::memory::Plain;
use crate::mutex::{Acquired, Culprit, NotAcquired, RawMutex};
use crate::world::{self, Death, World};

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "mutex",
        shows: "two and three parties: one at a time inside, nothing lost, everybody gets through",
        run: |e| {
            e.check(3, |d| contend(&[twice, twice], d));
            e.check(2, |d| contend(&[once, once, once], d));
        },
    },
    Scenario {
        name: "mutex-death",
        shows: "one dies at any step: the others get the lock, and know what was left and by whom",
        run: |e| {
            e.kill(2, 0, |d| contend(&[twice, twice], d));
            e.kill(1, 0, |d| contend(&[once, once, once], d));
        },
    },
    Scenario {
        name: "mutex-recovery",
        shows: "of those that take over from the dead, one dies at any step",
        run: |e| {
            e.kill(2, 0, |d| inherit(&[once, once], d));
            e.kill(1, 0, |d| inherit(&[once, once, once], d));
        },
    },
    Scenario {
        name: "mutex-timeout",
        shows: "one gives up, or dies giving up: the wake-up that it may have taken is not lost",
        run: |e| {
            e.check(1, |d| contend(&[impatient, once, once, clock], d));
            e.check(2, |d| contend(&[impatient, twice, clock], d));
            e.check(2, |d| contend(&[twice_and_late, impatient, once], d));
            e.kill(1, 0, |d| contend(&[impatient, once, clock], d));
        },
    },
    Scenario {
        name: "mutex-poison",
        shows: "who panics inside poisons; that stays, with its name, until it is cleared",
        run: |e| {
            e.check(2, |d| contend(&[panicking, once], d));
            e.check(2, |d| contend(&[panicking, forgetful, once], d));
            e.kill(1, 0, |d| contend(&[panicking, forgetful], d));
            e.kill(2, 0, |d| inherit(&[forgetful, once], d));
        },
    },
    Scenario {
        name: "mutex-slot",
        shows: "a slot is taken anew: its dead are told from the living by generation",
        run: |e| {
            e.check(3, |d| inherit(&[joins_late, once], d));
            e.check(2, |d| contend(&[joins_late, once], d));
            e.check(3, |d| inherit(&[joins, once], d));
            e.check(0, |d| inherit(&[joins_late, once, once], d));
            e.kill(2, 0, |d| inherit(&[joins_late, once], d));
        },
    },
];

/// What is guarded: equal, and counted up by each that was inside.
#[derive(Default)]
struct Guarded {
    lock: RawMutex,
    one: Plain,
    two: Plain,
    // What the model knows, beside the memory that is modelled.
    inside: Cell<Option<MemberId>>,
    /// What the first word has come to.
    counted: Cell<u32>,
    poisoned: Cell<Option<Culprit>>,
    /// The member that took the slot of a dead one.
    late: Cell<Option<MemberId>>,
}

type Body = fn(&Guarded, &Members<'static>);

impl Guarded {
    /// What one that was let in finds and does.
    fn enter(&self, members: &Members<'_>, got: Acquired) {
        // Poison is reported exactly when somebody died or panicked inside, and says who.
        let expected = self.poisoned.get().map_or(Acquired::Clean, Acquired::Poisoned);
        assert_eq!(got, expected, "poison");
        assert_eq!(self.inside.replace(Some(members.me())), None, "two inside");
        // loom reports accesses that are not ordered.
        let (one, two) = (self.one.read(), self.two.read());
        if got == Acquired::Clean {
            assert_eq!(one, two, "torn, and taken for clean");
        }
        self.one.write(one + 1);
        self.counted.set(one + 1);
        self.two.write(one + 1);
        world::step();
    }

    fn mend(&self, members: &Members<'_>) {
        self.poisoned.set(None);
        // SAFETY: locked by the caller.
        unsafe { self.lock.clear_poison(members) };
    }

    fn leave(&self, members: &Members<'_>) {
        self.inside.set(None);
        // SAFETY: locked by the caller, and nothing refers to what it guards.
        unsafe { self.lock.unlock(members) };
    }

    fn lock(&self, members: &Members<'_>) {
        self.enter(members, self.lock.lock(members).expect("there is no deadline"));
    }
}

fn once(shared: &Guarded, members: &Members<'static>) {
    shared.lock(members);
    if shared.poisoned.get().is_some() {
        shared.mend(members);
    }
    shared.leave(members);
}

fn twice(shared: &Guarded, members: &Members<'static>) {
    once(shared, members);
    once(shared, members);
}

/// Leaves the poison to others.
fn forgetful(shared: &Guarded, members: &Members<'static>) {
    shared.lock(members);
    shared.leave(members);
}

fn panicking(shared: &Guarded, members: &Members<'static>) {
    shared.lock(members);
    // SAFETY: locked above.
    unsafe { shared.lock.poison(members) };
    shared.poisoned.set(Some(Culprit::Panicked(members.me())));
    shared.leave(members);
}

fn impatient(shared: &Guarded, members: &Members<'static>) {
    match shared.lock.lock_timeout(members, Duration::ZERO) {
        Ok(got) => {
            shared.enter(members, got);
            shared.leave(members);
        }
        Err(why) => assert!(matches!(why, NotAcquired::Held(_)), "{why:?}"),
    }
}

/// Between its two turns, time is up for those who will not wait longer.
fn twice_and_late(shared: &Guarded, members: &Members<'static>) {
    once(shared, members);
    members.world().pass_time();
    once(shared, members);
}

fn clock(_: &Guarded, members: &Members<'static>) {
    members.world().pass_time();
}

/// Takes the slot of the one that has died with the lock.
fn joins(shared: &Guarded, members: &Members<'static>) {
    let world = members.world();
    let me = world.join(0, usize::from(world.long_dead().slot())).expect("free");
    assert!(me.generation() > world.long_dead().generation());
    shared.late.set(Some(me));
}

/// The same, and then the lock.
fn joins_late(shared: &Guarded, members: &Members<'static>) {
    joins(shared, members);
    once(shared, &members.anew(shared.late.get().expect("joined")));
}

/// What the word says at the moment of a death is what the others have to find out.
fn dies(shared: &Guarded, party: usize) {
    let Some(owner) = shared.lock.owner() else { return };
    if owner == World::member(party) || Some(owner) == shared.late.get() {
        shared.poisoned.set(Some(Culprit::Died(owner)));
        shared.inside.set(None);
    }
}

fn contend(bodies: &[Body], death: Option<Death>) {
    let world = World::new(bodies.len(), death);
    run(&world, &Rc::new(Guarded::default()), bodies);
}

/// The same, after one has died inside.
fn inherit(bodies: &[Body], death: Option<Death>) {
    let world = World::new(bodies.len(), death);
    let shared = Rc::new(Guarded::default());
    shared.lock(&world.members(0).anew(world.long_dead()));
    shared.inside.set(None);
    shared.poisoned.set(Some(Culprit::Died(world.long_dead())));
    run(&world, &shared, bodies);
}

fn run(world: &Rc<World>, shared: &Rc<Guarded>, bodies: &[Body]) {
    run_all(world, shared, bodies, dies);
    // Who comes later gets the lock, and nothing was lost.
    let late = world.members(0).anew(world.late());
    shared.lock(&late);
    let counted = shared.counted.get();
    assert_eq!((shared.one.read(), shared.two.read()), (counted, counted), "lost");
}
