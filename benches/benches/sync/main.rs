//! ndshm-sync's primitives beside their rivals, with real processes on processors of their own.
//!
//! `cargo bench -p ndshm-benches`. What follows `--`: first a part of a group's name, to run those
//! only; `--quick` measures less; `--test` runs everything once, with its checks.

use ndshm_benches::{Session, absent, cpus};

mod arena;
mod barrier;
mod boost;
mod condvar;
mod contest;
mod crew;
mod event;
mod mutex;
mod ours;
mod ping_pong;
mod posix;
mod rwlock;
mod semaphore;
mod transfer;

use arena::Arena;
use contest::{Crews, Rival, hog};
use crew::{Crew, MOST, Prepare};

fn main() {
    let arena = Arena::create();
    let (mut rivals, mut contests) = (Vec::new(), Vec::new());
    mutex::enter(arena, &mut rivals, &mut contests);
    rwlock::enter(arena, &mut rivals, &mut contests);
    barrier::enter(arena, &mut rivals, &mut contests);
    event::enter(arena, &mut rivals, &mut contests);
    condvar::enter(arena, &mut rivals, &mut contests);
    semaphore::enter(arena, &mut rivals, &mut contests);
    transfer::enter(arena, &mut rivals, &mut contests);
    let rivals: &'static [Rival] = rivals.leak();
    let crews = muster(arena, rivals);
    let two = crews.cpus.len() >= 2;

    let mut session = Session::from_args();
    for contest in &contests {
        if two || contest.parties == 1 {
            contest.hold(&mut session, rivals, &crews);
        } else {
            absent(&contest.group, "this process may use one processor only");
        }
    }
    session.end();
}

/// Parties for all that is to be measured. Called while there is one thread.
fn muster(arena: &'static Arena, rivals: &'static [Rival]) -> Crews {
    let jobs: Vec<&'static Prepare> = rivals.iter().map(|r| &r.prepare).collect();
    let jobs: &'static [&'static Prepare] = jobs.leak();
    let cpus = cpus();
    // SAFETY: `main` has started no thread yet, and a library of Boost's has none.
    let processes = unsafe { Crew::processes(arena, MOST, jobs) };
    let hog: &'static Prepare = Box::leak(Box::new(hog()));
    // SAFETY: the same.
    let hogs = unsafe { Crew::processes(arena, cpus.len().min(MOST), &[hog]) };
    let threads = Crew::threads(arena, MOST, jobs);
    Crews { processes, threads, hogs, cpus }
}
