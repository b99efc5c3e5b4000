//! How soon what a dead one left is had.

use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

use super::kill;
use crate::child::State;
use crate::job::Job;
use crate::scene::{Hang, Subject};
use crate::stage::{DIED_AT, Death, ORPHANER};
use crate::tally::add;
use crate::violation::Violation;

/// It is dead and reaped: from the call to what it had.
pub(crate) fn before(job: &Job, subject: &mut dyn Subject) -> Result<(), Hang> {
    let mut rng = job.rng();
    while job.goes_on() {
        let (dead, _) = kill::orphan(job, &mut rng)?;
        let start = Instant::now();
        let told = subject.take_over();
        let told = job.report_hang(subject, told)?;
        let took = start.elapsed();
        subject.check(&[dead])?;
        count(job, told, took);
    }
    Ok(())
}

/// It dies while this waits: from its last instruction to what it had.
pub(crate) fn in_the_wait(job: &Job, subject: &mut dyn Subject) -> Result<(), Hang> {
    let mut rng = job.rng();
    while job.goes_on() {
        let words = &job.control().seats[ORPHANER];
        let after = Duration::from_micros(1000 + rng.below(9000));
        let death = Death { step: 1 + rng.below(8) as u8, after };
        let mut child = job.orphan(death).map_err(|e| Hang(format!("cannot start one: {e}")))?;
        let start = Instant::now();
        while !words.at().is_inside() && start.elapsed() < job.limit {
            std::thread::yield_now();
        }
        let waits = words.notes[DIED_AT].load(SeqCst) == 0;
        let told = subject.take_over();
        let told = job.report_hang(subject, told)?;
        let took = job.since_death(ORPHANER);
        if child.wait(job.limit) != Some(State::Killed(libc::SIGKILL)) {
            return Err(Hang("who was to die did not".to_owned()));
        }
        let dead = job.dead(ORPHANER);
        subject.check(&[dead])?;
        if waits {
            count(job, told, took);
        } else {
            add(&job.tally().missed, 1);
        }
    }
    Ok(())
}

fn count(job: &Job, told: bool, took: Duration) {
    let row = &job.tally().rows[0];
    add(&row.rounds, 1);
    add(if told { &row.poisoned } else { &row.clean }, 1);
    row.recovered(took);
    if !told {
        let details = "what a dead one left was had without a word";
        job.control().violations.report(Violation::Torn, details);
    }
    job.settle(0);
}
