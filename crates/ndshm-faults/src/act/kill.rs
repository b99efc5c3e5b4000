//! SIGKILL at random moments.

use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

use ndshm_testkit::Rng;

use crate::child::Birth;
use crate::job::Job;
use crate::ledger;
use crate::scene::{Act, Dead, Hang, Subject};
use crate::stage::{Death, ORPHANER};
use crate::tally::add;
use crate::troupe::{Player, Troupe};

/// Of a hundred rounds, those in which the survivor takes part.
pub(super) const ASSISTED: u64 = 97;

pub(crate) fn run(job: &Job, subject: &mut dyn Subject) -> Result<(), Hang> {
    let mut rng = job.rng();
    let mut troupe = Troupe::new(job);
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
    let scene = job.scene;
    let mut dead = Vec::new();
    let mut heir = None;
    if scene.orphaned {
        let (one, pid) = orphan(job, rng)?;
        dead.push(one);
        heir = (job.act == Act::Recycled).then_some(pid);
    }
    let birth = |seat| match heir {
        Some(pid) if seat == 1 => Birth::Pid(pid),
        _ if job.act == Act::Namespaces => Birth::Namespace,
        _ => Birth::Plain,
    };
    troupe.fill(1..=scene.players, birth, || rng.next())?;
    let recycled = heir.is_none() || troupe.player(1).map(|one| one.pid()) == heir;
    troupe.gather()?;
    subject.prepare(scene)?;
    // Mostly one is enough: who is late on a full machine keeps nobody from being killed.
    let late = match scene.players as u64 {
        _ if scene.together => 0,
        players if rng.chance(75) => players - 1,
        players => rng.below(players),
    };
    troupe.begin(late as usize)?;

    let kills = 1 + rng.below(scene.kills as u64);
    let relents_before = rng.below(kills + 1);
    let mut first = None;
    let mut dying = Vec::new();
    for kill in 0..kills {
        if kill == relents_before {
            subject.relent();
        }
        rng.pause(scene.pause);
        let begun: Vec<usize> = troupe.begun().collect();
        // The one that has another's process id has to make room for the next.
        let chosen = if heir.is_some() && kill == 0 { 1 } else { pick(rng, &begun) };
        let Some(mut victim) = troupe.take(chosen) else { break };
        first.get_or_insert_with(Instant::now);
        // Sometimes others begin to recover while it is still dying.
        if rng.chance(50) {
            kill_now(job, &mut victim)?;
        } else {
            victim.child.signal(libc::SIGKILL);
        }
        dying.push((chosen, victim));
    }
    for (seat, mut victim) in dying {
        kill_now(job, &mut victim)?;
        dead.push(job.dead(seat));
        if job.act == Act::Storm {
            let signals = job.control().seats[seat].signals.swap(0, SeqCst);
            add(&job.tally().signals, signals);
            let micros = victim.born.elapsed().as_micros();
            add(&job.tally().signalled, u64::try_from(micros).unwrap_or(0));
        }
    }
    subject.relent();
    subject.finish();
    if rng.chance(ASSISTED) {
        subject.assist()?;
    }
    troupe.end()?;
    let told = subject.check(&dead)?;
    let took = first.map_or(Duration::ZERO, |at| at.elapsed());
    count(job, &dead, &told, took, recycled);
    if job.act == Act::Forks {
        troupe.reap_strays();
    }
    Ok(())
}

fn pick(rng: &mut Rng, begun: &[usize]) -> usize {
    begun.get(rng.below(begun.len().max(1) as u64) as usize).copied().unwrap_or(1)
}

fn kill_now(job: &Job, victim: &mut Player) -> Result<(), Hang> {
    if victim.child.kill(job.limit) {
        return Ok(());
    }
    Err(Hang(format!("process {} does not die", victim.child.pid())))
}

/// One that died in the middle of its turn, and its process id.
pub(super) fn orphan(job: &Job, rng: &mut Rng) -> Result<(Dead, libc::pid_t), Hang> {
    let step = 1 + rng.below(ledger::WRITES as u64) as u8;
    let death = Death { step, after: Duration::ZERO };
    let mut child = job.orphan(death).map_err(|e| Hang(format!("cannot start one: {e}")))?;
    let pid = child.pid();
    if child.wait(job.limit) != Some(crate::child::State::Killed(libc::SIGKILL)) {
        return Err(Hang("who was to die with it did not come that far".to_owned()));
    }
    Ok((job.dead(ORPHANER), pid))
}

/// Counts the deaths of the players, each in its row.
fn count(job: &Job, dead: &[Dead], told: &[bool], took: Duration, meant: bool) {
    let mut settled = None;
    for (one, &told) in dead.iter().zip(told).filter(|(one, _)| one.seat != ORPHANER) {
        match (job.scene.row)(one.at).filter(|_| meant) {
            None => add(&job.tally().missed, 1),
            Some(at) => {
                let row = &job.tally().rows[at];
                add(&row.rounds, 1);
                add(if told { &row.poisoned } else { &row.clean }, 1);
                row.recovered(took);
                settled.get_or_insert(at);
            }
        }
    }
    job.settle(settled.unwrap_or(0));
}
