//! A benchmark of contests: the command line, criterion, then turns and targets.

use std::time::{Duration, Instant};

use criterion::{Criterion, SamplingMode};

use crate::{Contender, Target, Verdict, interleaved, one_by_one, print_table};

/// What is measured, and what was promised.
pub struct Contest {
    /// What it is called.
    pub group: &'static str,
    /// The contender that the others are said in multiples of.
    pub yardstick: &'static str,
    /// Of the first contender, which is ours.
    pub targets: Vec<Target>,
    /// Of whom the first is ours.
    pub contenders: Vec<Contender<'static>>,
    /// Whether an operation takes so long that one is enough for a turn.
    pub long: bool,
}

/// The `main` of such a benchmark: a part of a group's name on the command line runs that group only, `--quick` measures
/// less, `--test` runs everything once.
pub fn hold(contests: impl IntoIterator<Item = Contest>) {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let has = |name: &str| arguments.iter().any(|a| a == name);
    let filter = arguments.iter().find(|a| !a.starts_with('-'));
    let tables = !has("--test") && !has("--list") && !has("--profile-time");
    let rounds: usize = if has("--quick") { 5 } else { 25 };
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(100))
        .measurement_time(Duration::from_millis(500))
        .sample_size(10)
        .configure_from_args();
    let mut verdicts: Vec<Verdict> = Vec::new();
    for mut contest in contests {
        if filter.is_some_and(|f| !contest.group.contains(f.as_str())) {
            continue;
        }
        let mut group = criterion.benchmark_group(contest.group);
        if contest.long {
            group.sampling_mode(SamplingMode::Flat);
        }
        for (name, run) in &mut contest.contenders {
            group.bench_function(*name, |b| b.iter_custom(&mut *run));
        }
        group.finish();
        if tables {
            let (contenders, rounds) =
                (&mut contest.contenders, rounds.div_ceil(1 + usize::from(contest.long)));
            let measured = match contest.long {
                true => one_by_one(rounds, contenders),
                false => interleaved(Duration::from_millis(5), rounds, contenders),
            };
            let title = format!("{}; medians of {rounds} rounds in turns", contest.group);
            print_table(&title, contest.yardstick, &measured);
            verdicts
                .extend(contest.targets.iter().filter_map(|t| t.judge(contest.group, &measured)));
        }
    }
    criterion.final_summary();
    if !verdicts.is_empty() {
        println!("\ntargets:");
        verdicts.iter().for_each(|v| println!("{v}"));
    }
}

/// Does it as often as it is asked to.
pub fn timed(mut operation: impl FnMut() + 'static) -> Box<dyn FnMut(u64) -> Duration> {
    Box::new(move |n| {
        let start = Instant::now();
        (0..n).for_each(|_| operation());
        start.elapsed()
    })
}
