//! What came of it all, to be read and to be passed on.

use std::io;
use std::path::Path;
use std::sync::Mutex;

use serde::{Deserialize, Serialize};

use crate::measured::Measured;
use crate::target::Verdict;

/// What came of one contest.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Report {
    /// What was compared.
    pub group: String,
    /// Among whom, where, how much.
    pub setting: String,
    /// How many turns each had.
    pub rounds: usize,
    /// The contender that the others are said in multiples of.
    pub yardstick: String,
    /// Of whom the first is ours.
    pub measured: Vec<Measured>,
    /// What was promised, and what there is.
    pub verdicts: Vec<Verdict>,
}

/// What came of a benchmark.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Outcome {
    /// In the order in which it was measured.
    pub reports: Vec<Report>,
    /// Who did not take part, and why.
    pub absent: Vec<(String, String)>,
}

static ABSENT: Mutex<Vec<(String, String)>> = Mutex::new(Vec::new());

/// Somebody does not take part: said aloud, and in the outcome.
///
/// # Panics
///
/// Never: nobody panics with the list in hand.
pub fn absent(who: &str, why: &str) {
    ndshm_testkit::skip(who, why);
    let mut absent = ABSENT.lock().expect("nobody panicked");
    let entry = (who.to_owned(), why.to_owned());
    if !absent.contains(&entry) {
        absent.push(entry);
    }
}

impl Report {
    /// The one that the others are said in multiples of.
    ///
    /// # Panics
    ///
    /// When it did not take part.
    #[must_use]
    pub fn yardstick(&self) -> &Measured {
        let found = self.measured.iter().find(|m| m.name == self.yardstick);
        found.unwrap_or_else(|| panic!("{}: no {} took part", self.group, self.yardstick))
    }

    /// The family of the group: what stands before the first comma.
    #[must_use]
    pub fn family(&self) -> &str {
        self.group.split(',').next().unwrap_or(&self.group)
    }

    pub(crate) fn print(&self) {
        let Self { group, setting, rounds, .. } = self;
        let setting = if setting.is_empty() { String::new() } else { format!(": {setting}") };
        println!("\n{group}{setting}; medians of {rounds} rounds in turns");
        let x = format!("x {}", self.yardstick);
        println!("{:<34} {:>14} {:>24} {x:>26} {:>16}", "", "ns", "quartiles", "quartiles");
        for m in &self.measured {
            let (ns, ratio) = (m.spread(), m.beside(self.yardstick()));
            println!(
                "{:<34} {:>14.1} {:>24} {:>26.3} {:>16}",
                m.name,
                ns.median,
                format!("{:.1} .. {:.1}", ns.low, ns.high),
                ratio.median,
                format!("{:.2} .. {:.2}", ratio.low, ratio.high),
            );
        }
    }
}

impl Outcome {
    pub(crate) fn of(reports: Vec<Report>) -> Self {
        let absent = ABSENT.lock().expect("nobody panicked").clone();
        Self { reports, absent }
    }

    pub(crate) fn write(&self, to: &Path) -> io::Result<()> {
        std::fs::write(to, serde_json::to_vec(self)?)
    }

    /// What a benchmark has written.
    ///
    /// # Errors
    ///
    /// There is no such file, or it is something else.
    pub fn read(from: &Path) -> io::Result<Self> {
        Ok(serde_json::from_slice(&std::fs::read(from)?)?)
    }
}
