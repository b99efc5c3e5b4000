//! A fair comparison on an unfair machine: all in turns, medians.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::contest::{Contender, Contest};

/// What became of a contender.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Measured {
    /// Its name.
    pub name: String,
    /// Nanoseconds for one operation, by round.
    pub nanos: Vec<f64>,
}

/// A median, and what lies around it.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
pub struct Spread {
    /// The first quartile.
    pub low: f64,
    /// The median.
    pub median: f64,
    /// The third quartile.
    pub high: f64,
}

impl Spread {
    /// Of some figures.
    ///
    /// # Panics
    ///
    /// When there are none.
    #[must_use]
    pub fn of(mut figures: Vec<f64>) -> Self {
        figures.sort_by(f64::total_cmp);
        let at = |quarters| figures[figures.len() * quarters / 4];
        Self { low: at(1), median: at(2), high: at(3) }
    }
}

impl Measured {
    /// Nanoseconds for one operation.
    #[must_use]
    pub fn spread(&self) -> Spread {
        Spread::of(self.nanos.clone())
    }

    /// How many times as long it takes as the other: the ratio of the medians; around it, the quartiles of the ratios
    /// within each round.
    #[must_use]
    pub fn beside(&self, other: &Self) -> Spread {
        let by_round = self.nanos.iter().zip(&other.nanos).map(|(a, b)| a / b);
        Spread {
            median: self.spread().median / other.spread().median,
            ..Spread::of(by_round.collect())
        }
    }
}

/// Measures all in turns, each round beginning with another.
pub(crate) fn in_turns(contest: &mut Contest<'_>, rounds: usize, part: u32) -> Vec<Measured> {
    let contenders = &mut contest.contenders;
    // As many operations for each as fit the slice; the same in all rounds.
    let counts: Vec<u64> = match contest.slice {
        Some(slice) => contenders.iter_mut().map(|c| fitting(slice / part, c)).collect(),
        None => vec![1; contenders.len()],
    };
    let mut measured: Vec<Measured> = contenders
        .iter()
        .map(|(name, _)| Measured { name: (*name).to_owned(), nanos: Vec::new() })
        .collect();
    for round in 0..rounds {
        // Begins with another each time, so that nobody always follows the same one.
        for i in (0..counts.len()).map(|i| (i + round) % counts.len()) {
            #[allow(clippy::cast_precision_loss, reason = "a count of some thousands")]
            let each = contenders[i].1(counts[i]).as_secs_f64() * 1e9 / counts[i] as f64;
            measured[i].nanos.push(each);
        }
    }
    measured
}

fn fitting(slice: Duration, run: &mut Contender<'_>) -> u64 {
    let mut count = 4;
    loop {
        let took = run.1(count);
        // Once more where it was slow: one that was interrupted would be given too few.
        if took >= slice && run.1(count).min(took) >= slice {
            return count;
        }
        count *= 2;
    }
}
