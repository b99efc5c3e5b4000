//! Readers in their cells, and writers.

#[path = "../sync/rwlock/cells.rs"]
mod cells;
#[path = "../sync/rwlock/head.rs"]
mod head;
#[path = "../sync/rwlock/raw.rs"]
mod raw;

/// Where a reader looks first: by its slot alone, since lanes outlive an execution.
mod lane {
    pub(super) fn mine() -> u32 {
        0
    }

    pub(super) fn keep(_lane: u32) {}
}

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use raw::RawRwLock;

use crate::explore::{Scenario, run_all};
use crate::member::Members;
use crate::memory::Plain;
use crate::mutex::{Acquired, Culprit};
use crate::world::{self, Death, World};

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "rwlock",
        shows: "a writer is alone, readers see whole values, everybody gets through",
        run: |e| {
            e.check(2, |d| share(&[reads, writes], d));
            e.check(2, |d| share(&[writes, writes], d));
            e.check(1, |d| share(&[reads, reads, writes], d));
        },
    },
    Scenario {
        name: "rwlock-full",
        shows: "a reader that finds no cell waits for one",
        run: |e| {
            e.check(2, |d| share_one_cell(&[reads, reads], d));
            e.check(0, |d| share_one_cell(&[reads, reads, writes], d));
        },
    },
    Scenario {
        name: "rwlock-death",
        shows: "a reader's death gives its share back; a writer's poisons exactly if it was in",
        run: |e| {
            e.kill(1, 0, |d| share(&[reads, writes], d));
            e.kill(1, 0, |d| share(&[writes, reads], d));
            e.kill(1, 0, |d| share(&[writes, writes], d));
        },
    },
    Scenario {
        name: "rwlock-timeout",
        shows: "a writer that waited for readers and gives up lets others in again",
        run: |e| e.check(1, |d| share(&[reads_for_long, gives_up], d)),
    },
];

struct Guarded<const CELLS: usize> {
    lock: RawRwLock<CELLS>,
    one: Plain,
    two: Plain,
    writer: Cell<bool>,
    readers: [Cell<bool>; 5],
    poisoned: Cell<Option<Culprit>>,
}

type Body<const CELLS: usize> = fn(&Guarded<CELLS>, &Members<'static>);

impl<const CELLS: usize> Guarded<CELLS> {
    fn check(&self, got: Acquired) {
        let expected = self.poisoned.get().map_or(Acquired::Clean, Acquired::Poisoned);
        assert_eq!(got, expected, "poison");
        let (one, two) = (self.one.read(), self.two.read());
        assert!(got != Acquired::Clean || one == two, "torn, and taken for clean");
    }
}

fn reads<const CELLS: usize>(shared: &Guarded<CELLS>, members: &Members<'static>) {
    read(shared, members, || {});
}

/// Inside, time is up for those who will not wait longer.
fn reads_for_long<const CELLS: usize>(shared: &Guarded<CELLS>, members: &Members<'static>) {
    read(shared, members, || members.world().pass_time());
}

fn read<const CELLS: usize>(
    shared: &Guarded<CELLS>,
    members: &Members<'static>,
    meanwhile: impl FnOnce(),
) {
    let (got, seat) = shared.lock.read(members).expect("no deadline");
    assert!(!shared.writer.get(), "a reader beside a writer");
    shared.readers[members.party()].set(true);
    shared.check(got);
    world::step();
    meanwhile();
    shared.check(got);
    shared.readers[members.party()].set(false);
    // SAFETY: the seat is of this lock and membership, and given back once.
    unsafe { shared.lock.read_unlock(seat, members) };
}

fn write<const CELLS: usize>(shared: &Guarded<CELLS>, members: &Members<'static>, got: Acquired) {
    assert!(!shared.writer.replace(true), "two writers");
    assert!(shared.readers.iter().all(|r| !r.get()), "a writer beside readers");
    shared.check(got);
    if got != Acquired::Clean {
        shared.poisoned.set(None);
        // SAFETY: locked by the caller.
        unsafe { shared.lock.clear_poison(members) };
    }
    let next = shared.one.read() + 1;
    shared.one.write(next);
    shared.two.write(next);
    world::step();
    shared.writer.set(false);
    // SAFETY: locked by the caller; nothing refers to what it guards.
    unsafe { shared.lock.write_unlock(members) };
}

fn writes<const CELLS: usize>(shared: &Guarded<CELLS>, members: &Members<'static>) {
    let got = shared.lock.write(members).expect("no deadline");
    write(shared, members, got);
}

fn gives_up<const CELLS: usize>(shared: &Guarded<CELLS>, members: &Members<'static>) {
    if let Ok(got) = shared.lock.write_timeout(members, Duration::ZERO) {
        write(shared, members, got);
    }
}

fn dies<const CELLS: usize>(shared: &Guarded<CELLS>, party: usize) {
    let id = World::member(party);
    if shared.lock.writer() == Some(id) && !shared.lock.head.writer.is_held_outside() {
        shared.poisoned.set(Some(Culprit::Died(id)));
        shared.writer.set(false);
    }
    shared.readers[party].set(false);
}

fn share(bodies: &[Body<2>], death: Option<Death>) {
    run(bodies, death);
}

fn share_one_cell(bodies: &[Body<1>], death: Option<Death>) {
    run(bodies, death);
}

fn run<const CELLS: usize>(bodies: &[Body<CELLS>], death: Option<Death>) {
    let world = World::new(bodies.len(), death);
    let shared = Rc::new(Guarded::<CELLS> {
        lock: RawRwLock::new(),
        one: Plain::default(),
        two: Plain::default(),
        writer: Cell::new(false),
        readers: Default::default(),
        poisoned: Cell::new(None),
    });
    run_all(&world, &shared, bodies, dies);
    let late = world.members(0).anew(world.late());
    writes(&shared, &late);
    reads(&shared, &late);
}
