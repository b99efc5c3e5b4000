//! A condvar beside a mutex.

#[path = "../sync/condvar/raw.rs"]
mod raw;

use std::rc::Rc;

use raw::RawCondvar;

use crate::explore::{Scenario, run_all};
use crate::member::Members;
use crate::memory::Plain;
use crate::mutex::{Acquired, Culprit, RawMutex};
use crate::wait::{Deadline, Spin};
use crate::world::{Death, World};

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "condvar",
        shows: "what is notified with the mutex, or after it, is not missed; one for one, all for all",
        run: |e| {
            e.check(1, |d| notify(&[consumes, consumes, produces_all], d));
            e.check(0, |d| notify(&[consumes, consumes, produces, produces], d));
            e.check(2, |d| notify(&[consumes, produces], d));
        },
    },
    Scenario {
        name: "condvar-death",
        shows: "who was to notify dies at any step with the mutex: who waits is told by the mutex",
        run: |e| e.kill(2, 0, |d| notify(&[produces, consumes], d)),
    },
];

#[derive(Default)]
struct Queue {
    lock: RawMutex,
    condvar: RawCondvar,
    things: Plain,
}

/// Takes one, or finds the mutex poisoned by the dead.
fn consumes(shared: &Queue, members: &Members<'static>) {
    let raw = &shared.lock;
    let mut got = raw.lock(members).expect("no deadline");
    loop {
        if got != Acquired::Clean {
            assert_eq!(got, Acquired::Poisoned(Culprit::Died(World::member(0))));
            break;
        }
        let things = shared.things.read();
        if things > 0 {
            shared.things.write(things - 1);
            break;
        }
        // As the typed condvar does.
        let ticket = shared.condvar.register();
        // SAFETY: locked above; nothing refers to what it guards.
        unsafe { raw.unlock(members) };
        let look = || {
            let dead = !members.is_alive(World::member(0));
            dead || raw.is_orphaned(members) || raw.is_poisoned()
        };
        let mut spin = Spin::none();
        let called = shared.condvar.wait(members, ticket, &mut spin, Deadline::Never, look);
        assert!(called, "there is no deadline");
        got = raw.lock(members).expect("no deadline");
        if members.world().dead().is_some() && got == Acquired::Clean && shared.things.read() == 0 {
            break; // it died before it had the mutex
        }
    }
    // SAFETY: locked above; nothing refers to what it guards.
    unsafe { raw.unlock(members) };
}

fn produce(shared: &Queue, members: &Members<'static>, n: u32) {
    let got = shared.lock.lock(members);
    assert_eq!(got, Ok(Acquired::Clean));
    shared.things.write(shared.things.read() + n);
    // SAFETY: locked above; nothing refers to what it guards.
    unsafe { shared.lock.unlock(members) };
}

fn produces(shared: &Queue, members: &Members<'static>) {
    produce(shared, members, 1);
    shared.condvar.notify_one(members);
}

fn produces_all(shared: &Queue, members: &Members<'static>) {
    produce(shared, members, 2);
    shared.condvar.notify_all(members);
}

fn notify(bodies: &[fn(&Queue, &Members<'static>)], death: Option<Death>) {
    let world = World::new(bodies.len(), death);
    run_all(&world, &Rc::new(Queue::default()), bodies, |_, _| {});
}
