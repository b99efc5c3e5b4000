//! SIGKILL before each instruction of a turn.
//!
//! One turn is gone through instruction by instruction, to learn which there are and in what order.
//! Then for each a victim of its own runs up to it, by a breakpoint of the processor, and is killed
//! there. In a loop the first [`VISITS`] visits of an instruction count as places of their own; who
//! dies at a later one leaves what the one before left.

use std::collections::HashMap;
use std::io;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use ndshm_testkit::Rng;

use super::kill;
use crate::child::{Birth, Child};
use crate::job::Job;
use crate::scene::{Dead, Hang, Subject};
use crate::seat::At;
use crate::tally::add;
use crate::trace::{Came, Traced};
use crate::troupe::Troupe;

/// Visits of an instruction that count as places of their own.
const VISITS: u32 = 3;
/// The most instructions of a turn: more is a turn that does not end.
const MOST: usize = 2_000_000;
/// A system call that has not ended after this sleeps.
const SLEEPS: Duration = Duration::from_millis(2);
/// The victim's seat; bystanders have those that follow.
const VICTIM: usize = 1;

/// Where a victim is killed.
#[derive(Clone, Copy, Debug)]
enum Place {
    /// Before it executes this instruction for that many-th time.
    Before { instruction: u64, visit: u32 },
    /// While it sleeps.
    Asleep,
}

pub(crate) fn run(job: &Job, subject: &mut dyn Subject) -> Result<(), Hang> {
    let cpus = std::thread::available_parallelism().map_or(1, |n| n.get() as u64);
    pin_to(job.worker % cpus);
    let mut rng = job.rng();
    let mut troupe = Troupe::new(job);
    // Twice: in the first, much is done for the first time in this process and those it forks.
    let mut victim = None;
    let mut places = Vec::new();
    for _ in 0..2 {
        let found = all_places(job, subject, &mut troupe, &mut rng, &mut victim);
        places = job.report_hang(subject, found)?;
    }
    // Each worker its own part; where fewer rounds are wanted, evenly spread ones.
    let part = |(i, _): &(usize, Place)| *i as u64 % job.workers == job.worker;
    let places: Vec<Place> =
        places.into_iter().enumerate().filter(part).map(|(_, place)| place).collect();
    let new = |place: &Place| matches!(place, Place::Before { visit: 1, .. });
    let mine = places.len() as u64;
    job.tally().places.store(mine, Relaxed);
    job.tally().instructions.store(places.iter().filter(|p| new(p)).count() as u64, Relaxed);

    let mut covered = vec![false; places.len()];
    let mut round = 0;
    while job.goes_on() && round < 4 * (job.rounds + 16) {
        let nth = if job.rounds < mine { round * mine / job.rounds } else { round } % mine;
        let at = nth as usize;
        let hit = one(job, subject, &mut troupe, &mut rng, &mut victim, places[at]);
        if job.report_hang(subject, hit)? && !covered[at] {
            covered[at] = true;
            add(&job.tally().places_hit, 1);
            add(&job.tally().instructions_hit, u64::from(new(&places[at])));
        }
        round += 1;
    }
    Ok(())
}

/// Tracer and traced take turns: on one processor that needs no wake-up of another.
fn pin_to(cpu: u64) {
    // SAFETY: plain data, valid when zeroed.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: within the set, or else it does nothing.
    unsafe { libc::CPU_SET(cpu as usize, &mut set) };
    // SAFETY: a valid set. Where it is refused, this is only slower.
    unsafe { libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const set) };
}

fn failed(e: io::Error) -> Hang {
    Hang(format!("cannot trace: {e}"))
}

/// A victim that has stopped before its turn, and bystanders that sleep.
fn set(
    job: &Job,
    subject: &mut dyn Subject,
    troupe: &mut Troupe<'_>,
    rng: &mut Rng,
    victim: &mut Option<Traced>,
) -> Result<Vec<Dead>, Hang> {
    let mut dead = Vec::new();
    let others = job.scene.bystanders;
    if others > 0 {
        troupe.fill(VICTIM + 1..=VICTIM + others, |_| Birth::Plain, || rng.next())?;
        troupe.gather()?;
    }
    if job.scene.orphaned {
        dead.push(kill::orphan(job, rng)?.0);
    }
    subject.prepare(job.scene)?;
    let child = Child::spawn(Birth::Plain, || job.play_traced(VICTIM)).map_err(failed)?;
    *victim = Some(Traced::new(child, job.limit).map_err(failed)?);
    troupe.begin(0)?;
    let start = Instant::now();
    for seat in VICTIM + 1..=VICTIM + others {
        while !(job.control().seats[seat].at() == At::Wanting
            && troupe.player(seat).is_some_and(|one| one.sleeps()))
        {
            if start.elapsed() > job.limit {
                return Err(Hang(format!("seat {seat} never sleeps")));
            }
            std::thread::sleep(Duration::from_micros(50));
        }
    }
    Ok(dead)
}

