//! What came of it: a table for people, an object for programs.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::{Value, json};

use crate::plan::Fault;
use crate::scene::Act;
use crate::tally::{ROWS, Totals};
use crate::violation::Violation;

/// What came of one fault.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    pub(crate) fault: Fault,
    pub(crate) rows: Vec<(&'static str, Totals)>,
    pub(crate) kills: u64,
    pub(crate) missed: u64,
    /// Instructions of the turn at which a victim was killed, and how many there are.
    pub(crate) instructions: (u64, u64),
    /// The same, where each visit counts.
    pub(crate) places: (u64, u64),
    pub(crate) signals: u64,
    pub(crate) signalled: u64,
    pub(crate) took: Duration,
    skipped: Option<String>,
}

impl Outcome {
    pub(crate) fn of(fault: Fault) -> Self {
        let names: Vec<&'static str> = match fault.act {
            Act::Step => vec![fault.scene.name],
            Act::Orphaned | Act::OrphanedInWait => vec!["next owner"],
            _ => fault.scene.rows.to_vec(),
        };
        assert!(names.len() <= ROWS, "a scene with more rows than are counted");
        let rows = names.into_iter().map(|name| (name, Totals::default())).collect();
        Self {
            fault,
            rows,
            kills: 0,
            missed: 0,
            instructions: (0, 0),
            places: (0, 0),
            signals: 0,
            signalled: 0,
            took: Duration::ZERO,
            skipped: None,
        }
    }

    pub(crate) fn skipped(fault: Fault, why: String) -> Self {
        Self { skipped: Some(why), ..Self::of(fault) }
    }

    pub(crate) fn is_clean(&self) -> bool {
        self.rows.iter().all(|(_, totals)| totals.is_clean())
    }

    /// What else there is to say of it.
    fn remark(&self) -> String {
        match (&self.skipped, self.fault.act) {
            (Some(why), _) => format!("SKIPPED: {why}"),
            (None, Act::Step) => {
                let ((hit, all), (visits, visited)) = (self.instructions, self.places);
                format!("{hit} of {all} instructions, {visits} of {visited} visits")
            }
            (None, Act::Storm) if self.signalled > 0 => {
                format!("{} signals/s", self.signals * 1_000_000 / self.signalled)
            }
            _ => String::new(),
        }
    }
}

/// What came of all, and how long it took.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) seed: u64,
    pub(crate) jobs: u64,
    pub(crate) took: Duration,
    pub(crate) outcomes: Vec<Outcome>,
}

impl Report {
    pub(crate) fn is_clean(&self) -> bool {
        self.outcomes.iter().all(Outcome::is_clean)
    }

    fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        self.outcomes.iter().flat_map(|o| &o.rows).for_each(|(_, row)| totals.merge(row));
        totals
    }

    fn kills(&self) -> u64 {
        self.outcomes.iter().map(|o| o.kills).sum()
    }

    fn missed(&self) -> u64 {
        self.outcomes.iter().map(|o| o.missed).sum()
    }

    /// A row for each fault and state, then the totals.
    pub(crate) fn table(&self) -> String {
        let mut lines = vec![
            ["primitive", "victim", "fault", "rounds", "missed", "clean", "poisoned"]
                .into_iter()
                .chain(["hangs", "lost", "torn", "stolen", "other", "median", "slowest", ""])
                .map(str::to_owned)
                .collect::<Vec<_>>(),
        ];
        for o in &self.outcomes {
            for (i, (name, totals)) in o.rows.iter().enumerate() {
                let mut line = vec![o.fault.primitive.name.to_owned(), (*name).to_owned()];
                line.push(o.fault.act.name().to_owned());
                // What missed belongs to no row: it stands once, in the first.
                let missed = if i == 0 { o.missed.to_string() } else { String::new() };
                line.extend(numbers(totals, missed));
                line.push(if i == 0 { o.remark() } else { String::new() });
                lines.push(line);
            }
        }
        let mut total = vec!["total".to_owned(), String::new(), String::new()];
        total.extend(numbers(&self.totals(), self.missed().to_string()));
        total.push(String::new());
        lines.push(total);
        let mut text = columns(&lines, 3);
        let seconds = self.took.as_secs_f64().max(1e-9);
        let (kills, rounds) = (self.kills(), self.totals().rounds);
        let _ = writeln!(
            text,
            "{kills} kills, {rounds} rounds in {seconds:.1} s: {:.0} rounds a second, {} at a time; \
             --seed {}",
            rounds as f64 / seconds,
            self.jobs,
            self.seed
        );
        text
    }

    /// The same for programs; times in microseconds.
    pub(crate) fn json(&self) -> Value {
        let rows: Vec<_> = self.outcomes.iter().map(outcome).collect();
        let mut totals = self::totals(&self.totals());
        totals["missed"] = self.missed().into();
        totals["kills"] = self.kills().into();
        json!({
            "seed": self.seed,
            "jobs": self.jobs,
            "seconds": self.took.as_secs_f64(),
            "clean": self.is_clean(),
            "faults": rows,
            "totals": totals,
        })
    }
}

