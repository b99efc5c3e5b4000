//! What was measured, and whether it is what was promised.

use ndshm_benches::{Machine, Measured, Spread, Verdict};
use serde::{Deserialize, Serialize};

use crate::links::Link;

/// Some who took turns.
#[derive(Deserialize, Serialize)]
pub(crate) struct Group {
    name: String,
    /// In multiples of whom.
    yardstick: String,
    measured: Vec<Measured>,
}

/// What one job has measured.
#[derive(Default, Deserialize, Serialize)]
pub(crate) struct Part {
    pub(crate) groups: Vec<Group>,
    pub(crate) links: Vec<Link>,
    verdicts: Vec<Verdict>,
}

/// All of it.
#[derive(Serialize)]
pub(crate) struct Report {
    machine: Machine,
    mpi: String,
    #[serde(flatten)]
    all: Part,
}

impl Group {
    pub(crate) fn new(name: String, yardstick: &str, measured: Vec<Measured>) -> Self {
        Self { name, yardstick: yardstick.to_owned(), measured }
    }

    fn of(&self, name: &str) -> Option<&Measured> {
        self.measured.iter().find(|measured| measured.name == name)
    }

    /// How many times as long the one takes as the other.
    pub(crate) fn ratio(&self, one: &str, other: &str) -> Spread {
        match (self.of(one), self.of(other)) {
            (Some(one), Some(other)) => one.beside(other),
            _ => Spread { low: f64::NAN, median: f64::NAN, high: f64::NAN },
        }
    }

    fn table(&self) -> String {
        let mut text =
            format!("| {} | median | x {} |\n|---|---|---|\n", self.name, self.yardstick);
        for measured in &self.measured {
            let Spread { low, median, high } = self.ratio(&measured.name, &self.yardstick);
            let time = duration(measured.spread().median);
            text.push_str(&format!(
                "| {} | {time} | {median:.2} ({low:.2} to {high:.2}) |\n",
                measured.name
            ));
        }
        text
    }
}

impl Part {
    /// Judges a ratio.
    pub(crate) fn judge(&mut self, what: &str, ratio: Spread, met: bool) {
        let verdict = Verdict::plain(what.to_owned(), met, ratio.median);
        self.verdicts.push(Verdict { spread: Some(ratio), ..verdict });
    }

    /// Judges a figure.
    pub(crate) fn judge_figure(&mut self, what: &str, figure: f64, met: bool) {
        self.verdicts.push(Verdict::plain(what.to_owned(), met, figure));
    }

    fn append(&mut self, mut other: Self) {
        self.groups.append(&mut other.groups);
        self.links.append(&mut other.links);
        self.verdicts.append(&mut other.verdicts);
    }
}

impl Report {
    pub(crate) fn begin() -> Self {
        let mpi = mpi::environment::library_version().unwrap_or_default();
        let mpi = mpi.split([',', '\n']).next().unwrap_or_default().replace("Version:\t", "");
        Self { machine: Machine::now(), mpi, all: Part::default() }
    }

    pub(crate) fn add(&mut self, part: Part) {
        self.all.append(part);
    }

    pub(crate) fn end(&mut self) {
        self.machine.note_end();
    }

    pub(crate) fn is_met(&self) -> bool {
        self.all.verdicts.iter().all(|verdict| verdict.met)
    }

    pub(crate) fn text(&self) -> String {
        let mut text = format!("{}; {}\n\n", self.machine.line(), self.mpi);
        for group in &self.all.groups {
            text.push_str(&group.table());
            text.push('\n');
        }
        if !self.all.links.is_empty() {
            text.push_str(
                "| messages | latency | bandwidth | of equal weight at |\n|---|---|---|---|\n",
            );
            self.all.links.iter().for_each(|link| text.push_str(&link.row()));
            text.push('\n');
        }
        for verdict in &self.all.verdicts {
            text.push_str(&format!("{verdict}\n"));
        }
        text
    }
}

/// Of nanoseconds.
fn duration(nanos: f64) -> String {
    match nanos {
        n if n < 1e3 => format!("{n:.0} ns"),
        n if n < 1e6 => format!("{:.2} µs", n / 1e3),
        n => format!("{:.2} ms", n / 1e6),
    }
}
