//! What is measured, and how it is told to the supervisor: a line of JSON each.

use std::io::Write;

use serde::{Deserialize, Serialize};

/// One measured thing, by size.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Series {
    /// Series of one table stand beside each other.
    pub(crate) table: String,
    /// What the sizes count.
    pub(crate) of: String,
    pub(crate) what: String,
    pub(crate) unit: Unit,
    pub(crate) points: Vec<Point>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Unit {
    Nanoseconds,
    PerSecond,
    /// A part of one. It has no law of growth.
    Share,
}

/// The median of some rounds, and what lies around it.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Point {
    pub(crate) n: usize,
    pub(crate) median: f64,
    pub(crate) quartiles: (f64, f64),
    pub(crate) worst: f64,
}

/// Nanoseconds between two moments of one clock.
#[allow(clippy::cast_precision_loss, reason = "of a minute at most")]
pub(crate) fn since(start: u64, end: u64) -> f64 {
    end.saturating_sub(start) as f64
}

impl Point {
    /// Of so many rounds.
    pub(crate) fn measure(n: usize, rounds: usize, mut round: impl FnMut() -> f64) -> Self {
        Self::of(n, (0..rounds).map(|_| round()).collect())
    }

    /// Of these rounds.
    pub(crate) fn of(n: usize, mut all: Vec<f64>) -> Self {
        all.sort_by(f64::total_cmp);
        let at = |part: usize| all[(all.len() * part / 4).min(all.len() - 1)];
        Self { n, median: at(2), quartiles: (at(1), at(3)), worst: at(4) }
    }
}

impl Series {
    /// An empty one.
    pub(crate) fn new(table: &str, of: &str, what: &str, unit: Unit) -> Self {
        let [table, of, what] = [table, of, what].map(str::to_owned);
        Self { table, of, what, unit, points: Vec::new() }
    }

    /// The same figures' slowest rounds.
    pub(crate) fn worst(&self, what: &str) -> Self {
        let points = self.points.iter();
        let points = points.map(|p| Point { median: p.worst, ..*p }).collect();
        Self { what: what.to_owned(), points, ..self.clone() }
    }
}

/// What a part says while it runs.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Line {
    /// It is about to measure this.
    At(String),
    Series(Series),
    /// Something to stand beneath the tables.
    Note(String),
}

/// Where a part says it.
#[derive(Debug)]
pub(crate) struct Out(());

impl Out {
    pub(crate) fn new() -> Self {
        Self(())
    }

    pub(crate) fn at(&mut self, what: impl Into<String>) {
        self.say(&Line::At(what.into()));
    }

    pub(crate) fn series(&mut self, all: impl IntoIterator<Item = Series>) {
        all.into_iter().for_each(|series| self.say(&Line::Series(series)));
    }

    pub(crate) fn note(&mut self, what: impl Into<String>) {
        self.say(&Line::Note(what.into()));
    }

    fn say(&mut self, line: &Line) {
        let line = serde_json::to_string(line).expect("plain data");
        let mut out = std::io::stdout().lock();
        // One write: a child that is forked has nothing of it in a buffer. Whoever read is gone where it fails.
        let _ = out.write_all(format!("{line}\n").as_bytes()).and_then(|()| out.flush());
    }
}
