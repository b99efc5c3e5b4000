//! A benchmark from its command line to its verdicts.

use std::path::PathBuf;
use std::time::Duration;

use criterion::{Criterion, SamplingMode};

use crate::contest::Contest;
use crate::measured::in_turns;
use crate::report::{Outcome, Report};

/// The run of a benchmark.
///
/// On the command line: a part of a group's name, to run those only; `--quick` measures less; `--test` runs everything
/// once, with its checks; `--turns` leaves criterion out; `--report FILE` writes the [`Outcome`]. What else criterion
/// knows goes to it.
pub struct Session {
    filter: Option<String>,
    quick: bool,
    turns: bool,
    report: Option<PathBuf>,
    /// `None` where it is left out.
    criterion: Option<Criterion>,
    reports: Vec<Report>,
}

impl Session {
    /// As the command line has it.
    #[must_use]
    pub fn from_args() -> Self {
        let mut filter = None;
        let (mut quick, mut turns, mut criterion, mut report) = (false, true, true, None);
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--quick" => quick = true,
                "--turns" => criterion = false,
                "--report" => report = arguments.next().map(PathBuf::from),
                "--test" | "--list" => turns = false,
                "--profile-time" => {
                    turns = false;
                    arguments.next();
                }
                other if !other.starts_with('-') => filter = Some(argument),
                _ => {}
            }
        }
        let criterion = criterion.then(|| {
            Criterion::default()
                .warm_up_time(Duration::from_millis(100))
                .measurement_time(Duration::from_millis(500))
                .sample_size(10)
                .configure_from_args()
        });
        Self { filter, quick, turns, report, criterion, reports: Vec::new() }
    }

    /// Whether that group is to be run.
    #[must_use]
    pub fn wants(&self, group: &str) -> bool {
        self.filter.as_ref().is_none_or(|f| group.contains(f.as_str()) || f.starts_with(group))
    }

    /// Whether little is to be measured.
    #[must_use]
    pub const fn is_quick(&self) -> bool {
        self.quick
    }

    /// Whether there are turns, and so figures that are quoted: not where it is all to run once, or to be listed.
    #[must_use]
    pub const fn has_turns(&self) -> bool {
        self.turns
    }

    /// By criterion and in turns, if it is wanted.
    pub fn hold(&mut self, mut contest: Contest<'_>) {
        if self.wants(&contest.group) {
            self.by_criterion(&mut contest);
            self.in_turns(&mut contest);
        }
    }

    /// One after the other by criterion, which keeps the history.
    pub fn by_criterion(&mut self, contest: &mut Contest<'_>) {
        let Some(criterion) = &mut self.criterion else { return };
        let mut group = criterion.benchmark_group(&contest.group);
        if contest.slice.is_none_or(|slice| slice > Duration::from_millis(1)) {
            group.sampling_mode(SamplingMode::Flat);
        }
        for (name, run) in &mut contest.contenders {
            group.bench_function(*name, |b| b.iter_custom(&mut *run));
        }
        group.finish();
    }

    /// All in turns, with a table and verdicts; what came of it, to which more can be added.
    pub fn in_turns(&mut self, contest: &mut Contest<'_>) -> Option<&mut Report> {
        if !self.turns {
            return None;
        }
        let (rounds, part) = match (self.quick, contest.slice) {
            (false, _) => (contest.rounds, 1),
            (true, Some(_)) => (contest.rounds.div_ceil(8).max(5), 4),
            (true, None) => (contest.rounds.div_ceil(8).max(3), 1),
        };
        // Whoever waits for the end of it sees where it is.
        println!("== {}", contest.group);
        let measured = in_turns(contest, rounds, part);
        let report = Report {
            group: contest.group.clone(),
            setting: contest.setting.clone(),
            rounds,
            yardstick: contest.yardstick.to_owned(),
            verdicts: contest.promises.iter().filter_map(|p| p.judge(&measured)).collect(),
            measured,
        };
        report.print();
        self.reports.push(report);
        self.reports.last_mut()
    }

    /// Says what was promised and what there is, and writes it down where that was asked for.
    ///
    /// # Panics
    ///
    /// When it cannot be written.
    pub fn end(self) {
        if let Some(criterion) = self.criterion {
            criterion.final_summary();
        }
        if self.reports.iter().any(|report| !report.verdicts.is_empty()) {
            println!("\ntargets:");
        }
        for report in &self.reports {
            report.verdicts.iter().for_each(|v| println!("{v} ({})", report.group));
        }
        if let Some(path) = self.report {
            let written = Outcome::of(self.reports).write(&path);
            written.unwrap_or_else(|e| panic!("{}: not written: {e}", path.display()));
        }
    }
}
