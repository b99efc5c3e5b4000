//! SIGSTOP at random moments: who is stopped lives, and is waited for.

use std::time::{Duration, Instant};

use ndshm_testkit::Rng;

use crate::child::State;
use crate::job::Job;
use crate::scene::{Hang, Subject};
use crate::tally::add;
use crate::troupe::Troupe;
use crate::violation::Violation;

pub(crate) fn run(job: &Job, subject: &mut dyn Subject) -> Result<(), Hang> {
    let mut rng = job.rng();
    let mut troupe = Troupe::new(job);
    troupe.fill(1..=job.scene.players, |_| crate::child::Birth::Plain, || rng.next())?;
    while job.goes_on() {
        let outcome = round(job, subject, &mut troupe, &mut rng);
        job.report_hang(subject, outcome)?;
    }
    Ok(())
}

fn round(
    job: &Job,
    subject: &mut dyn Subject,
    troupe: &mut Troupe<'_>,
    rng: &mut Rng,
) -> Result<(), Hang> {
    troupe.gather()?;
    subject.prepare(job.scene)?;
    troupe.begin(0)?;
    rng.pause(job.scene.pause);
    let living: Vec<usize> = troupe.living().collect();
    let seat = living[rng.below(living.len() as u64) as usize];
    let player = troupe.player(seat).ok_or_else(|| Hang("no player".to_owned()))?;
    player.signal(libc::SIGSTOP);
    if player.wait(job.limit) != Some(State::Stopped(libc::SIGSTOP)) {
        return Err(Hang(format!("seat {seat} does not stop")));
    }
    let at = job.control().seats[seat].at();
    let row = (job.scene.row)(at);
    if at.is_inside() {
        if !subject.is_kept_by(seat) {
            let details = format!("seat {seat}, {at:?}, was stopped, and robbed");
            job.control().violations.report(Violation::Stolen, &details);
        }
    } else {
        std::thread::sleep(Duration::from_micros(rng.below(3000)));
    }
    let resumed = Instant::now();
    if let Some(player) = troupe.player(seat) {
        player.signal(libc::SIGCONT);
    }
    subject.relent();
    subject.finish();
    troupe.end()?;
    subject.check(&[])?;
    match row {
        None => add(&job.tally().missed, 1),
        Some(at) => {
            let row = &job.tally().rows[at];
            add(&row.rounds, 1);
            add(&row.clean, 1);
            row.recovered(resumed.elapsed());
        }
    }
    job.settle(row.unwrap_or(0));
    Ok(())
}
