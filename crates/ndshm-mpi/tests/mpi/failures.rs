//! What follows where an operation fails at some ranks, or ends for them before others come.

use std::process::Command;
use std::time::{Duration, Instant};

use mpi::Threading;
use mpi::topology::Color;
use mpi::traits::Communicator;
use ndarray::{Ix1, Ix2};
use ndshm_mpi::{DistArray, Error, NodeArray, Nodes, Reduction, Sum};
use ndshm_testkit::one_line;

use crate::job::{ends_well, job, node_size, rank};

const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// Nodes that give up soon.
fn hasty(world: &impl Communicator, timeout: Duration) -> Nodes {
    Nodes::options().of_size(node_size()).timeout(timeout).create(world).unwrap()
}

pub(crate) fn nothing_of_a_failed_transfer_is_taken_for_the_next() {
    ends_well(job("failures::posting", 2, 1), "posting");
}

/// One node asks for what MPI cannot describe: an axis of its own memory is longer than an `int`.
pub(crate) fn posting() {
    let (_universe, nodes) = rank();
    let of = |value| {
        let a = DistArray::<u8, Ix2>::zeros(&nodes, (4, 64)).unwrap();
        a.claim_band_mut().unwrap().fill(value);
        a
    };
    let (a, b) = (of(1), of(2));
    let wide = NodeArray::<u8, Ix2>::zeros(&nodes, (2, (1 << 31) + 8)).unwrap();
    let small = NodeArray::<u8, Ix2>::zeros(&nodes, (4, 64)).unwrap();
    let start = Instant::now();
    for failing in [0..2, 1..2] {
        let part = if failing.contains(&nodes.node()) { [1..3, 0..64] } else { [1..2, 0..64] };
        let refused = a.copy_to_nodes(&part, &wide).unwrap_err();
        match failing.contains(&nodes.node()) {
            true => assert!(matches!(refused, Error::TooLong { .. }), "{refused}"),
            false => assert!(matches!(refused, Error::Rank { rank: 1, .. }), "{refused}"),
        }
        b.copy_to_nodes(&[0..4, 0..64], &small).unwrap();
        assert!(small.read().unwrap().iter().all(|x| *x == 2), "what another operation sent");
        nodes.barrier().unwrap();
    }
    assert!(start.elapsed() < Duration::from_secs(6), "{:?}", start.elapsed());
}

pub(crate) fn nobody_is_out_of_step() {
    ends_well(job("failures::step", 2, 1), "out of step");
}

/// Rank 1 comes to its broadcast when rank 0 has gone on to something else.
pub(crate) fn step() {
    let universe = ndshm_mpi::init().unwrap();
    let nodes = hasty(&universe.world(), ms(200));
    let a = NodeArray::<f64, Ix1>::zeros(&nodes, 1).unwrap();
    if nodes.rank() == 1 {
        a.write().unwrap().fill(41.0);
        std::thread::sleep(ms(900));
        // It may have got what the other had sent; not what it sends later.
        let _ = a.broadcast(1);
        nodes.allreduce(1.0, Sum).unwrap_err();
        return;
    }
    let refused = a.broadcast(1).unwrap_err();
    assert!(matches!(refused, Error::TimedOut { .. }), "{refused}");
    std::thread::sleep(ms(300));
    let broken = |e: Error| {
        one_line(&e, &["nothing came from other nodes"]);
        assert!(matches!(e, Error::Broken { .. }), "{e}");
    };
    let start = Instant::now();
    broken(nodes.allreduce(1.0, Sum).unwrap_err());
    broken(nodes.barrier().unwrap_err());
    broken(nodes.same("anything", 1).unwrap_err());
    broken(a.broadcast(1).unwrap_err());
    broken(NodeArray::<f64, Ix1>::zeros(&nodes, 1).unwrap_err());
    assert!(start.elapsed() < ms(100), "{:?}", start.elapsed());
    assert_eq!(nodes.ranks_of(1), [1]);
}

