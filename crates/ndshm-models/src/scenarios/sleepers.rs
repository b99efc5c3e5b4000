//! Sleeping until a word changes, and waking exactly as many as can go on.

use std::cell::Cell;
use std::rc::Rc;

use crate::atomic::{AtomicU32, Ordering};
use crate::event_count::EventCount;
use crate::explore::{Scenario, run_all};
use crate::member::Members;
use crate::memory::Plain;
use crate::park::{Look, Sleepers};
use crate::wait::{Deadline, SLICE, Spin};
use crate::world::{Death, World};

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "sleepers",
        shows: "of those who sleep, as many wake as there is something for; none misses it",
        run: |e| {
            e.check(1, |d| permits(&[takes, takes, posts_twice], d));
            e.check(1, |d| permits(&[takes, takes, posts_two], d));
            e.check(1, |d| permits(&[sees, sees_again, opens], d));
            e.check(2, |d| permits(&[takes, posts], d));
            e.check(3, |d| permits(&[sees_again, opens], d));
        },
    },
    Scenario {
        name: "sleepers-death",
        shows: "one dies with a wake-up, or before it wakes others: they go on",
        run: |e| {
            e.kill(0, 0, |d| permits(&[takes_and_posts, takes_and_posts, posts], d));
            e.kill(2, 0, |d| permits(&[posts, takes], d));
            e.kill(1, 0, |d| permits(&[opens, sees, sees], d));
        },
    },
    Scenario {
        name: "event-count",
        shows: "a change between look and sleep is not missed; nor is the death of who was to make it",
        run: |e| {
            e.check(2, |d| versions(&[follows, follows, changes], d));
            e.kill(2, 0, |d| versions(&[changes, follows], d));
        },
    },
];

/// A number of things to be had, and a gate.
#[derive(Default)]
struct Permits {
    count: AtomicU32,
    gate: AtomicU32,
    sleepers: Sleepers,
    written: Plain,
    /// Who has had one.
    had: [Cell<bool>; 4],
    /// Who is there to give, not to take.
    gives: [Cell<bool>; 4],
}

impl Permits {
    fn try_take(&self, me: usize) -> bool {
        let mut count = self.count.load(Ordering::Relaxed);
        while count > 0 {
            let (ok, not) = (Ordering::Acquire, Ordering::Relaxed);
            match self.count.compare_exchange(count, count - 1, ok, not) {
                Ok(_) => {
                    self.had[me].set(true);
                    return true;
                }
                Err(now) => count = now,
            }
        }
        false
    }

    /// Waits, or finds that the dead leave nothing to wait for.
    fn wait(&self, members: &Members<'_>, mut found: impl FnMut() -> bool) {
        let found = |look: Look| {
            // Party 0 is who may die: with what it had to give, or with what it had.
            let lost = || {
                let gone = !members.is_alive(World::member(0));
                gone && (self.gives[0].get() || self.had[0].get())
            };
            (found() || look == Look::Thorough && lost()).then_some(())
        };
        let ended = self.sleepers.wait(members, &mut Spin::none(), Deadline::Never, found);
        assert!(ended.is_some());
    }
}

fn takes(shared: &Permits, members: &Members<'static>) {
    let me = members.party();
    shared.wait(members, || shared.try_take(me));
}

fn takes_and_posts(shared: &Permits, members: &Members<'static>) {
    takes(shared, members);
    post(shared, members, 1);
}

fn post(shared: &Permits, members: &Members<'static>, n: u32) {
    shared.count.fetch_add(n, Ordering::Release);
    shared.sleepers.wake_some(members, n);
}

fn posts(shared: &Permits, members: &Members<'static>) {
    post(shared, members, 1);
}

fn posts_twice(shared: &Permits, members: &Members<'static>) {
    post(shared, members, 1);
    post(shared, members, 1);
}

fn posts_two(shared: &Permits, members: &Members<'static>) {
    post(shared, members, 2);
}

fn opens(shared: &Permits, members: &Members<'static>) {
    shared.written.write(1);
    for step in 1..=2 {
        shared.gate.store(step, Ordering::Release);
        shared.sleepers.wake_all(members);
    }
}

fn sees(shared: &Permits, members: &Members<'static>) {
    shared.wait(members, || shared.gate.load(Ordering::Acquire) >= 1);
    if shared.gate.load(Ordering::Acquire) >= 1 {
        assert_eq!(shared.written.read(), 1);
    }
}

fn sees_again(shared: &Permits, members: &Members<'static>) {
    sees(shared, members);
    shared.wait(members, || shared.gate.load(Ordering::Acquire) == 2);
}

type Body = fn(&Permits, &Members<'static>);

fn permits(bodies: &[Body], death: Option<Death>) {
    let world = World::new(bodies.len(), death);
    let shared = Rc::new(Permits::default());
    let takers = [takes as Body, takes_and_posts, sees, sees_again];
    for (body, gives) in bodies.iter().zip(&shared.gives) {
        gives.set(takers.iter().all(|&t| t as usize != *body as usize));
    }
    run_all(&world, &shared, bodies, |_, _| {});
}

#[derive(Default)]
struct Versions {
    events: EventCount,
    version: AtomicU32,
    written: Plain,
}

fn changes(shared: &Versions, members: &Members<'static>) {
    shared.written.write(7);
    shared.version.store(7, Ordering::Release);
    shared.events.notify_all(members);
}

fn follows(shared: &Versions, members: &Members<'static>) {
    loop {
        let seen = shared.events.read();
        if shared.version.load(Ordering::Acquire) == 7 {
            assert_eq!(shared.written.read(), 7);
            return;
        }
        if !members.is_alive(World::member(0)) {
            return;
        }
        shared.events.wait(members, seen, SLICE);
    }
}

fn versions(bodies: &[fn(&Versions, &Members<'static>)], death: Option<Death>) {
    let world = World::new(bodies.len(), death);
    run_all(&world, &Rc::new(Versions::default()), bodies, |_, _| {});
}
