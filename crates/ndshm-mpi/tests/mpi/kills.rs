//! A rank that is killed at work.

use std::time::{Duration, Instant};

use ndarray::Ix2;
use ndshm_array::SharedArray2;
use ndshm_mpi::{DistArray, NodeArray, Reduction, Sum};
use ndshm_testkit::{Rng, arguments, scratch};

use crate::job::{JOBS, argument, job, rank};

/// Within that a job ends: what the launcher takes to see a death, and a little.
const SOON: Duration = Duration::from_secs(20);

pub(crate) fn a_killed_rank_ends_the_job_and_leaves_nothing() {
    let mut rng = Rng::of_this_run();
    let folder = scratch();
    for (ranks, node_size) in JOBS.into_iter().filter(|(ranks, _)| *ranks > 1) {
        let victim = rng.below(ranks as u64);
        let after = 20 + rng.below(300);
        let role = job("kills::at_work", ranks, node_size)
            .arg(victim)
            .arg(after)
            .arg(folder.path().display());
        let start = Instant::now();
        let status = role.spawn().wait(SOON + Duration::from_secs(60));
        let what =
            format!("rank {victim} of {ranks}, nodes of {node_size}, after {after} ms: {status}");
        assert!(!status.success() && status.code() != Some(124), "{what}");
        assert!(start.elapsed() < SOON, "{what}, took {:?}", start.elapsed());
    }
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

pub(crate) fn at_work() {
    let (_universe, nodes) = rank();
    let (victim, after) = (argument(1) as usize, argument(2));
    let memory = SharedArray2::<f64>::options().dir(&arguments()[3]);
    let options = DistArray::<f64, Ix2>::options(&nodes).halo([1, 1]).memory(memory);
    let a = options.zeros((64, 64)).unwrap();
    let table = NodeArray::<f64, Ix2>::zeros(&nodes, (64, 64)).unwrap();
    let sums = Reduction::<f64, Ix2>::zeros(&nodes, (64, 64)).unwrap();
    let start = Instant::now();
    loop {
        if nodes.rank() == victim && start.elapsed() > Duration::from_millis(after) {
            let pid = std::process::id().to_string();
            std::process::Command::new("kill").args(["-KILL", &pid]).status().unwrap();
        }
        // Whoever is told of the death before the launcher ends it all has no more to do.
        let done =
            a.exchange().and_then(|()| table.broadcast(0)).and_then(|()| sums.allreduce(Sum));
        let done = done.and_then(|()| a.allreduce(Sum));
        if let Err(e) = done {
            eprintln!("rank {}: {e}", nodes.rank());
            std::process::exit(3);
        }
    }
}
