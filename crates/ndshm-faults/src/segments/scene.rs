//! Where a fault is played: a directory, and words that all its processes share.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::time::{Duration, Instant};

use ndshm_buffer::{BufferOptions, SharedBuffer};
use ndshm_testkit::{Rng, SharedMemory};

use crate::child::{Birth, Child, State};

/// Words: rounds, misses, violations and beats first, then what the faults count, then what they agree by.
const ROUNDS: usize = 0;
const MISSED: usize = 64;
const VIOLATIONS: usize = 128;
const BEATS: usize = 192;
const COUNTS: usize = 256;
const WORDS: usize = 4096;
const LEN: usize = 64 << 10;

/// Violations that are described; the others are counted only.
const DESCRIBED: u64 = 5;

#[derive(Debug)]
pub(super) struct Scene {
    pub(super) dir: PathBuf,
    pub(super) rounds: u64,
    pub(super) seed: u64,
    pub(super) limit: Duration,
    memory: SharedMemory,
    descriptors: usize,
}

impl Scene {
    pub(super) fn new(dir: &Path, rounds: u64, seed: u64, limit: Duration) -> Self {
        let memory = SharedMemory::create(LEN);
        let descriptors = descriptors();
        Self { dir: dir.to_owned(), rounds, seed, limit, memory, descriptors }
    }

    /// Options for segments of the scene.
    pub(super) fn options(&self) -> BufferOptions {
        SharedBuffer::options().dir(&self.dir)
    }

    pub(super) fn rng(&self, of: u64) -> Rng {
        Rng::new(self.seed ^ of << 32)
    }

    /// A word for the fault's own use; each has a cache line.
    pub(super) fn word(&self, n: usize) -> &'static AtomicU64 {
        self.memory.word(WORDS + 64 * n)
    }

    /// One of the fault's counts.
    pub(super) fn count(&self, n: usize) -> &'static AtomicU64 {
        self.memory.word(COUNTS + 64 * n)
    }

    pub(super) fn done(&self, rounds: u64) {
        self.memory.word(ROUNDS).fetch_add(rounds, Relaxed);
        self.beat();
    }

    pub(super) fn missed(&self) {
        self.memory.word(MISSED).fetch_add(1, Relaxed);
        self.beat();
    }

    /// Says that it does not hang.
    pub(super) fn beat(&self) {
        self.memory.word(BEATS).fetch_add(1, Relaxed);
    }

    pub(super) fn rounds_done(&self) -> u64 {
        self.memory.word(ROUNDS).load(Relaxed)
    }

    pub(super) fn rounds_missed(&self) -> u64 {
        self.memory.word(MISSED).load(Relaxed)
    }

    pub(super) fn violations(&self) -> u64 {
        self.memory.word(VIOLATIONS).load(SeqCst)
    }

    pub(super) fn beats(&self) -> u64 {
        self.memory.word(BEATS).load(Relaxed)
    }

    /// True while there are rounds to be played; not after many violations.
    pub(super) fn goes_on(&self) -> bool {
        self.rounds_done() < self.rounds && self.violations() < 100
    }

    /// Counts it, and says on standard error what it was.
    pub(super) fn violation(&self, what: &str) {
        if self.memory.word(VIOLATIONS).fetch_add(1, SeqCst) < DESCRIBED {
            // At once: other processes may have something to say as well.
            let line = format!("VIOLATION: {what}; --seed {}\n", self.seed);
            let _ = io::stderr().write_all(line.as_bytes());
        }
    }

    pub(super) fn check(&self, fine: bool, what: impl FnOnce() -> String) {
        if !fine {
            self.violation(&what());
        }
    }

    /// Forks.
    pub(super) fn spawn(&self, body: impl FnOnce()) -> Child {
        Child::spawn(Birth::Plain, body).expect("there can be no more processes")
    }

    /// Waits for one that is to end by itself.
    pub(super) fn ends_well(&self, child: &mut Child) {
        let state = child.wait(self.limit);
        self.check(state == Some(State::Exited(0)), || format!("a process: {state:?}"));
    }

    /// Looks until that is so: at first without a pause, then with short sleeps, which leave the processor to others.
    pub(super) fn until(&self, what: &str, mut so: impl FnMut() -> bool) {
        let start = Instant::now();
        let mut looks = 0_u32;
        while !so() {
            looks = looks.saturating_add(1);
            if looks < 100 {
                std::hint::spin_loop();
                continue;
            }
            std::thread::sleep(Duration::from_micros(20));
            if start.elapsed() > self.limit {
                self.violation(&format!("waited in vain: {what}"));
                return;
            }
        }
    }

    /// No name, no descriptor and no mapping outlives the fault.
    pub(super) fn nothing_is_left(&self) {
        let names = fs::read_dir(&self.dir).map_or(0, Iterator::count);
        self.check(names == 0, || format!("{names} names are left"));
        let now = descriptors();
        self.check(now <= self.descriptors, || {
            format!("{now} descriptors are left of {}", self.descriptors)
        });
        let maps = fs::read_to_string("/proc/self/maps").unwrap_or_default();
        let mapped = maps.lines().filter(|line| line.contains("ndshm.")).count();
        self.check(mapped == 0, || format!("{mapped} mappings are left"));
    }
}

pub(super) fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").map_or(0, Iterator::count)
}
