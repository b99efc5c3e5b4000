//! What came of all kills.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;

use crate::during::During;
use crate::plan::Plan;
use crate::round::Outcome;

/// Each kill, and what came of it.
pub(crate) struct Report {
    pub(crate) seed: u64,
    pub(crate) took: Duration,
    pub(crate) rounds: Vec<(Plan, Outcome)>,
}

impl Report {
    pub(crate) fn is_clean(&self) -> bool {
        self.rounds.iter().all(|(_, outcome)| outcome.violations.is_empty())
    }

    /// Milliseconds from the kill to the end, of those that some of the kills took; ascending.
    fn ends(&self, of: impl Fn(&Plan) -> bool) -> Vec<f64> {
        let some = self.rounds.iter().filter(|(plan, _)| of(plan));
        let mut ends: Vec<f64> =
            some.map(|(_, outcome)| outcome.took.as_secs_f64() * 1e3).collect();
        ends.sort_by(f64::total_cmp);
        ends
    }

    fn statuses(&self) -> BTreeMap<&str, usize> {
        let mut statuses = BTreeMap::new();
        for (_, outcome) in &self.rounds {
            *statuses.entry(outcome.status.as_str()).or_default() += 1;
        }
        statuses
    }

    fn collected(&self) -> usize {
        self.rounds.iter().map(|(_, outcome)| outcome.collected).sum()
    }

    fn violations(&self) -> impl Iterator<Item = String> {
        let bad = self.rounds.iter().filter(|(_, outcome)| !outcome.violations.is_empty());
        bad.map(|(plan, outcome)| format!("{plan}: {}", outcome.violations.join("; ")))
    }

    pub(crate) fn text(&self) -> String {
        let mut text = format!(
            "{} kills in {:.0?}, seed {}\n{:<14} {:>6} {:>12} {:>12}\n",
            self.rounds.len(),
            self.took,
            self.seed,
            "during",
            "kills",
            "ended in ms",
            "at most"
        );
        for during in During::ALL {
            let ends = self.ends(|plan| plan.during == *during);
            let Some(last) = ends.last() else { continue };
            let median = ends[ends.len() / 2];
            text.push_str(&format!(
                "{:<14} {:>6} {median:>12.0} {last:>12.0}\n",
                during.name(),
                ends.len()
            ));
        }
        let alone = self.ends(|plan| plan.alone);
        text.push_str(&format!("{} of them with mpirun leaving the others alone", alone.len()));
        text.push_str(
            &alone.last().map_or_else(String::new, |last| format!(", ended within {last:.0} ms")),
        );
        text.push_str(&format!("\n{} segments with names collected\n", self.collected()));
        for (status, n) in self.statuses() {
            text.push_str(&format!("{n} x {status}\n"));
        }
        let violations: Vec<String> = self.violations().collect();
        for violation in &violations {
            text.push_str(&format!("VIOLATED: {violation}\n"));
        }
        text.push_str(&format!("{} violations\n", violations.len()));
        text
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        let during: BTreeMap<_, _> = During::ALL
            .iter()
            .map(|during| (during.name(), self.ends(|plan| plan.during == *during)))
            .collect();
        json!({
            "seed": self.seed,
            "kills": self.rounds.len(),
            "seconds": self.took.as_secs_f64(),
            "ended_in_ms": during,
            "alone": self.ends(|plan| plan.alone).len(),
            "collected": self.collected(),
            "statuses": self.statuses(),
            "violations": self.violations().collect::<Vec<_>>(),
        })
    }
}
