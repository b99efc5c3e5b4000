//! What was promised, and whether it is so.

use std::fmt;

use crate::interleaved::Measured;

/// How the first contender has to do beside some others, of which the fastest counts.
#[derive(Clone, Copy, Debug)]
pub enum Target {
    /// Takes at most that many times as long.
    AtMost(f64, &'static [&'static str]),
    /// Does at least that many times as much in the same time.
    AtLeast(f64, &'static [&'static str]),
    /// Takes at most that many nanoseconds.
    Within(f64),
}

/// A target, and what was measured.
#[derive(Clone, Debug)]
pub struct Verdict {
    what: String,
    met: bool,
    figure: f64,
}

impl Target {
    /// Judges the first of those that were measured. `None` when no rival that is named took part.
    #[must_use]
    pub fn judge(self, group: &str, measured: &[Measured]) -> Option<Verdict> {
        let ours = measured.first()?.median;
        let best = |rivals: &[&str]| {
            let taking_part = measured.iter().filter(|m| rivals.contains(&m.name.as_str()));
            taking_part.min_by(|a, b| a.median.total_cmp(&b.median))
        };
        let (what, figure, met) = match self {
            Self::AtMost(most, rivals) => {
                let best = best(rivals)?;
                let ratio = ours / best.median;
                (format!("takes at most {most} x {}", best.name), ratio, ratio <= most)
            }
            Self::AtLeast(least, rivals) => {
                let best = best(rivals)?;
                let ratio = best.median / ours;
                (
                    format!("at least {least} x the throughput of {}", best.name),
                    ratio,
                    ratio >= least,
                )
            }
            Self::Within(nanos) => (format!("takes at most {nanos} ns"), ours, ours <= nanos),
        };
        Some(Verdict { what: format!("{group}: {what}"), met, figure })
    }
}

impl Verdict {
    /// For what is not a ratio of two that were measured.
    #[must_use]
    pub const fn new(what: String, met: bool, figure: f64) -> Self {
        Self { what, met, figure }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, met, figure } = self;
        write!(f, "{} {figure:>8.3}  {what}", if *met { "met   " } else { "MISSED" })
    }
}