fn numbers(totals: &Totals, missed: String) -> Vec<String> {
    let [hangs, lost, torn, stolen, other] = totals.violations;
    let counts = [totals.clean, totals.poisoned, hangs, lost, torn, stolen, other];
    [totals.rounds.to_string(), missed]
        .into_iter()
        .chain(counts.map(|n| n.to_string()))
        .chain([totals.percentile(50), totals.slowest()].map(time))
        .collect()
}

fn time(time: Option<Duration>) -> String {
    time.map_or_else(|| "-".to_owned(), |t| format!("{t:.1?}"))
}

/// Aligned: the first columns, which hold words, and the last one to the left, numbers to the right.
pub(crate) fn columns(lines: &[Vec<String>], words: usize) -> String {
    let widths: Vec<usize> = (0..lines[0].len())
        .map(|c| lines.iter().map(|line| line[c].chars().count()).max().unwrap_or(0))
        .collect();
    let mut text = String::new();
    for line in lines {
        let mut one = String::new();
        for (i, (cell, width)) in line.iter().zip(&widths).enumerate() {
            let _ = if i < words || i + 1 == line.len() {
                write!(one, "{cell:<width$}  ")
            } else {
                write!(one, "{cell:>width$}  ")
            };
        }
        text.push_str(one.trim_end());
        text.push('\n');
    }
    text
}

fn micros(time: Option<Duration>) -> Value {
    time.map_or(Value::Null, |t| (t.as_nanos() as f64 / 1000.0).into())
}

fn totals(totals: &Totals) -> Value {
    let [hangs, lost, torn, stolen, other] = totals.violations;
    json!({
        "rounds": totals.rounds,
        "clean": totals.clean,
        "poisoned": totals.poisoned,
        "hangs": hangs,
        "lost_updates": lost,
        "torn_taken_for_clean": torn,
        "stolen": stolen,
        "other": other,
        "median_us": micros(totals.percentile(50)),
        "p99_us": micros(totals.percentile(99)),
        "slowest_us": micros(totals.slowest()),
    })
}

fn outcome(o: &Outcome) -> Value {
    let rows = o.rows.iter().map(|(name, row)| {
        let mut value = totals(row);
        value["victim"] = (*name).into();
        value
    });
    json!({
        "primitive": o.fault.primitive.name,
        "scene": o.fault.scene.name,
        "fault": o.fault.act.name(),
        "rows": rows.collect::<Vec<_>>(),
        "missed": o.missed,
        "kills": o.kills,
        "instructions": o.instructions.1,
        "instructions_covered": o.instructions.0,
        "visits": o.places.1,
        "visits_covered": o.places.0,
        "signals": o.signals,
        "seconds": o.took.as_secs_f64(),
        "skipped": o.skipped,
    })
}

/// The columns of violations are those of [`Violation::ALL`].
const _: () = assert!(Violation::ALL.len() == 5);
