//! What was promised, and whether it is so.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::measured::{Measured, Spread};

/// How a contender has to do beside some others, of which the fastest counts.
#[derive(Clone, Copy, Debug)]
pub enum Target {
    /// Takes at most that many times as long.
    AtMost(f64, &'static [&'static str]),
    /// Does at least that many times as much in the same time.
    AtLeast(f64, &'static [&'static str]),
    /// Takes at most that many nanoseconds.
    Within(f64),
}

/// A target, whose it is, and what there is to say where it is missed.
#[derive(Clone, Copy, Debug)]
pub struct Promise {
    target: Target,
    /// The first contender's, where it is nobody's.
    whose: Option<&'static str>,
    because: &'static str,
}

/// A target, and what was measured.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Verdict {
    /// What was promised.
    pub what: String,
    /// Whether it is so.
    pub met: bool,
    /// What was measured.
    pub figure: f64,
    /// The quartiles around it, where it is a ratio of two that took turns.
    pub spread: Option<Spread>,
    /// Why it is as it is, for where it is missed.
    pub because: String,
}

impl Target {
    /// What is known of why it is missed, on machines where it is.
    #[must_use]
    pub const fn because(self, because: &'static str) -> Promise {
        Promise { target: self, whose: None, because }
    }

    /// Of another contender than the first.
    #[must_use]
    pub const fn of(self, whose: &'static str) -> Promise {
        Promise { target: self, whose: Some(whose), because: "" }
    }
}

impl From<Target> for Promise {
    fn from(target: Target) -> Self {
        target.because("")
    }
}

impl Promise {
    /// What is known of why it is missed, on machines where it is.
    #[must_use]
    pub const fn because(self, because: &'static str) -> Self {
        Self { because, ..self }
    }

    /// Judges one of those that were measured. `None` when no rival that is named took part.
    pub(crate) fn judge(self, measured: &[Measured]) -> Option<Verdict> {
        let ours = match self.whose {
            Some(name) => measured.iter().find(|m| m.name == name)?,
            None => measured.first()?,
        };
        let best = |rivals: &[&str]| {
            let taking_part = measured.iter().filter(|m| rivals.contains(&m.name.as_str()));
            taking_part.min_by(|a, b| a.spread().median.total_cmp(&b.spread().median))
        };
        let (what, spread, met) = match self.target {
            Target::AtMost(most, rivals) => {
                let best = best(rivals)?;
                let ratio = ours.beside(best);
                (format!("at most {most} x {}", best.name), ratio, ratio.median <= most)
            }
            Target::AtLeast(least, rivals) => {
                let best = best(rivals)?;
                let ratio = best.beside(ours);
                let what = format!("at least {least} x as fast as {}", best.name);
                (what, ratio, ratio.median >= least)
            }
            Target::Within(nanos) => {
                let spread = ours.spread();
                (format!("at most {nanos} ns"), spread, spread.median <= nanos)
            }
        };
        Some(Verdict {
            what: format!("{}: {what}", ours.name),
            met,
            figure: spread.median,
            spread: Some(spread),
            because: self.because.to_owned(),
        })
    }
}

impl Verdict {
    /// For what is not a ratio of two that took turns.
    #[must_use]
    pub const fn plain(what: String, met: bool, figure: f64) -> Self {
        Self { what, met, figure, spread: None, because: String::new() }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, met, figure, .. } = self;
        write!(f, "{} {figure:>8.3}  {what}", if *met { "met   " } else { "MISSED" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fastest_rival_counts_and_the_bound_is_met() {
        let one =
            |name: &str, nanos: [f64; 5]| Measured { name: name.to_owned(), nanos: nanos.into() };
        let measured = [
            one("ours", [9.0, 10.0, 11.0, 10.0, 50.0]),
            one("slow", [40.0; 5]),
            one("fast", [20.0; 5]),
        ];
        let judged = |promise: Promise| promise.judge(&measured).map(|v| (v.met, v.figure));
        assert_eq!(judged(Target::AtMost(0.5, &["slow", "fast"]).into()), Some((true, 0.5)));
        assert_eq!(judged(Target::AtMost(0.49, &["slow", "fast"]).into()), Some((false, 0.5)));
        assert_eq!(judged(Target::AtLeast(2.0, &["fast"]).into()), Some((true, 2.0)));
        assert_eq!(judged(Target::AtLeast(2.1, &["fast"]).into()), Some((false, 2.0)));
        assert_eq!(judged(Target::Within(10.0).into()), Some((true, 10.0)));
        assert_eq!(judged(Target::AtMost(1.0, &["ours"]).of("fast")), Some((false, 2.0)));
        assert_eq!(judged(Target::AtMost(1.0, &["absent"]).into()), None);
    }
}
