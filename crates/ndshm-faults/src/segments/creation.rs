//! Creators race for a name, and one of them is killed: mostly before it publishes what it has made.

use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use ndshm_buffer::{CreateError, SharedBuffer};

use super::{Fault, Scene};

pub(super) const FAULT: Fault = Fault {
    name: "creation",
    rounds: 1_000,
    counts: &["rivals won", "opened whole", "orphans of the victim"],
    play,
};

const WON: usize = 0;
const OPENED: usize = 1;
const ORPHANS: usize = 2;

const RIVALS: usize = 2;
const LEN: usize = 4096;

/// Words: the round, how far the victim is, who of the rivals has done his part, how many won.
const ROUND: usize = 0;
const STAGE: usize = 1;
const DONE: usize = 2;
const WINNERS: usize = 3;
const OVER: usize = 4;

fn whole(buffer: &SharedBuffer) -> bool {
    let mut bytes = [0; LEN];
    buffer.read_at(0, &mut bytes).is_ok() && bytes[0] != 0 && bytes.iter().all(|&b| b == bytes[0])
}

fn play(scene: &Scene) {
    let mut rng = scene.rng(1);
    let mut rivals: Vec<_> =
        (0..RIVALS).map(|me| scene.spawn(|| rival(scene, me as u8 + 2))).collect();
    let mut round = 0;
    while scene.goes_on() {
        round += 1;
        for word in [STAGE, DONE, WINNERS] {
            scene.word(word).store(0, SeqCst);
        }
        // Most never come further, the others are killed somewhere on their way.
        let stays = rng.chance(80);
        let mut victim = scene.spawn(|| victim(scene, stays));
        scene.until("the victim is in its init", || scene.word(STAGE).load(SeqCst) > 0);
        scene.word(ROUND).store(round, SeqCst);
        rng.pause(Duration::from_micros(if stays { 60 } else { 15 }));
        scene.check(victim.kill(scene.limit), || "a killed creator does not die".to_owned());
        let done = |parts: u64| move || scene.word(DONE).load(SeqCst) == parts * RIVALS as u64;
        scene.until("the rivals have raced", done(1));
        let winners = scene.word(WINNERS).load(SeqCst);
        scene.word(OVER).store(round, SeqCst);
        scene.until("the rivals have let go", done(2));
        // The victim's own, if it was published.
        let collected = scene.options().gc().map_or(0, |removed| removed.len()) as u64;
        scene.count(ORPHANS).fetch_add(collected, SeqCst);
        scene.check(winners + collected == 1, || {
            format!("{winners} rivals have won, and {collected} orphans are left")
        });
        let left = scene.options().info("a").is_ok();
        scene.check(!left, || "the name is left".to_owned());
        if collected == 0 { scene.done(1) } else { scene.missed() }
    }
    scene.word(ROUND).store(u64::MAX, SeqCst);
    rivals.iter_mut().for_each(|rival| scene.ends_well(rival));
}

fn victim(scene: &Scene, stays: bool) {
    let created = scene.options().create_with("a", LEN, |bytes| {
        bytes[..LEN / 2].fill(1);
        scene.word(STAGE).store(1, SeqCst);
        if stays {
            sleep();
        }
        bytes[LEN / 2..].fill(1);
    });
    // Where a rival was first there is nothing to wait for; but its end comes from outside.
    let _kept = created;
    sleep();
}

fn sleep() {
    loop {
        std::thread::sleep(Duration::from_secs(1));
    }
}

fn rival(scene: &Scene, me: u8) {
    let mut last = 0;
    loop {
        let now = || scene.word(ROUND).load(SeqCst);
        scene.until("the next round", || now() != last);
        last = now();
        if last == u64::MAX {
            return;
        }
        let created = match scene.options().create_with("a", LEN, |bytes| bytes.fill(me)) {
            Ok(created) => {
                scene.word(WINNERS).fetch_add(1, SeqCst);
                scene.count(WON).fetch_add(1, SeqCst);
                Some(created)
            }
            Err(CreateError::NameTaken { .. }) => {
                match scene.options().open("a") {
                    Ok(opened) => {
                        scene.check(whole(&opened), || "half a segment".to_owned());
                        scene.count(OPENED).fetch_add(1, SeqCst);
                    }
                    Err(error) => scene.violation(&format!("taken, and not there: {error}")),
                }
                None
            }
            Err(other) => {
                scene.violation(&other.to_string());
                None
            }
        };
        scene.word(DONE).fetch_add(1, SeqCst);
        scene.until("the round is over", || scene.word(OVER).load(SeqCst) == last);
        drop(created);
        scene.word(DONE).fetch_add(1, SeqCst);
    }
}
