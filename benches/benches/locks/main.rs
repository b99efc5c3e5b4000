//! The mutex beside its rivals, with real processes on processors of their own.
//!
//! `cargo bench -p ndshm-benches --bench locks`. The uncontended word lies in a memfd that a
//! second, living process has mapped and joined; the contended one is fought for by two processes.

use std::sync::atomic::Ordering::{Acquire, Release};
use std::thread;
use std::time::Duration;

use criterion::Criterion;
use ndshm_benches::{Contender, cpus, interleaved, pin};
use ndshm_testkit::{arguments, die_with_parent, role, skip, until};

mod arena;
mod peer;
mod pthread;
mod rivals;

use arena::Arena;
use peer::{Peer, obey};
use rivals::{Ndshm, ParkingLot, Pthread, RawSync, Std, increments};

/// Nothing here should take as long.
const LIMIT: Duration = Duration::from_secs(20);

/// The word of [`Arena::order`] that the second member sets when it has joined.
const WITNESS: usize = 30;

const TARGET: f64 = 1.1;

fn main() {
    match role().as_deref() {
        Some("witness") => return witness(),
        Some("fighter") => return fighter(),
        _ => {}
    }
    let cpus = cpus();
    let (here, there) = (cpus[0], *cpus.last().expect("there is one"));
    pin(here);
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_millis(1200))
        .sample_size(40)
        .configure_from_args();
    let compare = !std::env::args().any(|a| a == "--test" || a == "--list");

    let arena = Arena::create();
    let locks = Locks::new(arena);
    let witness = arena.role("witness").arg(there).spawn();
    until("the second member joins", LIMIT, || arena.order(WITNESS).load(Acquire) == 1);
    uncontended(&mut criterion, &locks, compare);
    drop(witness);

    if here == there {
        skip("mutex contended", "this process may use one processor only");
    } else {
        contended(&mut criterion, arena, &locks, there, compare);
    }
    criterion.final_summary();
}

/// A child inherits the one processor that its parent is pinned to.
fn pin_as_told() {
    pin(arguments()[0].parse().expect("the first argument is a processor"));
}

/// The second member: it joins, and lives.
fn witness() {
    die_with_parent();
    pin_as_told();
    let arena = Arena::inherited();
    let _lock = Ndshm::new(arena.join());
    arena.order(WITNESS).store(1, Release);
    loop {
        thread::park();
    }
}

/// Contends for the lock that it is told.
fn fighter() {
    die_with_parent();
    pin_as_told();
    let arena = Arena::inherited();
    let lane = arguments()[1].parse().expect("the second argument is a lane");
    match arguments()[2].as_str() {
        NDSHM => obey(arena, lane, &Ndshm::new(arena.join())),
        PTHREAD => obey(arena, lane, &Pthread::existing(arena, false)),
        ROBUST => obey(arena, lane, &Pthread::existing(arena, true)),
        RAW_SYNC => obey(arena, lane, &RawSync::existing(arena)),
        other => panic!("no lock is named {other}"),
    }
}

const NDSHM: &str = "ndshm";
const PARKING_LOT: &str = "parking_lot";
const STD: &str = "std";
const PTHREAD: &str = "pthread pshared";
const ROBUST: &str = "pthread pshared robust";
const RAW_SYNC: &str = "raw_sync";

struct Locks {
    ndshm: Ndshm,
    parking_lot: ParkingLot,
    std: Std,
    pthread: Pthread,
    robust: Pthread,
    raw_sync: RawSync,
}

impl Locks {
    fn new(arena: &'static Arena) -> Self {
        Self {
            ndshm: Ndshm::new(arena.join()),
            parking_lot: ParkingLot::default(),
            std: Std::default(),
            pthread: Pthread::create(arena, false),
            robust: Pthread::create(arena, true),
            raw_sync: RawSync::create(arena),
        }
    }
}

fn uncontended(criterion: &mut Criterion, locks: &Locks, compare: bool) {
    let mut contenders: [Contender<'_>; 6] = [
        (NDSHM, Box::new(|n| increments(&locks.ndshm, n))),
        (PARKING_LOT, Box::new(|n| increments(&locks.parking_lot, n))),
        (STD, Box::new(|n| increments(&locks.std, n))),
        (PTHREAD, Box::new(|n| increments(&locks.pthread, n))),
        (ROBUST, Box::new(|n| increments(&locks.robust, n))),
        (RAW_SYNC, Box::new(|n| increments(&locks.raw_sync, n))),
    ];
    let mut group = criterion.benchmark_group("mutex uncontended");
    for (name, run) in &mut contenders {
        group.bench_function(*name, |b| b.iter_custom(&mut *run));
    }
    group.finish();
    if compare {
        let title = "mutex uncontended: lock + increment + unlock";
        let ratio = interleaved(title, PARKING_LOT, Duration::from_micros(500), &mut contenders);
        let verdict = if ratio <= TARGET { "met" } else { "missed" };
        println!("target: at most {TARGET} x parking_lot: {verdict} ({ratio:.3})\n");
    }
}

fn contended(
    criterion: &mut Criterion,
    arena: &'static Arena,
    locks: &Locks,
    there: usize,
    compare: bool,
) {
    // All at once; those whose turn it is not sleep.
    let fighter = |lane: usize, name: &str| {
        Peer::process(arena, lane, arena.role("fighter").arg(there).arg(lane).arg(name))
    };
    let mut ndshm = fighter(0, NDSHM);
    let mut pthread = fighter(1, PTHREAD);
    let mut robust = fighter(2, ROBUST);
    let mut raw_sync = fighter(3, RAW_SYNC);
    let lock = locks.parking_lot.clone();
    let mut parking_lot = Peer::thread(arena, 4, move || {
        pin(there);
        obey(arena, 4, &lock);
    });
    let lock = locks.std.clone();
    let mut std = Peer::thread(arena, 5, move || {
        pin(there);
        obey(arena, 5, &lock);
    });

    let mut contenders: [Contender<'_>; 6] = [
        (NDSHM, Box::new(|n| ndshm.together(&locks.ndshm, n))),
        (PARKING_LOT, Box::new(|n| parking_lot.together(&locks.parking_lot, n))),
        (STD, Box::new(|n| std.together(&locks.std, n))),
        (PTHREAD, Box::new(|n| pthread.together(&locks.pthread, n))),
        (ROBUST, Box::new(|n| robust.together(&locks.robust, n))),
        (RAW_SYNC, Box::new(|n| raw_sync.together(&locks.raw_sync, n))),
    ];
    let mut group = criterion.benchmark_group("mutex contended by 2");
    for (name, run) in &mut contenders {
        group.bench_function(*name, |b| b.iter_custom(&mut *run));
    }
    group.finish();
    if compare {
        let title =
            "mutex contended by 2 on 2 processors (parking_lot and std: threads), per increment";
        interleaved(title, PARKING_LOT, Duration::from_millis(3), &mut contenders);
    }
}
