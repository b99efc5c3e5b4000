//! What came of it: a table for people, an object for programs.

use std::fmt::Write as _;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::{Fault, Scene};
use crate::report::columns;

/// What came of one fault.
#[derive(Debug)]
pub(super) struct Outcome {
    name: &'static str,
    rounds: u64,
    wanted: u64,
    missed: u64,
    violations: u64,
    counts: Vec<(&'static str, u64)>,
    took: Duration,
}

impl Outcome {
    pub(super) fn of(fault: &Fault, scene: &Scene, took: Duration) -> Self {
        let counts = fault.counts.iter().enumerate();
        Self {
            name: fault.name,
            rounds: scene.rounds_done(),
            wanted: scene.rounds,
            missed: scene.rounds_missed(),
            violations: scene.violations(),
            counts: counts.map(|(n, name)| (*name, scene.count(n).load(Relaxed))).collect(),
            took,
        }
    }

    fn is_clean(&self) -> bool {
        self.violations == 0 && self.rounds >= self.wanted
    }

    fn json(&self) -> Value {
        let counts: Map<_, _> =
            self.counts.iter().map(|(n, c)| ((*n).into(), (*c).into())).collect();
        json!({
            "fault": self.name,
            "rounds": self.rounds,
            "missed": self.missed,
            "violations": self.violations,
            "counts": counts,
            "seconds": self.took.as_secs_f64(),
        })
    }
}

/// What came of all.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) seed: u64,
    pub(super) took: Duration,
    pub(super) outcomes: Vec<Outcome>,
}

impl Report {
    pub(super) fn is_clean(&self) -> bool {
        self.outcomes.iter().all(Outcome::is_clean)
    }

    /// A row for each fault.
    pub(super) fn table(&self) -> String {
        let titles = ["fault", "rounds", "missed", "violations", "seconds", "counted besides"];
        let mut lines = vec![titles.map(str::to_owned).to_vec()];
        for one in &self.outcomes {
            let counts = one.counts.iter().map(|(name, count)| format!("{count} {name}"));
            let numbers = [one.rounds, one.missed, one.violations].map(|n| n.to_string());
            let mut line = vec![one.name.to_owned()];
            line.extend(numbers);
            line.push(format!("{:.1}", one.took.as_secs_f64()));
            line.push(counts.collect::<Vec<_>>().join(", "));
            lines.push(line);
        }
        let mut text = columns(&lines, 1);
        let rounds: u64 = self.outcomes.iter().map(|one| one.rounds).sum();
        let _ = writeln!(
            text,
            "{rounds} rounds in {:.1} s; --seed {}",
            self.took.as_secs_f64(),
            self.seed
        );
        text
    }

    /// The same for programs.
    pub(super) fn json(&self) -> Value {
        json!({
            "seed": self.seed,
            "seconds": self.took.as_secs_f64(),
            "clean": self.is_clean(),
            "faults": self.outcomes.iter().map(Outcome::json).collect::<Vec<_>>(),
        })
    }
}
