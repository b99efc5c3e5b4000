//! Random numbers that can be had again.

use std::time::{Duration, Instant, SystemTime};

/// SplitMix64: small, and good enough to choose moments.
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    /// The sequence of that seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The sequence of `NDSHM_TEST_SEED`, or of the clock; prints the seed, so that it can be set.
    ///
    /// # Panics
    ///
    /// When the variable is set to something else than a number.
    #[must_use]
    pub fn of_this_run() -> Self {
        let seed = match std::env::var("NDSHM_TEST_SEED") {
            Ok(seed) => seed.parse().expect("NDSHM_TEST_SEED is not a number"),
            Err(_) => SystemTime::UNIX_EPOCH
                .elapsed()
                .map_or(1, |d| d.as_secs() ^ u64::from(d.subsec_nanos()) << 20),
        };
        println!("NDSHM_TEST_SEED={seed}");
        Self(seed)
    }

    /// The next number.
    pub const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    /// One below `bound`, which is not 0.
    pub const fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// Heads in `percent` of a hundred throws.
    pub const fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// Lets a random time pass, up to `most`; by spinning where it is short, to hit any
    /// instruction of another process.
    pub fn pause(&mut self, most: Duration) {
        let nanos = u64::try_from(most.as_nanos()).unwrap_or(u64::MAX).max(1);
        let pause = Duration::from_nanos(self.below(nanos));
        let start = Instant::now();
        if pause > Duration::from_micros(300) {
            std::thread::sleep(pause - Duration::from_micros(200));
        }
        while start.elapsed() < pause {
            std::hint::spin_loop();
        }
    }
}
