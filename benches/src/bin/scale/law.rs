//! By which law figures grow.

/// How something grows with *n*.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Law {
    /// In a word or two.
    pub(crate) word: &'static str,
    /// Of the logarithms, over the upper part: the exponent, where it is a power.
    pub(crate) slope: f64,
}

/// The law of these points, sizes ascending; `None` of fewer than three sizes above zero.
pub(crate) fn of(points: &[(f64, f64)]) -> Option<Law> {
    let points: Vec<(f64, f64)> =
        points.iter().copied().filter(|p| p.0 > 0.0 && p.1 > 0.0).collect();
    let largest = points.last()?.0;
    let upper = points.iter().filter(|p| p.0 * 10.0 >= largest).count().max(3);
    let upper = &points[points.len().checked_sub(upper)?..];
    let logs: Vec<(f64, f64)> = upper.iter().map(|p| (p.0.ln(), p.1.ln())).collect();
    let (_, slope) = line(&logs, |_| 1.0);
    let word = match slope {
        ..-1.3 => "falls faster than 1/n",
        ..-0.7 => "falls as 1/n",
        ..-0.15 => "falls slowly",
        ..0.15 => "constant",
        ..0.85 if misfit(&points, f64::ln) < misfit(&points, |n| n) => "logarithmic",
        ..0.85 => "linear behind a constant",
        ..1.2 => "linear",
        ..1.6 => "n log n or n^1.5",
        ..2.3 => "quadratic",
        _ => "cubic or worse",
    };
    Some(Law { word, slope })
}

/// How far the points are from a constant and a multiple of that function of *n*, in parts of themselves.
fn misfit(points: &[(f64, f64)], of: impl Fn(f64) -> f64) -> f64 {
    let mapped: Vec<(f64, f64)> = points.iter().map(|p| (of(p.0), p.1)).collect();
    // What counts is the error in parts of the value.
    let (base, each) = line(&mapped, |y| 1.0 / (y * y));
    mapped.iter().map(|(x, y)| ((base + each * x - y) / y).powi(2)).sum()
}

/// Where the line of least squares begins, and how steep it is.
fn line(points: &[(f64, f64)], weight: impl Fn(f64) -> f64) -> (f64, f64) {
    let mut sums = [0.0; 5];
    for &(x, y) in points {
        let w = weight(y);
        [1.0, x, y, x * x, x * y].iter().zip(&mut sums).for_each(|(term, sum)| *sum += w * term);
    }
    let [w, x, y, xx, xy] = sums;
    let slope = (w * xy - x * y) / (w * xx - x * x);
    ((y - slope * x) / w, slope)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(grows: impl Fn(f64) -> f64) -> &'static str {
        let sizes = [1.0, 2.0, 8.0, 32.0, 125.0, 250.0, 500.0, 1000.0];
        of(&sizes.map(|n| (n, grows(n)))).unwrap().word
    }

    #[test]
    fn laws_are_told_apart() {
        assert_eq!(word(|_| 7.0), "constant");
        assert_eq!(word(|n| 1e6 / n), "falls as 1/n");
        assert_eq!(word(|n| 1.0 + 4.0 * n.ln()), "logarithmic");
        assert_eq!(word(|n| 200.0 + n), "linear behind a constant");
        assert_eq!(word(|n| 3.0 + n), "linear");
        assert_eq!(word(|n| n * n), "quadratic");
        assert_eq!(word(|n| n * n * n), "cubic or worse");
    }

    #[test]
    fn two_points_have_no_law() {
        assert_eq!(of(&[(1.0, 1.0), (2.0, 2.0)]), None);
        assert_eq!(of(&[(0.0, 1.0), (1.0, 1.0), (2.0, 2.0)]), None);
        assert_eq!(of(&[]), None);
    }
}
