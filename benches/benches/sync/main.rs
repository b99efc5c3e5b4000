//! ndshm-sync's primitives beside their rivals, with real processes on processors of their own.
//!
//! `cargo bench -p ndshm-benches`. What follows `--`: first a part of a group's name, to run those
//! only; `--quick` measures less; `--test` runs everything once, with its checks.

use std::time::Duration;

use criterion::Criterion;
use ndshm_benches::cpus;
use ndshm_testkit::skip;

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
use contest::{Crews, Rival, Wish, hog};
use crew::{Crew, MOST, Prepare};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let has = |name: &str| arguments.iter().any(|a| a == name);
    let wish = Wish {
        filter: arguments.iter().find(|a| !a.starts_with('-')).cloned(),
        tables: !has("--test") && !has("--list") && !has("--profile-time"),
        quick: has("--quick"),
    };
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

    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(100))
        .measurement_time(Duration::from_millis(500))
        .sample_size(10)
        .configure_from_args();
    let mut verdicts = Vec::new();
    for contest in &contests {
        if two || contest.parties == 1 {
            verdicts.extend(contest.hold(&mut criterion, rivals, &crews, &wish));
        } else {
            skip(&contest.group, "this process may use one processor only");
        }
    }
    criterion.final_summary();
    if !verdicts.is_empty() {
        println!("\ntargets:");
        verdicts.iter().for_each(|v| println!("{v}"));
    }
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