pub(crate) fn the_late_one_is_blamed_on_all_nodes() {
    ends_well(job("failures::late", 4, 2), "late, on another node");
}

pub(crate) fn late() {
    let universe = ndshm_mpi::init().unwrap();
    let nodes = hasty(&universe.world(), ms(400));
    nodes.barrier().unwrap();
    if nodes.rank() == 3 {
        std::thread::sleep(ms(2000));
    }
    let start = Instant::now();
    let told = nodes.barrier().unwrap_err();
    let Error::Lost { node: 1, ranks, .. } = &told else { panic!("{}: {told}", nodes.rank()) };
    assert_eq!(*ranks, [3], "{}: {told}", nodes.rank());
    assert!(start.elapsed() < ms(1600), "{:?}", start.elapsed());
    let refused = nodes.barrier().unwrap_err();
    assert!(matches!(refused, Error::Broken { .. }), "{refused}");
}

pub(crate) fn what_makes_progress_is_not_given_up() {
    ends_well(job("failures::long", 4, 2), "long");
}

/// Sixteen pieces by a leader that is stopped most of the time, together for longer than the time-out.
pub(crate) fn long() {
    let universe = ndshm_mpi::init().unwrap();
    let nodes = hasty(&universe.world(), ms(4000));
    let a = NodeArray::<u8, Ix1>::zeros(&nodes, 1 << 30).unwrap();
    nodes.barrier().unwrap();
    let mut hinder = (nodes.rank() == 0).then(|| {
        let turns =
            "for i in $(seq 40); do kill -STOP $0; sleep 0.15; kill -CONT $0; sleep 0.02; done";
        Command::new("sh").args(["-c", turns, &std::process::id().to_string()]).spawn().unwrap()
    });
    let told = a.broadcast(0);
    assert!(told.is_ok(), "rank {}: {told:?}", nodes.rank());
    // To its end: killed in the middle of a turn it would leave this process stopped.
    if let Some(hinder) = &mut hinder {
        hinder.wait().unwrap();
    }
}

pub(crate) fn what_one_rank_cannot_give_is_told_to_all() {
    ends_well(job("failures::refusals", 4, 1), "refusals");
    ends_well(job("failures::refusals", 4, 2), "refusals");
}

pub(crate) fn refusals() {
    let (universe, nodes) = rank();
    let first = nodes.rank() == 0;
    let start = Instant::now();
    // A colour that MPI does not have.
    let colour = if first { 1 << 40 } else { 0 };
    let refused = Nodes::options().colour(colour).create(&universe.world()).unwrap_err();
    assert_eq!(matches!(refused, Error::Colour { .. }), first, "{refused}");
    one_line(&refused, &["colour 1099511627776"]);
    // A root that there is not, at the ranks of one node.
    let a = Reduction::<f64, Ix1>::zeros(&nodes, 9).unwrap();
    let root = if nodes.node() == 0 { 9 } else { 0 };
    let refused = a.reduce(root, Sum).unwrap_err();
    one_line(&refused, &["there is no rank 9"]);
    assert_eq!(matches!(refused, Error::NoSuchRank { .. }), nodes.node() == 0, "{refused}");
    a.reduce(0, Sum).unwrap();
    assert!(start.elapsed() < Duration::from_secs(6), "{:?}", start.elapsed());
}

pub(crate) fn a_root_without_memory_says_so() {
    ends_well(job("failures::memory", 2, 1), "memory");
}

