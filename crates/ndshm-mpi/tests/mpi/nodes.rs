//! Which ranks are a node, and how they agree.

use std::time::{Duration, Instant};

use mpi::traits::Communicator;
use ndshm_mpi::{Error, Nodes};
use ndshm_testkit::one_line;

use crate::job::{all_jobs, ends_well, job, node_size, rank};

pub(crate) fn ranks_are_grouped() {
    all_jobs("nodes::grouping");
}

pub(crate) fn grouping() {
    let (universe, nodes) = rank();
    let world = universe.world();
    let (rank, size) = (world.rank() as usize, world.size() as usize);
    let node_size = node_size();
    assert_eq!((nodes.rank(), nodes.size()), (rank, size));
    assert_eq!((nodes.node(), nodes.len()), (rank / node_size, size / node_size));
    assert_eq!((nodes.local_rank(), nodes.local_size()), (rank % node_size, node_size));
    assert_eq!(nodes.is_leader(), rank % node_size == 0);
    assert_eq!(nodes.sizes(), vec![node_size; size / node_size]);
    assert_eq!(nodes.is_partial(), node_size < size);
    let mine: Vec<_> = (nodes.node() * node_size..).take(node_size).collect();
    assert_eq!(nodes.ranks_of(nodes.node()), mine);
    assert_eq!(nodes.ranks_of(nodes.len()), []);
    assert_eq!(nodes.node_of(rank).unwrap(), nodes.node());
    assert!(matches!(nodes.node_of(size), Err(Error::NoSuchRank { .. })));

    let whole = Nodes::new(&world).unwrap(); // all are on this machine
    assert_eq!((whole.len(), whole.local_size(), whole.is_partial()), (1, size, false));
    // The other way round: odd ones and even ones.
    let colours = Nodes::options().colour(rank % 2).create(&world).unwrap();
    assert_eq!((colours.node(), colours.local_rank()), (rank % 2, rank / 2));
    colours.barrier().unwrap();
    // The rest is a smaller node.
    let uneven = Nodes::of_size(&world, 3).unwrap();
    assert_eq!(uneven.local_size(), if rank < 3 { size.min(3) } else { size - 3 });
    for _ in 0..100 {
        uneven.barrier().unwrap();
        nodes.local_barrier().unwrap();
    }
}

pub(crate) fn disagreements_are_refused_everywhere() {
    for node_size in [1, 2] {
        ends_well(job("nodes::refusals", 4, node_size), "disagreements");
    }
}

pub(crate) fn refusals() {
    let (universe, nodes) = rank();
    let world = universe.world();
    // Rank 2 runs another version of the program.
    let version = if nodes.rank() == 2 { "1.1" } else { "1.0" };
    let refused = Nodes::options().application(version).create(&world).unwrap_err();
    one_line(&refused, &["rank 0 says", "; 1.0\"", "rank 2 says", "; 1.1\"", "ndshm-mpi 0.1.0"]);
    assert!(matches!(refused, Error::Differs { values, .. } if values.len() == 2));

    let size = if nodes.rank() == 3 { 2 } else { 1 };
    let refused = Nodes::of_size(&world, size).unwrap_err();
    one_line(&refused, &["rank 0 says", "nodes of 1", "rank 3 says", "nodes of 2"]);
    let refused = Nodes::of_size(&world, 0).unwrap_err();
    assert!(matches!(refused, Error::NodeSize { size: 0 }));

    let refused = nodes.same("the number of steps", nodes.rank() / 2).unwrap_err();
    one_line(&refused, &["the number of steps", "rank 0 says 0", "rank 2 says 1"]);
    nodes.same("the number of steps", 7).unwrap();
    nodes.barrier().unwrap();
}

pub(crate) fn nobody_goes_on_where_one_failed() {
    all_jobs("nodes::errors_of_one_are_those_of_all");
}

pub(crate) fn errors_of_one_are_those_of_all() {
    let (_universe, nodes) = rank();
    for failing in 0..nodes.size() {
        let mine = if nodes.rank() == failing { Err(format!("number {failing}")) } else { Ok(()) };
        let told = nodes.agree(mine).unwrap_err();
        let said = format!("number {failing}");
        assert!(
            matches!(&told, Error::Rank { rank, message } if *rank == failing && *message == said)
        );
    }
    // Two at once: all are told of the same one.
    let told = nodes.agree::<(), _>(Err(nodes.rank())).unwrap_err();
    let Error::Rank { rank, message } = &told else { panic!("{told}") };
    assert_eq!(*message, rank.to_string());
    nodes.same("who failed", rank).unwrap();
    // A text that is longer than what is kept of it.
    let long = "ä".repeat(1000);
    let told = nodes.agree::<(), _>(Err(&long)).unwrap_err();
    assert!(
        matches!(told, Error::Rank { message, .. } if long.starts_with(&message) || message == long)
    );
    assert_eq!(nodes.agree(Ok::<_, String>(nodes.rank())).unwrap(), nodes.rank());
}

pub(crate) fn who_is_late_is_named() {
    ends_well(job("nodes::late", 2, 2), "late, on one node");
    ends_well(job("nodes::late", 2, 1), "late, on two");
}

/// Rank 1 comes when nobody waits for it any more.
pub(crate) fn late() {
    let universe = ndshm_mpi::init().unwrap();
    let options = Nodes::options().of_size(node_size()).timeout(Duration::from_millis(300));
    let nodes = options.create(&universe.world()).unwrap();
    nodes.barrier().unwrap();
    let start = Instant::now();
    if nodes.rank() == 1 {
        std::thread::sleep(Duration::from_millis(1500));
    }
    let told = nodes.barrier();
    match (nodes.rank(), nodes.local_size(), told) {
        (0, 2, Err(Error::Lost { node: 0, ranks, .. })) => assert_eq!(ranks, [1]),
        (1, 2, Err(Error::Lost { ranks, .. })) => assert_eq!(ranks, [1]),
        (0, 1, Err(Error::TimedOut { .. })) => {}
        // What the other had sent is there; nothing follows it.
        (1, 1, Ok(())) => {}
        (rank, size, told) => panic!("rank {rank}, nodes of {size}: {told:?}"),
    }
    let took = start.elapsed();
    assert!(matches!(nodes.barrier(), Err(Error::Broken { .. } | Error::TimedOut { .. })));
    assert!(nodes.rank() == 1 || took < Duration::from_millis(1200), "{took:?}");
}

pub(crate) fn who_left_is_named() {
    ends_well(job("nodes::leaving", 4, 4), "leaving");
}

pub(crate) fn leaving() {
    let (_universe, nodes) = rank();
    if nodes.rank() == 2 {
        return;
    }
    let start = Instant::now();
    let Err(Error::Lost { node: 0, ranks, .. }) = nodes.barrier() else { panic!("rank 2 left") };
    assert!(ranks.contains(&2), "{ranks:?}"); // and those who were told before, and left, too
    assert!(start.elapsed() < Duration::from_secs(5));
}
