//! Starting a job, and being a rank of one.

use std::time::Duration;

use mpi::environment::Universe;
use ndshm_mpi::Nodes;
use ndshm_testkit::{Role, arguments};

/// Seconds after which a job is killed, and its test fails.
const LIMIT: &str = "60";

/// After which even that has failed.
const FAR_TOO_LONG: Duration = Duration::from_secs(80);

/// The numbers of ranks, and of ranks that are a node.
pub(crate) const JOBS: [(usize, usize); 6] = [(1, 1), (2, 1), (2, 2), (4, 1), (4, 2), (4, 4)];

/// The command that starts so many ranks.
pub(crate) fn mpirun(ranks: usize) -> Vec<String> {
    let ranks = ranks.to_string();
    let mpirun = ["timeout", "-k", "5", LIMIT, "mpirun", "-np", &ranks];
    let flags = ["--oversubscribe", "--allow-run-as-root", "--bind-to", "none", "-q"];
    // No network: the ranks are on this machine.
    let local = ["--mca", "btl", "self,vader", "--mca", "btl_vader_single_copy_mechanism", "none"];
    [&mpirun[..], &flags[..], &local[..]].concat().into_iter().map(str::to_owned).collect()
}

/// That role with so many ranks, as nodes of that size.
pub(crate) fn job(role: &str, ranks: usize, node_size: usize) -> Role {
    let words = mpirun(ranks);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    Role::new(role).under(&words).arg(node_size)
}

/// Runs that role, as all jobs, to its good end.
pub(crate) fn all_jobs(role: &str) {
    for (ranks, node_size) in JOBS {
        ends_well(job(role, ranks, node_size), &format!("{role} by {ranks}, nodes of {node_size}"));
    }
}

pub(crate) fn ends_well(role: Role, what: &str) {
    let status = role.spawn().wait(FAR_TOO_LONG);
    assert!(status.success(), "{what}: {status}");
}

/// What a rank begins with. MPI ends when the first is dropped.
pub(crate) fn rank() -> (Universe, Nodes) {
    let universe = ndshm_mpi::init().unwrap();
    let nodes = Nodes::options()
        .of_size(node_size())
        .timeout(Duration::from_secs(12))
        .create(&universe.world())
        .unwrap();
    (universe, nodes)
}

pub(crate) fn node_size() -> usize {
    arguments()[0].parse().unwrap()
}

/// The same random numbers at every rank.
pub(crate) fn argument(index: usize) -> u64 {
    arguments()[index].parse().unwrap()
}
