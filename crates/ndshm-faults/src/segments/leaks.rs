//! Everything over and over in one process, what fails too: no descriptor, mapping or name is left.

use std::os::unix::net::UnixStream;
use std::sync::atomic::Ordering::Relaxed;

use super::scene::descriptors;
use super::{Fault, Scene};

pub(super) const FAULT: Fault =
    Fault { name: "leaks", rounds: 5_000, counts: &["well", "refused"], play };

const WELL: usize = 0;
const REFUSED: usize = 1;

fn play(scene: &Scene) {
    let mut rng = scene.rng(1);
    let (here, there) = UnixStream::pair().expect("no socket");
    let options = scene.options();
    let kept = options.create("kept", 64).expect("nobody else creates it");
    let before = descriptors();
    let mut operations = 0_u64;
    while scene.goes_on() {
        let fine = match rng.below(10) {
            0 => options.create("new", 100).is_ok(),
            1 => options.create("kept", 100).is_ok(),
            2 => options
                .clone()
                .capacity(1 << 20)
                .create("new", 64)
                .is_ok_and(|b| b.grow(70_000).is_ok()),
            3 => options.open("kept").is_ok() && options.open("nothing").is_ok(),
            4 => options.clone().read_only(true).open("kept").is_ok(),
            5 => options.anonymous(64).is_ok_and(|b| b.handle().open().is_ok()),
            6 => options.create_with("new", 64, |b| b.fill(1)).is_ok_and(|b| b.unlink().is_ok()),
            7 => {
                let sent = kept.send_to(&here);
                sent.is_ok() && options.receive_from(&there).is_ok_and(|b| b.id() == kept.id())
            }
            8 => {
                // There is nothing to inherit here.
                let mut command = std::process::Command::new("true");
                kept.pass_to(&mut command, "kept").is_ok() && options.inherit("kept").is_ok()
            }
            _ => options.gc().is_ok() && options.info("kept").is_ok(),
        };
        scene.count(if fine { WELL } else { REFUSED }).fetch_add(1, Relaxed);
        operations += 1;
        if operations.is_multiple_of(64) {
            let now = descriptors();
            scene.check(now == before, || format!("{now} descriptors, {before} before"));
            scene.done(64);
        }
    }
}
