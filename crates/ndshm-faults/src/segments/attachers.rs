//! Very many processes have one segment; all are told, and it lives until the last of them is gone.

use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::time::Duration;

use super::{Fault, Scene};

pub(super) const FAULT: Fault =
    Fault { name: "attachers", rounds: 10, counts: &["killed", "told of at once"], play };

const KILLED: usize = 0;
const TOLD: usize = 1;

const READY: usize = 0;
const CREATED: usize = 1;

fn play(scene: &Scene) {
    let mut rng = scene.rng(1);
    // Not here: a forked child has what its parent has.
    let mut creator = scene.spawn(|| create(scene));
    scene.until("it is created", || scene.word(CREATED).load(SeqCst) == 1);
    let mut all: Vec<_> = (0..scene.rounds)
        .map(|me| {
            scene.beat();
            scene.spawn(|| attach(scene, me))
        })
        .collect();
    scene.until("all are attached", || scene.word(READY).load(SeqCst) == scene.rounds);
    let info = || scene.options().info("a").expect("it has its name");
    let told = |of: usize| {
        let attached = info().attached();
        scene.count(TOLD).fetch_max(attached.len() as u64, Relaxed);
        scene.check(attached.len() == of, || format!("{} told of, {of} live", attached.len()));
        attached
    };
    let writers = told(all.len() + 1).iter().filter(|one| one.writable).count() as u64;
    scene.check(writers == scene.rounds.div_ceil(2) + 1, || format!("{writers} may write"));
    // It lives through the others.
    creator.kill(scene.limit);
    while !all.is_empty() {
        let mut victim = all.swap_remove(rng.below(all.len() as u64) as usize);
        let last = all.is_empty();
        if last {
            scene.check(info().is_in_use(), || "the last one does not count".to_owned());
        }
        victim.kill(scene.limit);
        scene.count(KILLED).fetch_add(1, Relaxed);
        if all.len().is_multiple_of(50) {
            told(all.len());
        }
        let collected = scene.options().gc().map_or(0, |removed| removed.len());
        scene.check(collected == usize::from(last), || {
            format!("{collected} collected, {} live", all.len())
        });
        scene.done(1);
    }
}

fn create(scene: &Scene) {
    let created = scene.options().create_with("a", 4096, |bytes| bytes.fill(7));
    let _created = created.expect("nobody else creates it");
    scene.word(CREATED).store(1, SeqCst);
    sleep();
}

fn attach(scene: &Scene, me: u64) {
    let options = scene.options().read_only(me % 2 == 1);
    let opened = options.open("a").expect("it is there");
    let mut byte = [0];
    let read = opened.read_at(me as usize % 4096, &mut byte);
    scene.check(read.is_ok() && byte == [7], || "an attacher sees something else".to_owned());
    scene.word(READY).fetch_add(1, SeqCst);
    sleep();
}

fn sleep() {
    loop {
        std::thread::sleep(Duration::from_secs(1));
    }
}
