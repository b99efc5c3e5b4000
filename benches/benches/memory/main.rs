//! Big memory: what its first touch costs, by whichever way it is got, and what it is like afterwards.
//!
//! `cargo bench -p ndshm-benches --bench memory`. What follows `--`: first a part of a group's name, to run that only;
//! `--quick` measures less, with a quarter of the memory; `--test` runs everything once, with little. 2 GiB of memory
//! have to be free. On a busy machine, `NDSHM_BENCH_BUSY=1` has processor time of this process measured instead of the
//! time that passes: of two processes it then shows what one had to do, of two threads what both had.

use std::time::Duration;

use criterion::{Criterion, SamplingMode};
use ndshm_benches::Target::{AtLeast, AtMost};
use ndshm_benches::{Contender, Target, Verdict, busy, now, one_by_one, print_table};

mod access;
mod plain;
mod prefault;

use prefault::{Clock, HUGE, HUGE_BY_TWO, REFUSED, Supply, TOUCH};

const GIB: usize = 1 << 30;

/// What is measured, and what was promised.
struct Contest<'a> {
    group: &'static str,
    contenders: Vec<Contender<'a>>,
    yardstick: &'static str,
    /// Of whom each is judged by: the contender, and what it has to do.
    targets: Vec<(&'static str, Target)>,
    rounds: usize,
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let has = |name: &str| arguments.iter().any(|a| a == name);
    let filter = arguments.iter().find(|a| !a.starts_with('-'));
    let tables = !has("--test") && !has("--list") && !has("--profile-time");
    let (len, rounds) = match (tables, has("--quick")) {
        (true, false) => (GIB, 9),
        (true, true) => (GIB / 4, 5),
        (false, _) => (GIB / 2, 1),
    };
    let clock = if std::env::var_os("NDSHM_BENCH_BUSY").is_some() { busy } else { now };
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(1))
        .measurement_time(Duration::from_millis(500))
        .sample_size(10)
        .configure_from_args();
    let mut verdicts = Vec::new();
    for make in [at_hand, as_it_comes, random, attach] {
        // Made when its turn comes: the memory of one is not to be in the way of another.
        let contest = make(len / 16, 1, clock);
        if filter.is_none_or(|f| contest.group.contains(f.as_str())) {
            // For its history, with less memory; the tables decide.
            contest.by_criterion(&mut criterion);
            if tables {
                verdicts.extend(make(len, rounds, clock).in_turns(len));
            }
        }
    }
    criterion.final_summary();
    if !verdicts.is_empty() {
        println!("\ntargets:");
        verdicts.iter().for_each(|v| println!("{v}"));
    }
}

/// Create, get and fill.
fn at_hand(len: usize, rounds: usize, clock: Clock) -> Contest<'static> {
    Contest {
        group: "prefault",
        contenders: prefault::contenders(len, clock, Supply::AtHand),
        yardstick: TOUCH,
        targets: vec![
            (HUGE, AtMost(0.2, &[TOUCH])),
            (HUGE_BY_TWO, AtMost(0.15, &[TOUCH])),
            (REFUSED, AtMost(1.05, &[TOUCH])),
        ],
        rounds,
    }
}

fn as_it_comes(len: usize, rounds: usize, clock: Clock) -> Contest<'static> {
    Contest {
        group: "prefault as it comes",
        contenders: prefault::contenders(len, clock, Supply::AsItComes),
        yardstick: TOUCH,
        targets: vec![(HUGE, AtMost(1.05, &[TOUCH])), (REFUSED, AtMost(1.05, &[TOUCH]))],
        rounds,
    }
}

fn random(len: usize, rounds: usize, clock: Clock) -> Contest<'static> {
    let targets = vec![(access::HUGE, AtLeast(1.1, &[access::SMALL]))];
    let contenders = access::random(len, clock);
    Contest { group: "random access", contenders, yardstick: access::SMALL, targets, rounds }
}

fn attach(len: usize, rounds: usize, clock: Clock) -> Contest<'static> {
    let targets = vec![(access::HUGE, AtMost(0.5, &[access::SMALL]))];
    let contenders = access::attach(len, clock);
    Contest { group: "attach", contenders, yardstick: access::SMALL, targets, rounds }
}

impl Contest<'_> {
    fn by_criterion(mut self, criterion: &mut Criterion) {
        let mut group = criterion.benchmark_group(self.group);
        group.sampling_mode(SamplingMode::Flat);
        for (name, run) in &mut self.contenders {
            group.bench_function(*name, |b| b.iter_custom(&mut *run));
        }
        group.finish();
    }

    fn in_turns(mut self, len: usize) -> Vec<Verdict> {
        let measured = one_by_one(self.rounds, &mut self.contenders);
        let title = format!(
            "{}, {} MiB; medians of {} rounds in turns",
            self.group,
            len >> 20,
            self.rounds
        );
        print_table(&title, self.yardstick, &measured);
        let verdicts = self.targets.iter().filter_map(|(ours, target)| {
            // The one that is judged comes first.
            let mut order = measured.clone();
            let at = order.iter().position(|m| m.name == *ours)?;
            order.swap(0, at);
            target.judge(&format!("{}: {ours}", self.group), &order)
        });
        verdicts.collect()
    }
}
