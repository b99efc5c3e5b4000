//! What a campaign has counted so far. It lies in shared memory, so that it outlives a worker that
//! hangs and is killed.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use crate::violation::Violation;

/// Rows that a scene can have.
pub(crate) const ROWS: usize = 4;

/// Buckets of a histogram: four for each doubling, of nanoseconds.
const BUCKETS: usize = 160;

/// Counters of one worker. Only that worker writes.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct Tally {
    /// Deaths by SIGKILL, whatever they hit.
    pub(crate) kills: AtomicU64,
    /// Rounds in which the kill hit none of the named states.
    pub(crate) missed: AtomicU64,
    /// Instructions of the turn that was stepped through, and at how many of them was killed.
    pub(crate) instructions: AtomicU64,
    pub(crate) instructions_hit: AtomicU64,
    /// The same, where each visit of an instruction counts.
    pub(crate) places: AtomicU64,
    pub(crate) places_hit: AtomicU64,
    /// Signals taken, and for how many microseconds.
    pub(crate) signals: AtomicU64,
    pub(crate) signalled: AtomicU64,
    pub(crate) rows: [Row; ROWS],
}

/// Counters of one row of the table.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) rounds: AtomicU64,
    pub(crate) clean: AtomicU64,
    pub(crate) poisoned: AtomicU64,
    pub(crate) violations: [AtomicU64; Violation::ALL.len()],
    pub(crate) slowest: AtomicU64,
    buckets: [AtomicU64; BUCKETS],
}

/// One writer: an addition need not be a locked instruction.
pub(crate) fn add(counter: &AtomicU64, n: u64) {
    counter.store(counter.load(Relaxed) + n, Relaxed);
}

impl Tally {
    /// Rounds that count, over all rows.
    pub(crate) fn rounds(&self) -> u64 {
        self.rows.iter().map(|row| row.rounds.load(Relaxed)).sum()
    }
}

impl Row {
    /// A recovery took that long.
    pub(crate) fn recovered(&self, after: Duration) {
        let nanos = u64::try_from(after.as_nanos()).unwrap_or(u64::MAX).max(1);
        self.slowest.store(self.slowest.load(Relaxed).max(nanos), Relaxed);
        add(&self.buckets[bucket(nanos)], 1);
    }
}

fn bucket(nanos: u64) -> usize {
    let doublings = nanos.ilog2() as usize;
    let quarter = if doublings < 2 { 0 } else { (nanos >> (doublings - 2)) as usize & 3 };
    (doublings * 4 + quarter).min(BUCKETS - 1)
}

/// The upper end of a bucket.
fn upper(bucket: usize) -> u64 {
    let (doublings, quarter) = (bucket / 4, bucket as u64 % 4);
    if doublings < 2 { 2 << doublings } else { (5 + quarter) << (doublings - 2) }
}

/// The numbers of a row, added up over the workers.
#[derive(Clone, Debug)]
pub(crate) struct Totals {
    pub(crate) rounds: u64,
    pub(crate) clean: u64,
    pub(crate) poisoned: u64,
    pub(crate) violations: [u64; Violation::ALL.len()],
    slowest: u64,
    buckets: [u64; BUCKETS],
}

impl Default for Totals {
    fn default() -> Self {
        let violations = [0; Violation::ALL.len()];
        Self { rounds: 0, clean: 0, poisoned: 0, violations, slowest: 0, buckets: [0; BUCKETS] }
    }
}

impl Totals {
    pub(crate) fn add(&mut self, row: &Row) {
        self.rounds += row.rounds.load(Relaxed);
        self.clean += row.clean.load(Relaxed);
        self.poisoned += row.poisoned.load(Relaxed);
        for (sum, n) in self.violations.iter_mut().zip(&row.violations) {
            *sum += n.load(Relaxed);
        }
        self.slowest = self.slowest.max(row.slowest.load(Relaxed));
        for (sum, n) in self.buckets.iter_mut().zip(&row.buckets) {
            *sum += n.load(Relaxed);
        }
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.rounds += other.rounds;
        self.clean += other.clean;
        self.poisoned += other.poisoned;
        self.slowest = self.slowest.max(other.slowest);
        self.violations.iter_mut().zip(other.violations).for_each(|(sum, n)| *sum += n);
        self.buckets.iter_mut().zip(other.buckets).for_each(|(sum, n)| *sum += n);
    }

    pub(crate) fn is_clean(&self) -> bool {
        self.violations.iter().all(|&n| n == 0)
    }

    /// The time that `percent` of the recoveries did not exceed, to a fifth; `None` for none.
    pub(crate) fn percentile(&self, percent: u64) -> Option<Duration> {
        let all: u64 = self.buckets.iter().sum();
        let wanted = (all * percent).div_ceil(100).max(1);
        let mut seen = 0;
        let at = self.buckets.iter().position(|&n| {
            seen += n;
            seen >= wanted
        })?;
        Some(Duration::from_nanos(upper(at).min(self.slowest)))
    }

    pub(crate) fn slowest(&self) -> Option<Duration> {
        (self.slowest > 0).then(|| Duration::from_nanos(self.slowest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_holds_what_it_says() {
        for nanos in (1..5000).chain([1 << 30, (1 << 35) + 12345]) {
            let at = bucket(nanos);
            assert!(nanos < upper(at), "{nanos} in a bucket that ends at {}", upper(at));
            assert!(at == 0 || nanos < 4 || nanos >= upper(at - 1), "{nanos} in {at}");
        }
    }

    #[test]
    fn percentiles_are_those_of_what_was_added() {
        let zeroed = || AtomicU64::new(0);
        let row = Row {
            rounds: zeroed(),
            clean: zeroed(),
            poisoned: zeroed(),
            violations: std::array::from_fn(|_| zeroed()),
            slowest: zeroed(),
            buckets: std::array::from_fn(|_| zeroed()),
        };
        (1..=100).for_each(|n| row.recovered(Duration::from_micros(n)));
        let mut totals = Totals::default();
        assert_eq!(totals.percentile(50), None);
        totals.add(&row);
        let median = totals.percentile(50).unwrap();
        assert!((50..63).contains(&median.as_micros()), "{median:?}");
        assert_eq!(totals.slowest(), Some(Duration::from_micros(100)));
    }
}
