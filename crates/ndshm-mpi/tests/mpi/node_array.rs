//! One copy per node.

use std::path::Path;

use ndarray::{Array, Ix2};
use ndshm_array::{ClaimError, SharedArray2};
use ndshm_mpi::{Error, NodeArray, Nodes};
use ndshm_testkit::{Name, one_line};

use crate::job::{all_jobs, ends_well, job, rank};

pub(crate) fn each_node_has_one_copy() {
    all_jobs("node_array::copies");
}

pub(crate) fn copies() {
    let (_universe, nodes) = rank();
    let a = NodeArray::<u64, Ix2>::zeros(&nodes, (300, 7)).unwrap();
    for root in 0..nodes.size() {
        let value = |i: usize, j: usize| (1000 * root + 10 * i + j) as u64;
        if nodes.rank() == root {
            a.write().unwrap().fill_with_index(|(i, j)| value(i, j));
        }
        a.broadcast(root).unwrap();
        let expected = Array::from_shape_fn((300, 7), |(i, j)| value(i, j));
        assert_eq!(*a.read().unwrap(), expected);
        nodes.barrier().unwrap();
    }
    // What one rank writes the others of its node see, and no other node.
    if nodes.is_leader() {
        a.write().unwrap().fill(nodes.node() as u64);
    }
    nodes.local_barrier().unwrap();
    assert_eq!(a.read().unwrap().sum(), 2100 * nodes.node() as u64);

    let root = nodes.size() - 1;
    let table = (nodes.rank() == root).then(|| Array::linspace(0.0, 1.0, 1001));
    let table = NodeArray::from_root(&nodes, root, table.as_deref()).unwrap();
    assert_eq!(table.read().unwrap()[500], 0.5);
    let big = NodeArray::from_shape_fn(&nodes, root, 10_000_000, |i| i as f64).unwrap(); // of two pieces
    assert_eq!(big.read().unwrap().last(), Some(&9_999_999.0));
    drop(big);
    named(&nodes);
}

fn named(nodes: &Nodes) {
    let name = format!("test-mpi-{}", nodes.size());
    let a = NodeArray::<f32, Ix2>::options(nodes).name(&name).zeros((2, 3)).unwrap();
    let full = if nodes.is_partial() { format!("{name}.{}", nodes.node()) } else { name };
    assert_eq!(a.name(), Some(&*full));
    // SAFETY: all who write to it do so through ndshm.
    let seen = unsafe { SharedArray2::<f32>::open(&full) }.unwrap();
    seen.write().unwrap().fill(1.0);
    nodes.local_barrier().unwrap();
    assert_eq!(a.read().unwrap().sum(), 6.0);
    nodes.barrier().unwrap();
    drop((a, seen));
    nodes.barrier().unwrap();
    assert!(!Path::new("/dev/shm").join(format!("ndshm.{full}")).exists());
}

pub(crate) fn what_differs_is_refused_everywhere() {
    let taken = Name::new("taken");
    let _a = SharedArray2::<f64>::options().name(&*taken).zeros((1, 1)).unwrap();
    for node_size in [2, 4] {
        ends_well(job("node_array::refusals", 4, node_size).arg(&*taken), "refusals");
    }
}

pub(crate) fn refusals() {
    let (_universe, nodes) = rank();
    let shape = if nodes.rank() == 3 { (4, 5) } else { (4, 4) };
    let refused = NodeArray::<f64, Ix2>::zeros(&nodes, shape).unwrap_err();
    one_line(&refused, &["rank 0 says float64 [4, 4]", "rank 3 says float64 [4, 5]"]);
    assert!(matches!(refused, Error::Differs { .. }));
    let refused = if nodes.rank() == 1 {
        NodeArray::<f32, Ix2>::zeros(&nodes, (4, 4)).map(drop)
    } else {
        NodeArray::<f64, Ix2>::zeros(&nodes, (4, 4)).map(drop)
    };
    one_line(&refused.unwrap_err(), &["rank 0 says float64", "rank 1 says float32"]);

    // Leaders that have no room, or no such name: all are told.
    let refused = NodeArray::<f64, Ix2>::zeros(&nodes, (1 << 31, 1 << 30)).unwrap_err();
    match nodes.is_leader() {
        true => assert!(matches!(refused, Error::Create(_)), "{refused}"),
        false => assert!(matches!(refused, Error::Rank { .. }), "{refused}"),
    }
    if !nodes.is_partial() {
        let taken = ndshm_testkit::arguments()[1].clone();
        let refused = NodeArray::<f64, Ix2>::options(&nodes).name(taken).zeros((1, 1));
        one_line(&refused.unwrap_err(), &["the name is taken"]);
    }

    let given = Array::zeros((2, 2));
    let refused = NodeArray::<f64, Ix2>::from_root(&nodes, 1, Some(&given)).unwrap_err();
    assert!(refused.to_string().contains("the root, rank 1, has to give the array"), "{refused}");
    assert!(NodeArray::<f64, Ix2>::from_root(&nodes, 9, None).is_err());
    let a = NodeArray::<f64, Ix2>::zeros(&nodes, (4, 4)).unwrap();
    assert!(matches!(a.broadcast(4), Err(Error::NoSuchRank { rank: 4, size: 4 })));

    // A guard that a leader keeps is in the way of the broadcast, not a reason to hang.
    if nodes.len() > 1 {
        let kept = (nodes.rank() == 2).then(|| a.read().unwrap());
        let refused = a.broadcast(0).unwrap_err();
        match nodes.rank() {
            2 => assert!(matches!(refused, Error::Claim(ClaimError::Own { .. })), "{refused}"),
            _ => assert!(matches!(refused, Error::Rank { rank: 2, .. }), "{refused}"),
        }
        drop(kept);
    }
    a.broadcast(0).unwrap();
}
