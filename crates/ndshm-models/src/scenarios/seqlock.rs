//! A value of two words in two copies.

#[path = "../sync/seqlock/raw.rs"]
mod raw;

use std::rc::Rc;

use raw::Versions;

use crate::atomic::AtomicU64;
use crate::explore::{Scenario, run_all};
use crate::member::Members;
use crate::memory::zeroed;
use crate::mutex::{Acquired, Culprit, RawMutex};
use crate::world::{Death, World};

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "seqlock",
        shows: "what is read is whole, and no older than what was seen before",
        run: |e| {
            e.check(2, |d| versions(&[reads, writes_three], d));
            e.check(0, |d| versions(&[reads, writes, writes, writes], d));
        },
    },
    Scenario {
        name: "seqlock-death",
        shows: "a writer dies at any step: the last value is read whole, and the next writer is told",
        run: |e| {
            e.kill(1, 0, |d| versions(&[writes_three, reads], d));
            e.kill(0, 0, |d| versions(&[writes, writes, reads], d));
        },
    },
];

struct Value {
    writers: RawMutex,
    versions: Versions,
    copies: [[AtomicU64; 2]; 2],
}

impl Value {
    fn copies(&self) -> raw::Copies<'_> {
        self.copies.each_ref().map(|copy| &copy[..])
    }
}

/// Each version is its number, twice.
fn read(shared: &Value) -> u64 {
    let mut words = [u64::MAX; 2];
    let version = shared.versions.read(shared.copies(), |i, word| words[i] = word);
    assert_eq!(words, [version; 2], "torn");
    version
}

fn reads(shared: &Value, _: &Members<'static>) {
    let before = read(shared);
    assert!(read(shared) >= before, "back in time");
}

/// As the typed one does.
fn writes(shared: &Value, members: &Members<'static>) {
    let got = shared.writers.lock(members).expect("no deadline");
    if got != Acquired::Clean {
        assert_eq!(got, Acquired::Poisoned(Culprit::Died(World::member(0))));
        // SAFETY: locked above.
        unsafe { shared.writers.clear_poison(members) };
    }
    let next = shared.versions.begin();
    shared.versions.publish(next, shared.copies(), [next; 2].into_iter());
    // SAFETY: locked above.
    unsafe { shared.writers.unlock(members) };
}

fn writes_three(shared: &Value, members: &Members<'static>) {
    for _ in 0..3 {
        writes(shared, members);
    }
}

fn versions(bodies: &[fn(&Value, &Members<'static>)], death: Option<Death>) {
    let world = World::new(bodies.len(), death);
    let shared =
        Rc::new(Value { writers: RawMutex::new(), versions: zeroed(), copies: Default::default() });
    run_all(&world, &shared, bodies, |_, _| {});
    let late = world.members(0).anew(world.late());
    writes(&shared, &late);
    read(&shared);
}
