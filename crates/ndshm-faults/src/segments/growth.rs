//! A grower is killed while readers look: the length is the old one or the new one, and all of it is there.

use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::time::Duration;

use ndshm_buffer::SharedBuffer;
use ndshm_testkit::Rng;

use super::{Fault, Scene};

pub(super) const FAULT: Fault = Fault {
    name: "growth",
    rounds: 1_000,
    counts: &["left the old length", "left the new", "lengths that readers saw", "segments filled"],
    play,
};

const OLD: usize = 0;
const NEW: usize = 1;
const SEEN: usize = 2;
const FILLED: usize = 3;

const READERS: u64 = 2;
const CAPACITY: usize = 4 << 20;
const FIRST: usize = 100;
/// How often a reader looks.
const LOOK: Duration = Duration::from_micros(20);

/// Words: which segment it is, what the victim grows it to (0 between two growths), how many readers have let go.
const SEGMENT: usize = 0;
const TARGET: usize = 1;
const GONE: usize = 2;

fn name(segment: u64) -> String {
    format!("g-{segment}")
}

fn create(scene: &Scene, segment: u64) -> SharedBuffer {
    let created = scene.options().capacity(CAPACITY).create(&name(segment), FIRST);
    let created = created.expect("nobody else creates it");
    scene.word(GONE).store(0, SeqCst);
    scene.word(SEGMENT).store(segment, SeqCst);
    created
}

fn play(scene: &Scene) {
    let mut rng = scene.rng(1);
    let mut segment = 1;
    let mut buffer = create(scene, segment);
    let mut readers: Vec<_> = (0..READERS).map(|_| scene.spawn(|| read(scene))).collect();
    while scene.goes_on() {
        let old = buffer.len();
        scene.word(TARGET).store(0, SeqCst);
        let seed = rng.next();
        let mut victim = scene.spawn(|| grow(scene, &buffer, Rng::new(seed)));
        scene.until("it grows", || scene.word(TARGET).load(SeqCst) != 0);
        rng.pause(Duration::from_micros(60));
        scene.check(victim.kill(scene.limit), || "a killed grower does not die".to_owned());
        let target = scene.word(TARGET).load(SeqCst);
        let (aimed, before) = ((target >> 32) as usize, (target & 0xffff_ffff) as usize);
        let now = buffer.len();
        scene.check(now == before || now == aimed, || {
            format!("{now} bytes, from {before} to {aimed}")
        });
        scene.check(now >= old, || format!("{now} bytes after {old}"));
        scene.count(if now == aimed { NEW } else { OLD }).fetch_add(1, Relaxed);
        let reserved = set_aside(&buffer);
        scene.check(reserved >= now.next_multiple_of(4096) as u64, || {
            format!("{reserved} bytes reserved for {now}")
        });
        scene.done(1);
        if now > CAPACITY / 2 {
            scene.count(FILLED).fetch_add(1, Relaxed);
            // Nobody waits for the dead.
            scene.check(buffer.grow(CAPACITY).is_ok_and(|len| len == CAPACITY), || {
                "does not grow any more".to_owned()
            });
            segment += 1;
            buffer = create(scene, segment);
            scene.until("the readers follow", || scene.word(GONE).load(SeqCst) == READERS);
        }
    }
    scene.word(SEGMENT).store(u64::MAX, SeqCst);
    readers.iter_mut().for_each(|one| scene.ends_well(one));
}

/// What is set aside of the file.
fn set_aside(buffer: &SharedBuffer) -> u64 {
    let file = buffer.as_fd().try_clone_to_owned().map(std::fs::File::from);
    file.and_then(|file| file.metadata()).map_or(0, |facts| facts.blocks() * 512)
}

/// Grows step by step until it is killed. What it is about to do stands in one word, old length and new.
fn grow(scene: &Scene, buffer: &SharedBuffer, mut rng: Rng) {
    loop {
        let now = buffer.len();
        let to = now + 1 + rng.below(6000) as usize;
        if to > CAPACITY {
            std::thread::sleep(Duration::from_secs(1));
            continue;
        }
        scene.word(TARGET).store((to as u64) << 32 | now as u64, SeqCst);
        if !buffer.grow(to).is_ok_and(|len| len == to) {
            scene.violation("it does not grow");
            return;
        }
        if buffer.write_at(to - 1, &[1]).is_err() {
            scene.violation("what has grown cannot be written");
        }
    }
}

/// Sees lengths that only become greater, and can read to the end of each.
fn read(scene: &Scene) {
    let mut last_segment = 0;
    let mut open: Option<SharedBuffer> = None;
    let mut last = 0;
    loop {
        let segment = scene.word(SEGMENT).load(SeqCst);
        if segment == u64::MAX {
            return;
        }
        if segment != last_segment {
            open = scene.options().read_only(true).open(&name(segment)).ok();
            (last_segment, last) = (segment, 0);
            scene.word(GONE).fetch_add(1, SeqCst);
        }
        let Some(buffer) = &open else {
            // Replaced in the meantime.
            std::thread::sleep(LOOK);
            continue;
        };
        let len = buffer.len();
        scene.check(len >= last, || format!("a reader saw {len} after {last}"));
        if len > last {
            scene.count(SEEN).fetch_add(1, Relaxed);
            let read = buffer.read_at(len - 1, &mut [0]);
            scene.check(read.is_ok(), || "a reader cannot read what it sees".to_owned());
            last = len;
        }
        std::thread::sleep(LOOK);
    }
}
