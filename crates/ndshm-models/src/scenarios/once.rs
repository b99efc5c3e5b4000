//! What is done once.

#[path = "../sync/once/raw.rs"]
mod raw;

/// What came of it, without its texts.
mod error {
    use crate::member::Member;

    #[derive(Debug, PartialEq, Eq)]
    pub(super) enum OnceError {
        TimedOut { by: Option<Member> },
        Abandoned { by: Member, panicked: bool },
        Forked,
    }
}

use std::cell::Cell;
use std::rc::Rc;

use error::OnceError;
use raw::RawOnce;

use crate::explore::{Scenario, run_all};
use crate::member::Members;
use crate::memory::{Plain, zeroed};
use crate::wait::Deadline;
use crate::world::{self, Death, World};

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "once",
        shows: "done by one, seen by all who call or wait",
        run: |e| {
            e.check(2, |d| once(&[calls, calls], d));
            e.check(1, |d| once(&[calls, calls, waits], d));
        },
    },
    Scenario {
        name: "once-death",
        shows: "who does it dies at any step: the next does it anew, who only waits is told",
        run: |e| {
            e.kill(2, 0, |d| once(&[calls, calls], d));
            e.kill(0, 0, |d| once(&[calls, calls, waits], d));
        },
    },
];

struct Shared {
    raw: RawOnce,
    written: Plain,
    /// How often it was begun, and how often brought to its end.
    begun: Cell<u32>,
    ended: Cell<u32>,
}

fn calls(shared: &Shared, members: &Members<'static>) {
    let work = || {
        shared.begun.set(shared.begun.get() + 1);
        shared.written.write(7);
        world::step();
        shared.ended.set(shared.ended.get() + 1);
    };
    assert_eq!(shared.raw.call(members, Deadline::Never, work), Ok(()));
    assert_eq!(shared.written.read(), 7);
}

fn waits(shared: &Shared, members: &Members<'static>) {
    match shared.raw.wait(members, Deadline::Never) {
        Ok(()) => assert_eq!(shared.written.read(), 7),
        Err(OnceError::Abandoned { by, panicked: false }) => {
            assert_eq!(Some(by.id), members.world().dead().map(World::member));
        }
        Err(other) => panic!("{other:?}"),
    }
}

fn once(bodies: &[fn(&Shared, &Members<'static>)], death: Option<Death>) {
    let world = World::new(bodies.len(), death);
    let shared = Rc::new(Shared {
        raw: zeroed(),
        written: Plain::default(),
        begun: Cell::new(0),
        ended: Cell::new(0),
    });
    run_all(&world, &shared, bodies, |_, _| {});
    let most = 1 + u32::from(world.dead().is_some());
    assert!(shared.begun.get() <= most && shared.ended.get() <= most, "done twice");
    calls(&shared, &world.members(0).anew(world.late()));
}
