//! Whether the next block is worth the try.
//!
//! A huge page is got in a fraction of the time of 512 small ones where the kernel has one at hand, and in several times
//! that where it must first make room. Which it is shows in the times alone, and changes on the way. So there is a purse:
//! a try that was cheaper than small pages fills it, one that was dearer is paid from it, and nothing is tried on
//! credit. In time spent, as much as was lost at most comes to a few blocks and a small part of the rest.

use std::time::Duration;

/// What is there to begin with, and at most: in blocks of small pages.
const FULL: f64 = 8.0;
/// What each block of small pages brings in, so that there is a new try now and then.
const INCOME: f64 = 1.0 / 64.0;
/// The dearest that one try counts for: a single bad one must not decide.
const DEAREST: f64 = FULL;

/// Keeps account of tries.
#[derive(Clone, Debug)]
pub(crate) struct Purse {
    /// Seconds that a block takes in small pages.
    small: f64,
    /// In blocks of small pages.
    balance: f64,
}

impl Purse {
    /// For a machine on which a block takes so long in small pages.
    pub(crate) fn new(small: Duration) -> Self {
        Self { small: small.as_secs_f64(), balance: FULL }
    }

    /// True where a huge page may be tried for.
    pub(crate) fn has_money(&self) -> bool {
        self.balance >= 0.0
    }

    /// A block that was tried took so long, whatever came of it.
    pub(crate) fn tried(&mut self, took: Duration) {
        let gain = 1.0 - took.as_secs_f64() / self.small.max(f64::MIN_POSITIVE);
        self.balance = (self.balance + gain.max(-DEAREST)).min(FULL);
    }

    /// A block of small pages took so long.
    pub(crate) fn small(&mut self, took: Duration) {
        // Follows slowly, and an outlier hardly: nobody knows which of the blocks was the usual one.
        let took = took.as_secs_f64().min(2.0 * self.small);
        self.small += (took - self.small) / 8.0;
        self.balance = (self.balance + INCOME).min(FULL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: Duration = Duration::from_micros(2000);

    /// Does `blocks`, of which tried ones take what `cost` says of them, as a part of a small one. How many were tried,
    /// and the sum of what all took.
    fn run(blocks: u32, cost: impl Fn(u32) -> f64) -> (u32, f64) {
        let mut purse = Purse::new(SMALL);
        let (mut tries, mut sum) = (0, 0.0);
        for block in 0..blocks {
            if purse.has_money() {
                purse.tried(SMALL.mul_f64(cost(block)));
                (tries, sum) = (tries + 1, sum + cost(block));
            } else {
                purse.small(SMALL);
                sum += 1.0;
            }
        }
        (tries, sum)
    }

    #[test]
    fn cheap_huge_pages_are_taken_throughout() {
        assert_eq!(run(512, |_| 0.15).0, 512);
        // As dear as small ones: still better for who comes after.
        assert_eq!(run(512, |_| 1.0).0, 512);
        // Now and then one is very dear.
        assert_eq!(run(512, |block| if block % 16 == 3 { 9.0 } else { 0.15 }).0, 512);
    }

    #[test]
    fn dear_huge_pages_cost_five_percent_at_most() {
        for dear in [1.2, 1.5, 2.0, 4.0, 6.0, 12.0] {
            let (tries, sum) = run(512, |_| dear);
            assert!(sum < 512.0 * 1.05, "{dear}: {tries} tries, {sum}");
        }
        // Noticed within a few blocks.
        assert_eq!(run(64, |_| 4.0).0, 3);
        assert_eq!(run(64, |_| 20.0).0, 2);
    }

    #[test]
    fn what_was_gained_before_is_no_licence_to_lose_it() {
        let (tries, _) = run(1024, |block| if block < 512 { 0.1 } else { 4.0 });
        assert!((512..=520).contains(&tries), "{tries}");
    }

    #[test]
    fn after_a_bad_beginning_there_is_a_second_try() {
        let (tries, _) = run(512, |block| if block < 4 { 4.0 } else { 0.1 });
        assert!(tries > 300, "{tries}");
    }
}
