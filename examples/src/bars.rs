//! Numbers as bars of text.

use std::fmt::Write;

/// Columns of the longest bar.
const WIDTH: f64 = 60.0;

/// A line for each number from the first to the last that is not 0: its position, the number, and a bar of that length.
#[must_use]
pub fn bars(numbers: &[f64]) -> String {
    let most = numbers.iter().copied().fold(0.0, f64::max);
    let end = numbers.iter().rposition(|&n| n != 0.0).map_or(0, |last| last + 1);
    let mut text = String::new();
    for (at, n) in numbers[..end].iter().enumerate() {
        let bar = "#".repeat(if most > 0.0 { (n / most * WIDTH).round() as usize } else { 0 });
        // Writing to a string does not fail.
        let _ = writeln!(text, "{at:>4} {n:>10} {bar}");
    }
    text
}
