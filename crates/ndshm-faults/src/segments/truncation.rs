//! A peer truncates the file of a segment under processes that copy with a guard: an error, and no signal.

use std::fs::File;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::time::Duration;

use ndshm_testkit::Rng;

use super::{Fault, Scene};

pub(super) const FAULT: Fault =
    Fault { name: "truncation", rounds: 100, counts: &["whole copies", "refused copies"], play };

const WHOLE: usize = 0;
const REFUSED: usize = 1;

const COPIERS: u64 = 2;
const LEN: usize = 256 << 10;
const BEGUN: usize = 0;

fn play(scene: &Scene) {
    let mut rng = scene.rng(1);
    while scene.goes_on() {
        scene.word(BEGUN).store(0, SeqCst);
        let created = scene.options().create_with("a", LEN, |bytes| bytes.fill(7));
        let created = created.expect("nobody else creates it");
        let seed = rng.next();
        let mut copiers: Vec<_> =
            (0..COPIERS).map(|me| scene.spawn(|| copy(scene, Rng::new(seed ^ me)))).collect();
        scene.until("they copy", || scene.word(BEGUN).load(SeqCst) == COPIERS);
        rng.pause(Duration::from_micros(200));
        let path = created.path().expect("it has a name");
        let file = File::options().write(true).open(path);
        // A part of the last page would still be the whole of it.
        let to = if rng.chance(50) { 0 } else { rng.below((LEN - 64 * 1024) as u64) };
        scene.check(file.and_then(|file| file.set_len(to)).is_ok(), || "cannot cut it".to_owned());
        copiers.iter_mut().for_each(|one| scene.ends_well(one));
        scene.done(1);
    }
}

/// Copies until it is told that something is missing; what it gets before that was there.
fn copy(scene: &Scene, mut rng: Rng) {
    let buffer = scene.options().guarded(true).open("a").expect("it is there");
    let mut bytes = vec![0; LEN];
    scene.word(BEGUN).fetch_add(1, SeqCst);
    loop {
        let fine = if rng.chance(20) {
            buffer.write_at(0, &vec![7; LEN]).is_ok()
        } else {
            bytes.fill(0);
            let read = buffer.read_at(0, &mut bytes).is_ok();
            scene.check(!read || bytes.iter().all(|&b| b == 7), || {
                "a guarded copy gave what was never there".to_owned()
            });
            read
        };
        scene.count(if fine { WHOLE } else { REFUSED }).fetch_add(1, Relaxed);
        if !fine {
            return;
        }
    }
}
