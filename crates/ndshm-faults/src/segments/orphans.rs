//! Creators are killed and leave orphans, which several collectors remove at once, beside segments that live.

use std::collections::BTreeMap;
use std::mem;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::time::Duration;

use ndshm_testkit::Rng;

use super::{Fault, Scene};
use crate::child::{Child, die};

pub(super) const FAULT: Fault = Fault {
    name: "orphans",
    rounds: 100,
    counts: &[
        "left by the killed",
        "collections",
        "living",
        "living looked at",
        "renewed meanwhile",
    ],
    play,
};

const LEFT: usize = 0;
const COLLECTIONS: usize = 1;
const LIVING: usize = 2;
const LOOKS: usize = 3;
const RENEWED: usize = 4;

const KEEPERS: u64 = 100;
/// Of these half are persisted and held by nobody.
const PERSISTED: u64 = 100;
const COLLECTORS: u64 = 3;
/// Orphans that one killed process leaves.
const BROOD: u64 = 50;

const READY: usize = 0;
const OVER: usize = 1;

fn play(scene: &Scene) {
    let mut keepers: Vec<Child> = (0..KEEPERS).map(|me| scene.spawn(|| keep(scene, me))).collect();
    for n in 0..PERSISTED {
        let made = scene.options().persist(true).create(&format!("kept-{n}"), 64);
        scene.check(made.is_ok(), || "cannot create".to_owned());
    }
    scene.until("the living are there", || scene.word(READY).load(SeqCst) == KEEPERS);
    scene.count(LIVING).store(KEEPERS + PERSISTED, Relaxed);
    let living = living(scene);
    scene.check(living.len() as u64 == KEEPERS + PERSISTED, || format!("{} live", living.len()));
    let mut renewer = scene.spawn(|| renew(scene));
    let mut collectors: Vec<_> = (0..COLLECTORS).map(|_| scene.spawn(|| collect(scene))).collect();
    let mut rng = scene.rng(1);
    let mut brood = 0;
    while scene.count(LEFT).load(SeqCst) < scene.rounds {
        brood += 1;
        leave(scene, &mut rng, brood);
        scene.beat();
        scene.check(self::living(scene) == living, || "one that lives was lost".to_owned());
        scene.count(LOOKS).fetch_add(living.len() as u64, Relaxed);
    }
    scene.until("all orphans are gone", || {
        scene.beat();
        scene.rounds_done() >= scene.count(LEFT).load(SeqCst) || scene.violations() > 0
    });
    scene.word(OVER).store(1, SeqCst);
    collectors.iter_mut().chain([&mut renewer]).for_each(|one| scene.ends_well(one));
    scene.check(self::living(scene) == living, || "one that lives was lost".to_owned());
    let dead = keepers.iter_mut().filter_map(|one| one.kill(scene.limit).then_some(())).count();
    scene.check(dead == keepers.len(), || "a killed keeper does not die".to_owned());
    // Now those are orphans too.
    let collected = scene.options().gc().map_or(0, |removed| removed.len()) as u64;
    scene.check(collected == KEEPERS, || format!("{collected} of {KEEPERS} more were collected"));
    for n in 0..PERSISTED {
        let removed = scene.options().remove(&format!("kept-{n}"));
        scene.check(removed.is_ok(), || "a persisted one was lost".to_owned());
    }
}

/// Holds one for as long as it lives: half of the keepers as one that has only opened it.
fn keep(scene: &Scene, me: u64) {
    let name = format!("live-{me}");
    let created = scene.options().create(&name, 64).expect("nobody else creates it");
    if me.is_multiple_of(2) {
        scene.word(READY).fetch_add(1, SeqCst);
        return sleep(&created);
    }
    let reader = scene.options().read_only(true).open(&name).expect("it is there");
    // As if another had created it, and been killed.
    mem::forget(created);
    scene.word(READY).fetch_add(1, SeqCst);
    sleep(&reader);
}

fn sleep<T>(_: &T) {
    loop {
        std::thread::sleep(Duration::from_secs(1));
    }
}

/// Which of the living there are, and which segment each is.
fn living(scene: &Scene) -> BTreeMap<String, u64> {
    let all = (0..KEEPERS).map(|n| format!("live-{n}"));
    let all = all.chain((0..PERSISTED).map(|n| format!("kept-{n}")));
    all.filter_map(|name| Some((name.clone(), scene.options().info(&name).ok()?.id().ino())))
        .collect()
}

/// One process makes some, and is killed with all of them.
fn leave(scene: &Scene, rng: &mut Rng, brood: u64) {
    let number = 1 + rng.below(BROOD);
    let mut creator = scene.spawn(|| {
        for n in 0..number {
            let made = scene.options().create(&format!("dead-{brood}-{n}"), 64);
            mem::forget(made.expect("nobody else creates it"));
            scene.count(LEFT).fetch_add(1, SeqCst);
        }
        die();
    });
    creator.wait(scene.limit);
}

fn collect(scene: &Scene) {
    while scene.word(OVER).load(SeqCst) == 0 {
        match scene.options().gc() {
            Ok(removed) => {
                let lost = removed.iter().find(|one| !one.name().starts_with("dead-"));
                let lost = lost.map(|one| one.name());
                scene.check(lost.is_none(), || format!("{lost:?} was collected"));
                scene.count(COLLECTIONS).fetch_add(1, Relaxed);
                scene.done(removed.len() as u64);
            }
            Err(error) => scene.violation(&error.to_string()),
        }
    }
}

/// Creates, opens and drops under one name all the while: nobody else takes it away.
fn renew(scene: &Scene) {
    while scene.word(OVER).load(SeqCst) == 0 {
        let made = scene.options().create("young", 64).expect("nobody else creates it");
        let info = scene.options().info("young");
        scene.check(info.is_ok_and(|info| info.id() == made.id()), || {
            "a new one was collected".to_owned()
        });
        scene.count(RENEWED).fetch_add(1, Relaxed);
    }
}
