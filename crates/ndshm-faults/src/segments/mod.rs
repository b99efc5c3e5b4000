//! Kills, races and squats against the segments of `ndshm-buffer`, and kills of claimants in an array of `ndshm-array`: the campaign behind the program `segments`.
//!
//! A fault is one module: a function that plays its rounds in a `Scene`: a directory of its own, words that all its
//! processes share. The supervisor runs each in a process of its own, which forks the others, and ends it when it hangs.

mod attachers;
mod claims;
mod creation;
mod growth;
mod instances;
mod leaks;
mod options;
mod orphans;
mod report;
mod scene;
mod squats;
mod truncation;

use std::time::{Duration, Instant};

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};

use crate::child::{Birth, Child, State, keep_sigchld};
use options::Options;
use report::{Outcome, Report};
use scene::Scene;

/// What can be done to segments.
#[derive(Clone, Copy, Debug)]
struct Fault {
    name: &'static str,
    /// Rounds of it for a thousand that are asked for.
    rounds: u64,
    /// What it counts besides rounds.
    counts: &'static [&'static str],
    play: fn(&Scene),
}

const FAULTS: &[Fault] = &[
    creation::FAULT,
    instances::FAULT,
    orphans::FAULT,
    growth::FAULT,
    attachers::FAULT,
    squats::FAULT,
    truncation::FAULT,
    claims::FAULT,
    leaks::FAULT,
];

/// How often the supervisor looks.
const LOOK: Duration = Duration::from_millis(50);

/// Runs the campaign that these arguments ask for, and prints what came of it. The process must have one thread only,
/// since it forks.
///
/// `arguments` begin with the program's name. The exit status is 0 when nothing was violated, 1 when something was, 2 for
/// arguments that cannot be used.
#[must_use]
pub fn run(arguments: impl IntoIterator<Item = String>) -> u8 {
    let options = match Options::try_parse_from(arguments) {
        Ok(options) => options,
        Err(e) => {
            let _ = e.print();
            return if e.use_stderr() { 2 } else { 0 };
        }
    };
    let unknown = |only: &&String| FAULTS.iter().all(|fault| fault.name != **only);
    if let Some(unknown) = options.only.iter().find(unknown) {
        let names = FAULTS.iter().map(|fault| fault.name).collect::<Vec<_>>().join(", ");
        eprintln!("segments: no fault is called {unknown:?}; there are: {names}");
        return 2;
    }
    keep_sigchld();
    let seed = options.seed.unwrap_or_else(crate::seed_of_the_clock);
    let wanted = |fault: &&Fault| {
        options.only.is_empty() || options.only.iter().any(|only| only == fault.name)
    };
    let start = Instant::now();
    let outcomes = FAULTS.iter().filter(wanted).map(|fault| one(fault, &options, seed)).collect();
    let report = Report { seed, took: start.elapsed(), outcomes };
    if options.json {
        println!("{:#}", report.json());
    } else {
        print!("{}", report.table());
    }
    u8::from(!report.is_clean())
}

fn one(fault: &Fault, options: &Options, seed: u64) -> Outcome {
    let rounds = (options.rounds * fault.rounds).div_ceil(1_000);
    let dir = ndshm_testkit::scratch();
    let scene = Scene::new(dir.path(), rounds, seed, options.limit());
    let start = Instant::now();
    let bar = progress(fault.name, rounds);
    let play = || {
        (fault.play)(&scene);
        scene.nothing_is_left();
    };
    match Child::spawn(Birth::Plain, play) {
        Ok(child) => supervise(fault, &scene, child, &bar),
        Err(e) => scene.violation(&format!("no process: {e}")),
    }
    bar.finish_and_clear();
    Outcome::of(fault, &scene, start.elapsed())
}

/// Waits for the end, as long as there is progress.
fn supervise(fault: &Fault, scene: &Scene, mut child: Child, bar: &ProgressBar) {
    let (mut beat, mut since) = (0, Instant::now());
    loop {
        match child.wait(LOOK) {
            Some(State::Exited(0)) => return,
            Some(other) => return scene.violation(&format!("{}: {other:?}", fault.name)),
            None => {}
        }
        let now = scene.beats();
        if now != beat {
            (beat, since) = (now, Instant::now());
        }
        bar.set_position(scene.rounds_done());
        if since.elapsed() > scene.limit {
            scene.violation(&format!("{}: hangs after {} rounds", fault.name, scene.rounds_done()));
            return;
        }
    }
}

/// A bar on standard error, where that is a terminal. It has no thread of its own: the process that draws it forks.
fn progress(name: &'static str, rounds: u64) -> ProgressBar {
    let template = "{bar:30} {percent:>3} % {human_pos} rounds, {per_sec}, {eta} left: {msg}";
    let style = ProgressStyle::with_template(template);
    ProgressBar::new(rounds)
        .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        .with_message(name)
}