fn all_places(
    job: &Job,
    subject: &mut dyn Subject,
    troupe: &mut Troupe<'_>,
    rng: &mut Rng,
    victim: &mut Option<Traced>,
) -> Result<Vec<Place>, Hang> {
    let mut dead = set(job, subject, troupe, rng, victim)?;
    let Some(victim) = victim else { return Ok(Vec::new()) };
    let mut visits = HashMap::<u64, u32>::new();
    let mut places = Vec::new();
    let mut slept = false;
    for _ in 0..MOST {
        let instruction = victim.instruction().map_err(failed)?;
        let visit = visits.entry(instruction).or_default();
        *visit += 1;
        if *visit <= VISITS {
            places.push(Place::Before { instruction, visit: *visit });
        }
        let mut came = victim.step(SLEEPS).map_err(failed)?;
        let start = Instant::now();
        while came == Came::Nothing && start.elapsed() < job.limit {
            if victim.child.sleeps() {
                if !std::mem::replace(&mut slept, true) {
                    places.push(Place::Asleep);
                }
                subject.relent();
            }
            came = victim.wait(SLEEPS).map_err(failed)?;
        }
        match came {
            Came::Stopped => {}
            Came::Ended => {
                subject.relent();
                subject.finish();
                troupe.end()?;
                dead.push(job.dead(VICTIM));
                subject.check(&dead)?;
                return Ok(places);
            }
            Came::Nothing => break,
        }
        if places.len() % 64 == 0 {
            job.control().beat.fetch_add(1, Relaxed);
        }
    }
    Err(Hang("a turn under ptrace that does not end".to_owned()))
}

/// Kills a victim at that place; whether it came there.
fn one(
    job: &Job,
    subject: &mut dyn Subject,
    troupe: &mut Troupe<'_>,
    rng: &mut Rng,
    victim: &mut Option<Traced>,
    place: Place,
) -> Result<bool, Hang> {
    let mut dead = set(job, subject, troupe, rng, victim)?;
    let Some(victim) = victim else { return Ok(false) };
    let hit = run_to(job, subject, victim, place)?;
    let start = Instant::now();
    if !victim.child.kill(job.limit) {
        return Err(Hang("a traced process does not die".to_owned()));
    }
    dead.push(job.dead(VICTIM));
    subject.relent();
    subject.finish();
    if rng.chance(kill::ASSISTED) {
        subject.assist()?;
    }
    troupe.end()?;
    let told = subject.check(&dead)?;
    if hit {
        let row = &job.tally().rows[0];
        add(&row.rounds, 1);
        add(if told.last() == Some(&true) { &row.poisoned } else { &row.clean }, 1);
        row.recovered(start.elapsed());
    } else {
        add(&job.tally().missed, 1);
    }
    job.settle(0);
    Ok(hit)
}

fn run_to(
    job: &Job,
    subject: &mut dyn Subject,
    victim: &mut Traced,
    place: Place,
) -> Result<bool, Hang> {
    let visits = match place {
        Place::Asleep => 1,
        Place::Before { instruction, visit } => {
            // It stands before its first instruction, for the first time.
            let already = u32::from(victim.instruction().map_err(failed)? == instruction);
            victim.stop_at(instruction).map_err(failed)?;
            visit - already
        }
    };
    for _ in 0..visits {
        let mut came = victim.go_on(SLEEPS).map_err(failed)?;
        let start = Instant::now();
        while came == Came::Nothing {
            if matches!(place, Place::Asleep) && victim.child.sleeps() {
                return Ok(true);
            }
            if victim.child.sleeps() {
                subject.relent();
            }
            if start.elapsed() > job.limit {
                return Err(Hang("a traced turn that does not end".to_owned()));
            }
            came = victim.wait(SLEEPS).map_err(failed)?;
        }
        if came == Came::Ended {
            return Ok(false);
        }
    }
    Ok(!matches!(place, Place::Asleep))
}
