//! The supervisor: starts the workers of one fault after another, and ends those that hang.

use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::time::{Duration, Instant};

use crate::act;
use crate::arena::Arena;
use crate::child::{Birth, Child, State};
use crate::job::Job;
use crate::options::Options;
use crate::plan::Fault;
use crate::progress::Progress;
use crate::report::Outcome;
use crate::scene::Act;
use crate::stage::Stage;
use crate::tally::Totals;
use crate::trace;
use crate::violation::Violation;

/// How often the supervisor looks.
const LOOK: Duration = Duration::from_millis(5);

/// Runs all faults; what came of each.
pub(crate) fn run(options: &Options, seed: u64, faults: &[Fault]) -> Vec<Outcome> {
    crate::child::keep_sigchld();
    let arenas: Vec<_> = (0..options.jobs()).map(|_| Arena::create()).collect();
    let mut progress = Progress::start(faults);
    let outcome = |(number, fault): (usize, &Fault)| {
        let start = Instant::now();
        let mut outcome = match cannot(fault.act) {
            Some(why) => Outcome::skipped(*fault, why),
            None => one(options, seed ^ (number as u64) << 32, fault, &arenas, &mut progress),
        };
        outcome.took = start.elapsed();
        progress.finish(fault);
        outcome
    };
    faults.iter().enumerate().map(outcome).collect()
}

/// Why this act cannot be performed here.
fn cannot(act: Act) -> Option<String> {
    match act {
        Act::Step => trace::impossible(),
        Act::Namespaces | Act::Recycled => {
            let mut child = match Child::spawn(Birth::Namespace, || {}) {
                Ok(child) => child,
                Err(e) => return Some(format!("PID namespaces: {e}")),
            };
            child.wait(Duration::from_secs(10));
            (act == Act::Recycled && std::fs::metadata("/proc/sys/kernel/ns_last_pid").is_err())
                .then(|| "there is no /proc/sys/kernel/ns_last_pid".to_owned())
        }
        _ => None,
    }
}

struct Worker {
    job: Job,
    child: Child,
    beat: u64,
    since: Instant,
}

fn one(
    options: &Options,
    seed: u64,
    fault: &Fault,
    arenas: &[&'static Arena],
    progress: &mut Progress,
) -> Outcome {
    let workers = (arenas.len() as u64).min(fault.rounds);
    let mut all = Vec::new();
    for (worker, arena) in (0..workers).zip(arenas) {
        arena.clear();
        let job = Job {
            primitive: fault.primitive,
            scene: fault.scene,
            act: fault.act,
            arena,
            rounds: (fault.rounds + worker) / workers,
            seed,
            limit: options.limit(),
            worker,
            workers,
        };
        let birth = if fault.act == Act::Recycled { Birth::Namespace } else { Birth::Plain };
        match Child::spawn(birth, || act::run(&job)) {
            Ok(child) => all.push(Worker { job, child, beat: 0, since: Instant::now() }),
            Err(e) => return Outcome::skipped(*fault, format!("no process for a worker: {e}")),
        }
    }
    let mut running: Vec<_> = all.iter_mut().collect();
    while !running.is_empty() {
        running.retain_mut(|worker| !has_ended(worker));
        let rounds = arenas.iter().take(workers as usize).map(|a| a.control().tally.rounds());
        progress.at(rounds.sum());
    }
    drop(running);
    outcome(fault, &all)
}

/// Whether a worker has ended, well or not; ends it where it hangs.
fn has_ended(worker: &mut Worker) -> bool {
    let Worker { job, child, beat, since } = worker;
    if let Some(state) = child.wait(LOOK) {
        if state != State::Exited(0) {
            job.report(&format!("a worker ended by itself: {state:?}"));
            job.settle(0);
        }
        return true;
    }
    let now = job.control().beat.load(Relaxed);
    if now != *beat {
        (*beat, *since) = (now, Instant::now());
    }
    // It watches its own waits, so this is one that does not come back at all.
    if since.elapsed() < 4 * job.limit {
        return false;
    }
    let details = format!("a worker does nothing any more; {}", state_of(job));
    job.control().violations.report(Violation::Hang, &details);
    child.kill(job.limit);
    job.settle(0);
    true
}

/// The state of the primitive, found out by a process that may hang too.
fn state_of(job: &Job) -> String {
    let look = || {
        let subject = (job.primitive.lay)(Stage::look_on(job.arena, job.limit));
        eprintln!("{}: {}", job.primitive.name, subject.inspect());
    };
    let seats = job.control().seats.iter().map(|seat| format!("{:?}", seat.at()));
    let seats = seats.collect::<Vec<_>>().join(", ");
    let Ok(mut child) = Child::spawn(Birth::Plain, look) else { return seats };
    child.wait(Duration::from_secs(5));
    format!("the state is above; seats: {seats}; inside: {}", job.control().inside.load(SeqCst))
}

fn outcome(fault: &Fault, workers: &[Worker]) -> Outcome {
    let mut outcome = Outcome::of(*fault);
    for Worker { job, .. } in workers {
        let tally = job.tally();
        // What was seen after the last round was settled.
        job.settle(0);
        outcome.kills += tally.kills.load(Relaxed);
        outcome.missed += tally.missed.load(Relaxed);
        outcome.instructions.1 += tally.instructions.load(Relaxed);
        outcome.places.1 += tally.places.load(Relaxed);
        outcome.instructions.0 += tally.instructions_hit.load(Relaxed);
        outcome.places.0 += tally.places_hit.load(Relaxed);
        outcome.signals += tally.signals.load(Relaxed);
        outcome.signalled += tally.signalled.load(Relaxed);
        for (sum, row) in outcome.rows.iter_mut().zip(&tally.rows) {
            let mut totals = Totals::default();
            totals.add(row);
            sum.1.merge(&totals);
        }
        let rounds = tally.rounds();
        // By steps there may be fewer places than rounds, but some there are.
        let wanted = if fault.act == Act::Step { 1 } else { job.rounds };
        if rounds < wanted && outcome.is_clean() {
            job.report(&format!("a worker gave up after {rounds} of {} rounds", job.rounds));
            job.settle(0);
            let mut totals = Totals::default();
            totals.add(&tally.rows[0]);
            outcome.rows[0].1.violations = totals.violations;
        }
    }
    outcome
}
