//! Very many processes have one segment; all are told, and it lives until the last of them is gone.

use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::time::Duration;

use super::{Fault, Scene};

pub(super) const FAULT: Fault =
    Fault { name: "attachers", rounds: 10, counts: &["killed", "told of at once"], play };

const KILLED: usize = 0;
const TOLD: usize = 1;

const READY: usize = 0;

fn play(scene: &Scene) {
    let mut rng = scene.rng(1);
    let created = scene.options().create_with("a", 4096, |bytes| bytes.fill(7));
    let created = created.expect("nobody else creates it");
    let mut all: Vec<_> = (0..scene.rounds)
        .map(|me| {
            scene.beat();
            scene.spawn(|| attach(scene, me))
        })
        .collect();
    scene.until("all are attached", || scene.word(READY).load(SeqCst) == scene.rounds);
    let info = || scene.options().info("a").expect("it has its name");
    let attached = info().attached();
    scene.count(TOLD).store(attached.len() as u64, Relaxed);
    let writers = attached.iter().filter(|one| one.writable).count() as u64;
    scene.check(attached.len() as u64 == scene.rounds + 1, || {
        format!("{} are told of", attached.len())
    });
    scene.check(writers == scene.rounds.div_ceil(2) + 1, || format!("{writers} may write"));
    // As if its creator had been killed: it lives through the others.
    std::mem::forget(created.clone());
    drop(created);
    while !all.is_empty() {
        let mut victim = all.swap_remove(rng.below(all.len() as u64) as usize);
        victim.kill(scene.limit);
        scene.count(KILLED).fetch_add(1, Relaxed);
        if all.len().is_multiple_of(50) {
            let alive = info().attached().len();
            scene.check(alive == all.len() + 1, || format!("{alive} told of, {} live", all.len()));
        }
        let collected = scene.options().gc().map_or(0, |removed| removed.len());
        scene
            .check(collected == 0 && info().is_in_use(), || "collected from the living".to_owned());
        scene.done(1);
    }
    // This process still has it: a leak on purpose.
    let removed = scene.options().remove("a");
    scene.check(removed.is_ok(), || "it was gone".to_owned());
}

fn attach(scene: &Scene, me: u64) {
    let options = scene.options().read_only(me % 2 == 1);
    let opened = options.open("a").expect("it is there");
    let mut byte = [0];
    let read = opened.read_at(me as usize % 4096, &mut byte);
    scene.check(read.is_ok() && byte == [7], || "an attacher sees something else".to_owned());
    scene.word(READY).fetch_add(1, SeqCst);
    loop {
        std::thread::sleep(Duration::from_secs(1));
    }
}