pub(crate) fn memory() {
    let (_universe, nodes) = rank();
    let a = DistArray::<u8, Ix1>::zeros(&nodes, 256 << 20).unwrap();
    if nodes.rank() == 1 {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let size = status.lines().find_map(|line| line.strip_prefix("VmSize:")).unwrap();
        let kib: u64 = size.trim().trim_end_matches(" kB").parse().unwrap();
        let limit = format!("--as={}:unlimited", (kib << 10) + (100 << 20));
        let pid = std::process::id().to_string();
        assert!(Command::new("prlimit").args(["--pid", &pid, &limit]).status().unwrap().success());
    }
    let refused = a.gather(1).unwrap_err();
    one_line(&refused, &["no memory for a whole array of 268435456 elements"]);
    assert_eq!(matches!(refused, Error::Memory { .. }), nodes.rank() == 1);
    assert!(a.gather(0).unwrap().is_some() == (nodes.rank() == 0));
}

pub(crate) fn what_comes_after_the_end_is_an_error() {
    ends_well(job("failures::finalised", 2, 1), "finalised");
}

pub(crate) fn finalised() {
    let (universe, nodes) = rank();
    let world = universe.world();
    let a = NodeArray::<f64, Ix1>::zeros(&nodes, 9).unwrap();
    let b = DistArray::<f64, Ix1>::options(&nodes).halo([1]).zeros(9).unwrap();
    let started = b.start_exchange().unwrap();
    nodes.barrier().unwrap();
    started.wait().unwrap();
    drop(universe);
    let ended = |e: Error| assert!(matches!(e, Error::Finalised), "{e}");
    ended(nodes.barrier().unwrap_err());
    ended(nodes.same("anything", 1).unwrap_err());
    ended(a.broadcast(0).unwrap_err());
    ended(b.gather(0).unwrap_err());
    ended(b.exchange().unwrap_err());
    ended(Nodes::new(&world).unwrap_err());
}

pub(crate) fn threads_that_may_meet_in_mpi_are_refused() {
    ends_well(job("failures::threads", 1, 1), "threads");
}

pub(crate) fn threads() {
    let (universe, level) = mpi::initialize_with_threading(Threading::Serialized).unwrap();
    assert_eq!(level, Threading::Serialized);
    let world = universe.world();
    let there = std::thread::scope(|s| {
        let make = || Nodes::new(&mpi::topology::SimpleCommunicator::world()).map(drop);
        s.spawn(make).join().unwrap()
    });
    let level = Threading::Serialized;
    assert!(matches!(there, Err(Error::Thread { level: l }) if l == level), "{there:?}");
    Nodes::new(&world).unwrap();
}

pub(crate) fn claims_bear_the_rank_in_the_job() {
    ends_well(job("failures::names", 2, 2), "names");
}

pub(crate) fn names() {
    let (universe, nodes) = rank();
    let world = universe.world();
    // In a part of the job the other is rank 0, too.
    let half = world.split_by_color(Color::with_value(world.rank())).unwrap();
    let _other = Nodes::new(&half).unwrap();
    let a = DistArray::<f64, Ix1>::zeros(&nodes, 16).unwrap();
    let kept = (nodes.rank() == 1).then(|| a.claim_band_mut().unwrap());
    nodes.barrier().unwrap();
    if nodes.rank() == 0 {
        let refused = a.array().write_timeout(ms(50)).map(drop).map_err(|e| e.without_guard());
        one_line(&refused.unwrap_err(), &["rank 1"]);
    }
    nodes.barrier().unwrap();
    drop(kept);
}

pub(crate) fn what_is_forgotten_keeps_its_communicator() {
    ends_well(job("failures::forgotten", 2, 1), "forgotten");
}

/// A message that is not there yet when its communicator goes.
pub(crate) fn forgotten() {
    let (universe, nodes) = rank();
    let options = DistArray::<f64, Ix2>::options(&nodes);
    let a = options.grid([2]).halo([1, 0]).zeros((8, 1_000_000)).unwrap();
    if nodes.rank() == 1 {
        std::thread::sleep(ms(300));
    }
    let request = a.start_exchange().unwrap();
    if nodes.rank() == 0 {
        std::mem::forget(request);
    } else {
        drop(request);
    }
    drop((a, nodes));
    let again = hasty(&universe.world(), Duration::from_secs(5));
    again.barrier().unwrap();
}
