//! Numbers as bars of text.

use std::fmt::Write;

/// Columns of the longest bar.
const WIDTH: f64 = 60.0;

/// A line for each number up to the last that is not 0: its position, the number, and a bar as long as its share of the
/// greatest. What is not above 0 has no bar.
///
/// ```
/// let text = ndshm_examples::bars(&[1.0, 3.0, 0.0]);
/// let lines: Vec<_> = text.lines().collect();
/// assert_eq!(lines[0], format!("   0          1 {}", "#".repeat(20)));
/// assert_eq!(lines[1], format!("   1          3 {}", "#".repeat(60)));
/// assert_eq!(lines.len(), 2);
/// ```
#[must_use]
pub fn bars(numbers: &[f64]) -> String {
    let most = numbers.iter().copied().fold(0.0, f64::max);
    let end = numbers.iter().rposition(|&n| n != 0.0).map_or(0, |last| last + 1);
    let mut text = String::new();
    for (at, n) in numbers[..end].iter().enumerate() {
        let bar = "#".repeat((n / most * WIDTH).round() as usize); // of NaN and below 0: none
        // Writing to a string does not fail.
        let _ = writeln!(text, "{}", format!("{at:>4} {n:>10} {bar}").trim_end());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_to_show() {
        assert_eq!(bars(&[]), "");
        assert_eq!(bars(&[0.0; 5]), "");
    }

    #[test]
    fn bars_are_as_long_as_their_share() {
        let text = bars(&[0.0, 5.0, 10.0, 0.01, 0.0]);
        let lengths: Vec<_> = text.lines().map(|line| line.matches('#').count()).collect();
        assert_eq!(lengths, [0, 30, 60, 0]);
    }

    #[test]
    fn what_is_no_length_has_no_bar() {
        let text = bars(&[-3.0, f64::NAN, f64::INFINITY]);
        assert_eq!(text, "   0         -3\n   1        NaN\n   2        inf\n");
        // -3 / 0 is an infinity, of the wrong sign.
        assert_eq!(bars(&[-3.0]), "   0         -3\n");
    }
}
