//! Big memory: what its first touch costs, by whichever way it is got, and what it is like afterwards.
//!
//! `cargo bench -p ndshm-benches --bench memory`. What follows `--`: first a part of a group's name, to run that only;
//! `--quick` measures less, with a quarter of the memory; `--test` runs everything once, with little. 2 GiB of memory
//! have to be free. On a busy machine, `NDSHM_BENCH_BUSY=1` has processor time of this process measured instead of the
//! time that passes: of two processes it then shows what one had to do, of two threads what both had.

use ndshm_benches::Target::{AtLeast, AtMost};
use ndshm_benches::{Contest, Session, busy, now};

mod access;
mod plain;
mod prefault;

use prefault::{Clock, HUGE, HUGE_BY_TWO, REFUSED, Supply, TOUCH};

const GIB: usize = 1 << 30;

const COLLAPSED: &str = "a huge page takes 0.24 ms here where the machine has it, nearly all of it zeroing, and 3.5 ms where the hypervisor must first supply it; the same 2 MiB in small pages take 1.2 ms";

fn main() {
    let mut session = Session::from_args();
    let (len, rounds) = match (session.has_turns(), session.is_quick()) {
        (true, false) => (GIB, 9),
        (true, true) => (GIB / 8, 3),
        (false, _) => (GIB / 2, 1),
    };
    let clock = if std::env::var_os("NDSHM_BENCH_BUSY").is_some() { busy } else { now };
    for make in [at_hand, as_it_comes, random, attach] {
        // Made when its turn comes: the memory of one is not to be in the way of another.
        let mut contest = make(len / 16, 1, clock);
        if session.wants(contest.group()) {
            // For its history, with less memory; the turns decide.
            session.by_criterion(&mut contest);
            drop(contest);
            let mebibytes = format!("{} MiB", len >> 20);
            session.in_turns(&mut make(len, rounds, clock).setting(mebibytes));
        }
    }
    session.end();
}

/// Create, get and fill.
fn at_hand(len: usize, rounds: usize, clock: Clock) -> Contest<'static> {
    let contenders = prefault::contenders(len, clock, Supply::AtHand);
    let promises = [
        AtMost(0.2, &[TOUCH]).of(HUGE).because(COLLAPSED),
        AtMost(0.15, &[TOUCH]).of(HUGE_BY_TWO).because(COLLAPSED),
        AtMost(1.05, &[TOUCH]).of(REFUSED),
    ];
    Contest::new("prefault, huge pages at hand", TOUCH, contenders)
        .promising(promises)
        .one_by_one(rounds)
}

fn as_it_comes(len: usize, rounds: usize, clock: Clock) -> Contest<'static> {
    let contenders = prefault::contenders(len, clock, Supply::AsItComes);
    Contest::new("prefault, as it comes", TOUCH, contenders)
        .promising([AtMost(1.05, &[TOUCH]).of(HUGE), AtMost(1.05, &[TOUCH]).of(REFUSED)])
        .one_by_one(rounds)
}

fn random(len: usize, rounds: usize, clock: Clock) -> Contest<'static> {
    let contenders = access::random(len, clock);
    Contest::new("prefault, random loads afterwards", access::SMALL, contenders)
        .promising([AtLeast(1.1, &[access::SMALL]).of(access::HUGE)])
        .one_by_one(rounds)
}

fn attach(len: usize, rounds: usize, clock: Clock) -> Contest<'static> {
    let contenders = access::attach(len, clock);
    Contest::new("prefault, another process looks at all of it", access::SMALL, contenders)
        .promising([AtMost(0.5, &[access::SMALL]).of(access::HUGE)])
        .one_by_one(rounds)
}
