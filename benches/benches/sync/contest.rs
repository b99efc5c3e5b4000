//! One comparison: everybody is checked, then criterion has them one after another, then all are
//! measured in turns and judged.

use std::time::Duration;

use ndshm_benches::{Contender, Promise, Session, Verdict};

use crate::crew::{Count, Crew, MOST, Placement, Prepare, Tally, elapsed, operations};

/// Among whom something is shared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Among {
    Processes,
    Threads,
}

/// One that is measured.
pub(crate) struct Rival {
    pub(crate) name: &'static str,
    pub(crate) among: Among,
    pub(crate) prepare: Prepare,
    /// How many operations the thing itself has counted, where it counts.
    pub(crate) counted: Option<Box<dyn Fn() -> u64>>,
}

/// What is measured, with whom, and what was promised.
#[derive(Clone, Debug)]
pub(crate) struct Contest {
    pub(crate) group: String,
    /// Of whom the first is ours: indices of the rivals.
    pub(crate) rivals: Vec<usize>,
    pub(crate) yardstick: &'static str,
    pub(crate) targets: Vec<Promise>,
    pub(crate) parties: usize,
    pub(crate) placement: Placement,
    /// Beside one process on each processor that does nothing but use it.
    pub(crate) hogs: bool,
    pub(crate) pace: Pace,
    pub(crate) slice: Duration,
    pub(crate) rounds: usize,
    /// For how long the least served is looked for, where everybody takes what it can.
    pub(crate) fair_for: Option<(Duration, f64)>,
}

/// How the parties go about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// In step: as many operations by each. An operation is one of each party. Of its time
    /// that many nanoseconds are not the operation's.
    InStep(u64),
    /// Each as much as it can.
    Free,
}

/// Whoever can be told to do something.
#[derive(Debug)]
pub(crate) struct Crews {
    pub(crate) processes: Crew,
    pub(crate) threads: Crew,
    pub(crate) hogs: Crew,
    pub(crate) cpus: Vec<usize>,
}

impl Contest {
    pub(crate) fn hold(&self, session: &mut Session, rivals: &[Rival], crews: &Crews) {
        if !session.wants(&self.group) {
            return;
        }
        let hogs = self.hogs.then(|| Hogs::start(crews));
        for &i in &self.rivals {
            self.check(&rivals[i], i, crews);
        }
        let contest = ndshm_benches::Contest::new(
            &*self.group,
            self.yardstick,
            self.contenders(rivals, crews),
        );
        let mut contest = contest
            .setting(self.setting(crews))
            .promising(self.targets.iter().copied())
            .turns(self.slice, self.rounds);
        session.by_criterion(&mut contest);
        let part = if session.is_quick() { 20 } else { 1 };
        if let Some(report) = session.in_turns(&mut contest) {
            report.verdicts.extend(self.fairness(rivals, crews, part));
        }
        drop(hogs);
    }

    fn setting(&self, crews: &Crews) -> String {
        let cpus = match self.placement {
            Placement::Spread => crews.cpus.len().min(self.parties),
            Placement::Together => 1,
        };
        let hogs = if self.hogs { ", beside a process on each that only uses it" } else { "" };
        let parties = if self.parties == 1 {
            "1 party".to_owned()
        } else {
            format!("{} parties", self.parties)
        };
        format!("{parties} pinned to {cpus} of {} processors{hogs}", crews.cpus.len())
    }

    /// That it does what it says, with errors looked for on the way.
    fn check(&self, rival: &Rival, job: usize, crews: &Crews) {
        let count = match self.pace {
            Pace::InStep(_) => Count::Each(64),
            Pace::Free => Count::For(Duration::from_millis(10)),
        };
        let before = rival.counted.as_ref().map(|counted| counted());
        let done = operations(&self.run(rival, job, crews, count, true));
        let after = rival.counted.as_ref().map(|counted| counted());
        if let (Some(before), Some(after)) = (before, after) {
            assert_eq!(after - before, done, "{}: {} lost operations", self.group, rival.name);
        }
    }

