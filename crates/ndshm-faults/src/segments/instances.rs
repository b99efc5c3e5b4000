//! Many processes create, open and remove segments of a few names, and none ever takes one instance for another.

use std::sync::atomic::Ordering::{Relaxed, SeqCst};

use ndshm_buffer::{CreateError, OpenError, SharedBuffer};
use ndshm_testkit::Rng;

use super::{Fault, Scene};

pub(super) const FAULT: Fault = Fault {
    name: "instances",
    rounds: 100_000,
    counts: &["created", "opened", "unlinked", "collections", "handles that were of another"],
    play,
};

const CREATED: usize = 0;
const OPENED: usize = 1;
const UNLINKED: usize = 2;
const COLLECTED: usize = 3;
const STALE: usize = 4;

const PROCESSES: u64 = 16;
const NAMES: [&str; 3] = ["a", "b", "c"];
/// Operations between two looks at how far all are.
const BATCH: u64 = 64;

/// Words of a segment: which instance it is, seven times; and how often its name was removed by a call.
const STAMPS: usize = 7;
const REMOVALS: usize = 56;
const LEN: usize = 64;

fn play(scene: &Scene) {
    let mut all: Vec<_> = (1..=PROCESSES).map(|me| scene.spawn(|| operate(scene, me))).collect();
    all.iter_mut().for_each(|one| {
        // As long as the others have something to do.
        while scene.goes_on() {
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        scene.ends_well(one);
    });
    for name in NAMES {
        let _ = scene.options().remove(name);
    }
}

/// The stamp of an instance; `None` where it is not that of one.
fn stamp(buffer: &SharedBuffer) -> Option<u64> {
    let first = buffer.load_u64(0).filter(|&first| first != 0)?;
    (1..STAMPS).all(|word| buffer.load_u64(8 * word) == Some(first)).then_some(first)
}

fn operate(scene: &Scene, me: u64) {
    let mut rng = scene.rng(me);
    let (mut made, mut operations) = (0, 0);
    while scene.goes_on() {
        let name = NAMES[rng.below(NAMES.len() as u64) as usize];
        operations += match rng.below(100) {
            0..40 => {
                made += 1;
                create(scene, &mut rng, name, me << 40 | made)
            }
            40..98 => open(scene, &mut rng, name),
            _ => {
                scene.count(COLLECTED).fetch_add(1, Relaxed);
                scene.check(scene.options().gc().is_ok(), || "no collection".to_owned());
                1
            }
        };
        if operations >= BATCH {
            scene.done(operations);
            operations = 0;
        }
    }
    scene.done(operations);
}

fn create(scene: &Scene, rng: &mut Rng, name: &str, mine: u64) -> u64 {
    let fill = |bytes: &mut [u8]| {
        for word in bytes.chunks_exact_mut(8).take(STAMPS) {
            word.copy_from_slice(&mine.to_ne_bytes());
        }
    };
    match scene.options().create_with(name, LEN, fill) {
        Ok(created) => {
            scene.count(CREATED).fetch_add(1, Relaxed);
            if rng.chance(30) {
                std::thread::yield_now();
            }
            scene.check(stamp(&created) == Some(mine), || "a creator has another's".to_owned());
            if rng.chance(50) {
                // Dropping it removes the name.
                return 2;
            }
            if !unlink(scene, &created) {
                let removals = created.atomic_u64(REMOVALS).expect("writable");
                scene
                    .until("whoever removed the name owns up to it", || removals.load(SeqCst) == 1);
            }
            2
        }
        Err(CreateError::NameTaken { .. }) => 1,
        Err(other) => {
            scene.violation(&other.to_string());
            1
        }
    }
}

/// Removes the name of that very instance: true at most once for each.
fn unlink(scene: &Scene, buffer: &SharedBuffer) -> bool {
    match buffer.unlink() {
        Ok(true) => {
            scene.count(UNLINKED).fetch_add(1, Relaxed);
            let before = buffer.atomic_u64(REMOVALS).expect("writable").fetch_add(1, SeqCst);
            scene.check(before == 0, || "one name was removed twice: another's".to_owned());
            true
        }
        Ok(false) => false,
        Err(error) => {
            scene.violation(&error.to_string());
            false
        }
    }
}

fn open(scene: &Scene, rng: &mut Rng, name: &str) -> u64 {
    let opened = match scene.options().open(name) {
        Ok(opened) => opened,
        Err(OpenError::NotFound { .. }) => return 1,
        Err(other) => {
            scene.violation(&other.to_string());
            return 1;
        }
    };
    scene.count(OPENED).fetch_add(1, Relaxed);
    let stamp = stamp(&opened);
    scene.check(stamp.is_some(), || "half an instance, or two".to_owned());
    let mut operations = 1;
    if rng.chance(20) {
        operations += 1;
        let (handle, id) = (opened.handle(), opened.id());
        match handle.open() {
            Ok(same) => scene.check(same.id() == id && self::stamp(&same) == stamp, || {
                "a handle led to another instance".to_owned()
            }),
            Err(OpenError::NotFound { .. } | OpenError::Replaced { .. }) => {
                scene.count(STALE).fetch_add(1, Relaxed);
            }
            Err(other) => scene.violation(&other.to_string()),
        }
    }
    if rng.chance(30) {
        operations += 1;
        unlink(scene, &opened);
    }
    operations
}
