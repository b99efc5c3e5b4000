//! A fair comparison on an unfair machine: all in turns, medians.

use std::time::Duration;

/// A name, and what takes the time for that many operations.
pub type Contender<'a> = (&'a str, Box<dyn FnMut(u64) -> Duration + 'a>);

/// What became of a contender: nanoseconds for one operation.
#[derive(Clone, Debug)]
pub struct Measured {
    /// Its name.
    pub name: String,
    /// The median of all rounds.
    pub median: f64,
    /// The first and third quartiles.
    pub quartiles: (f64, f64),
}

/// Measures all in turns of at least `slice`, each round beginning with another.
///
/// # Panics
///
/// When there is nothing to measure.
pub fn interleaved(
    slice: Duration,
    rounds: usize,
    contenders: &mut [Contender<'_>],
) -> Vec<Measured> {
    assert!(rounds > 0 && !contenders.is_empty(), "nothing to measure");
    // As many operations for each as fit the slice; the same in all rounds.
    let counts: Vec<u64> = contenders.iter_mut().map(|(_, run)| fitting(slice, run)).collect();
    in_turns(&counts, rounds, contenders)
}

/// Measures all in turns, one operation at a time: for those that take a good while each.
///
/// # Panics
///
/// When there is nothing to measure.
pub fn one_by_one(rounds: usize, contenders: &mut [Contender<'_>]) -> Vec<Measured> {
    assert!(rounds > 0 && !contenders.is_empty(), "nothing to measure");
    in_turns(&vec![1; contenders.len()], rounds, contenders)
}

/// So many operations of each in a round.
fn in_turns(counts: &[u64], rounds: usize, contenders: &mut [Contender<'_>]) -> Vec<Measured> {
    let mut nanos = vec![Vec::with_capacity(rounds); contenders.len()];
    for round in 0..rounds {
        // Begins with another each time, so that nobody always follows the same one.
        for i in (0..counts.len()).map(|i| (i + round) % counts.len()) {
            #[allow(clippy::cast_precision_loss, reason = "a count of some thousands")]
            let each = contenders[i].1(counts[i]).as_secs_f64() * 1e9 / counts[i] as f64;
            nanos[i].push(each);
        }
    }
    let measured = contenders.iter().zip(&mut nanos).map(|((name, _), all)| {
        all.sort_by(f64::total_cmp);
        let quartiles = (all[rounds / 4], all[rounds * 3 / 4]);
        Measured { name: (*name).to_owned(), median: all[rounds / 2], quartiles }
    });
    measured.collect()
}

fn fitting(slice: Duration, run: &mut dyn FnMut(u64) -> Duration) -> u64 {
    let mut count = 4;
    loop {
        let took = run(count);
        // Once more where it was slow: one that was interrupted would be given too few.
        if took >= slice && run(count).min(took) >= slice {
            return count;
        }
        count *= 2;
    }
}

/// Prints what was measured, beside the one named `yardstick`.
///
/// # Panics
///
/// When there is no such yardstick.
pub fn print_table(title: &str, yardstick: &str, measured: &[Measured]) {
    let unit = measured.iter().find(|m| m.name == yardstick).expect("no such yardstick").median;
    println!("\n{title}");
    println!("{:<30} {:>12} {:>22} {:>20}", "", "ns", "quartiles", format!("x {yardstick}"));
    for m in measured {
        let quartiles = format!("{:.1} .. {:.1}", m.quartiles.0, m.quartiles.1);
        println!("{:<30} {:>12.1} {quartiles:>22} {:>20.3}", m.name, m.median, m.median / unit);
    }
}
