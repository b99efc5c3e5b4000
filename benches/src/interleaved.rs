//! A fair comparison on an unfair machine: all in turns, medians, ratios.

use std::time::Duration;

/// A name, and what takes the time for that many operations.
pub type Contender<'a> = (&'a str, Box<dyn FnMut(u64) -> Duration + 'a>);

/// Measures all in turns of at least `slice`, prints a table with the ratio to the one named
/// `yardstick`, and returns the ratio of the first.
///
/// # Panics
///
/// When there is no such yardstick.
pub fn interleaved(
    title: &str,
    yardstick: &str,
    slice: Duration,
    contenders: &mut [Contender<'_>],
) -> f64 {
    const ROUNDS: usize = 151;

    // As many operations for each as fit the slice; the same in all rounds.
    let counts: Vec<u64> = contenders
        .iter_mut()
        .map(|(_, run)| {
            let mut count = 64;
            // The best of three: one that was interrupted would be given too few.
            while (0..3).map(|_| run(count)).min() < Some(slice) {
                count *= 2;
            }
            count
        })
        .collect();
    let mut nanos = vec![Vec::with_capacity(ROUNDS); contenders.len()];
    for round in 0..ROUNDS {
        // Begins with another each time, so that nobody always follows the same one.
        for i in (0..counts.len()).map(|i| (i + round) % counts.len()) {
            #[allow(clippy::cast_precision_loss, reason = "a count of some thousands")]
            let each = contenders[i].1(counts[i]).as_secs_f64() * 1e9 / counts[i] as f64;
            nanos[i].push(each);
        }
    }
    let medians: Vec<f64> = nanos
        .iter_mut()
        .map(|all| {
            all.sort_by(f64::total_cmp);
            all[ROUNDS / 2]
        })
        .collect();
    let at = contenders.iter().position(|c| c.0 == yardstick).expect("no such yardstick");
    println!("\n{title} (medians of {ROUNDS} rounds in turns)");
    println!("{:<28} {:>10} {:>16}", "", "ns", format!("x {yardstick}"));
    for ((name, _), median) in contenders.iter().zip(&medians) {
        println!("{name:<28} {median:>10.2} {:>16.3}", median / medians[at]);
    }
    medians[0] / medians[at]
}