    fn run(
        &self,
        rival: &Rival,
        job: usize,
        crews: &Crews,
        count: Count,
        checked: bool,
    ) -> Vec<Tally> {
        let crew = match rival.among {
            Among::Processes => &crews.processes,
            Among::Threads => &crews.threads,
        };
        let cpus = match self.placement {
            Placement::Spread => &crews.cpus[..],
            Placement::Together => &crews.cpus[..1],
        };
        crew.run(job, self.parties, cpus, count, checked)
    }

    fn contenders<'a>(&'a self, rivals: &'a [Rival], crews: &'a Crews) -> Vec<Contender<'a>> {
        let each = self.rivals.iter().map(|&i| {
            let rival = &rivals[i];
            let run: Box<dyn FnMut(u64) -> Duration + 'a> = match self.pace {
                Pace::InStep(work) => Box::new(move |n| {
                    let tallies = self.run(rival, i, crews, Count::Each(n), false);
                    elapsed(&tallies).saturating_sub(Duration::from_nanos(work.saturating_mul(n)))
                }),
                Pace::Free => {
                    let mut nanos = 50.0;
                    Box::new(move |n| self.window(rival, i, crews, n, &mut nanos))
                }
            };
            (rival.name, run)
        });
        each.collect()
    }

    /// The time of `n` operations, from as many as fit a window that is about as long.
    #[allow(clippy::cast_precision_loss, reason = "a count of some millions")]
    fn window(
        &self,
        rival: &Rival,
        job: usize,
        crews: &Crews,
        n: u64,
        nanos: &mut f64,
    ) -> Duration {
        let expected = Duration::from_secs_f64((n as f64 * *nanos / 1e9).min(1.0));
        let window = expected.clamp(Duration::from_millis(1), Duration::from_millis(200));
        let tallies = self.run(rival, job, crews, Count::For(window), false);
        *nanos = elapsed(&tallies).as_secs_f64() * 1e9 / operations(&tallies).max(1) as f64;
        Duration::from_secs_f64(n as f64 * *nanos / 1e9)
    }

    /// The least-served party's share, times the number of parties: 1 is perfectly fair.
    #[allow(clippy::cast_precision_loss, reason = "a count of some millions")]
    fn fairness(&self, rivals: &[Rival], crews: &Crews, part: u32) -> Option<Verdict> {
        let (window, least) = self.fair_for?;
        let window = window / part;
        let mut ours = None;
        println!("least-served share x {} over {window:?}:", self.parties);
        for &i in &self.rivals {
            let tallies = self.run(&rivals[i], i, crews, Count::For(window), false);
            let fewest = tallies.iter().map(|t| t.operations).min().unwrap_or(0);
            let all = operations(&tallies).max(1) as f64;
            let share = fewest as f64 / all * self.parties as f64;
            println!("{:<34} {share:>14.3}", rivals[i].name);
            ours.get_or_insert((rivals[i].name, share));
        }
        let (name, share) = ours?;
        let what = format!("{name}: share of the least served x {} at least {least}", self.parties);
        Some(Verdict::plain(what, share >= least, share))
    }
}

/// One process on each processor, which keeps it busy while this lives.
struct Hogs<'a>(&'a Crew);

impl<'a> Hogs<'a> {
    fn start(crews: &'a Crews) -> Self {
        let count = crews.cpus.len().min(MOST);
        let forever = Count::For(Duration::MAX);
        crews.hogs.start(0, count, &crews.cpus, forever, false);
        Self(&crews.hogs)
    }
}

impl Drop for Hogs<'_> {
    fn drop(&mut self) {
        self.0.stop();
    }
}

/// What a hog does.
pub(crate) fn hog() -> Prepare {
    Box::new(|_| Box::new(|run| run.repeat(std::hint::spin_loop)))
}
