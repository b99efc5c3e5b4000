//! Scattering, gathering, other divisions, parts to every node: against an array of one process.

use mpi::traits::Communicator;
use ndarray::{Array, Dimension, Ix2, IxDyn, SliceInfoElem};
use ndshm_mpi::{DistArray, Error, NodeArray, Nodes};
use ndshm_testkit::{Rng, one_line};

use crate::job::{JOBS, argument, ends_well, job, rank};

pub(crate) fn parts_arrive_where_they_belong() {
    let mut rng = Rng::of_this_run();
    for (ranks, node_size) in JOBS {
        let seed = rng.next();
        let what = format!("{ranks} ranks, nodes of {node_size}, seed {seed}");
        ends_well(job("whole::random_divisions", ranks, node_size).arg(seed), &what);
    }
}

/// A random division of that shape among those nodes.
fn divided(rng: &mut Rng, nodes: &Nodes, shape: &[usize]) -> DistArray<i32, IxDyn> {
    let axis = rng.below(shape.len() as u64) as usize;
    let mut grid = vec![1; axis];
    grid.push(nodes.len());
    // Wherever it is an own margin only, it may be any.
    let halo: Vec<usize> = shape.iter().map(|_| rng.below(3) as usize).collect();
    let halo: Vec<usize> =
        halo.iter().enumerate().map(|(i, w)| if i == axis { 0 } else { *w }).collect();
    DistArray::options(nodes).grid(grid).halo(halo).zeros(shape).unwrap()
}

pub(crate) fn random_divisions() {
    let (universe, nodes) = rank();
    let mut rng = Rng::new(argument(1));
    let others = Nodes::of_size(&universe.world(), nodes.size().div_ceil(2)).unwrap();
    for round in 0..25 {
        let axes = 1 + rng.below(3) as usize;
        let shape: Vec<usize> = (0..axes).map(|_| rng.below(11) as usize).collect();
        let strides = [97, 13, 1];
        let value = |index: &IxDyn| {
            1 + index.slice().iter().zip(strides).map(|(i, s)| i * s).sum::<usize>()
        };
        let expected = Array::from_shape_fn(&shape[..], |index| value(&index) as i32);
        let said = format!("{round}: {shape:?}");

        let a = divided(&mut rng, &nodes, &shape);
        let root = rng.below(nodes.size() as u64) as usize;
        let fortran = rng.chance(30);
        let whole = (nodes.rank() == root).then(|| match fortran {
            true => expected.t().as_standard_layout().into_owned().reversed_axes(),
            false => expected.clone(),
        });
        a.scatter(root, whole).unwrap();
        assert!(a.band().iter().zip(&shape).all(|(band, n)| band.end <= *n));
        let band: Vec<SliceInfoElem> = a.band().iter().map(|r| r.clone().into()).collect();
        assert_eq!(a.claim_band().unwrap().view(), expected.slice(&band[..]), "{said}");
        nodes.barrier().unwrap();

        let b = divided(&mut rng, &others, &shape);
        b.assign(&a).unwrap_or_else(|e| panic!("{said}: {e}"));
        let c = divided(&mut rng, &nodes, &shape);
        c.assign(&b).unwrap();
        let root = rng.below(nodes.size() as u64) as usize;
        for array in [&a, &b, &c] {
            let whole = array.gather(root).unwrap();
            assert_eq!(whole.is_some(), nodes.rank() == root);
            assert!(whole.is_none_or(|whole| whole == expected), "{said}");
        }

        // Each node another part.
        let into = NodeArray::<i32, IxDyn>::zeros(&nodes, &shape[..]).unwrap();
        let mut of_node = Rng::new(argument(1) ^ (nodes.node() as u64 + round));
        let part: Vec<_> = shape
            .iter()
            .map(|n| {
                let ends = [0; 2].map(|_: usize| of_node.below(*n as u64 + 1) as usize);
                ends[0].min(ends[1])..ends[0].max(ends[1])
            })
            .collect();
        c.copy_to_nodes(&part, &into).unwrap();
        let there: Vec<SliceInfoElem> = part.iter().map(|r| (0..r.len()).into()).collect();
        let here: Vec<SliceInfoElem> = part.iter().map(|r| r.clone().into()).collect();
        let got = into.read().unwrap();
        assert_eq!(got.slice(&there[..]), expected.slice(&here[..]), "{said}: {part:?}");
        owners(&c);
        drop(got);
        nodes.barrier().unwrap();
    }
}

/// Every index has one owner, who has it.
fn owners(a: &DistArray<i32, IxDyn>) {
    let nodes = a.nodes();
    for index in ndarray::indices(a.shape()) {
        let (node, rank) = a.owner(index.clone()).unwrap();
        let contains = |part: &[std::ops::Range<usize>]| {
            part.iter().zip(index.slice()).all(|(range, i)| range.contains(i))
        };
        assert!(contains(&a.block_of(node)) && nodes.ranks_of(node).contains(&rank));
        assert_eq!(contains(a.band()), rank == nodes.rank());
        let local = a.to_local(index.clone());
        assert_eq!(local.is_some(), node == nodes.node());
        assert!(local.is_none_or(|local| a.to_global(local) == Some(index.clone())));
    }
    assert!(matches!(a.owner(a.raw_dim()), Err(Error::Outside { .. })));
}

pub(crate) fn what_does_not_fit_is_refused() {
    ends_well(job("whole::refusals", 4, 2), "refusals");
    ends_well(job("whole::refusals", 4, 1), "refusals");
}

pub(crate) fn refusals() {
    let (universe, nodes) = rank();
    let a = DistArray::<f64, Ix2>::zeros(&nodes, (8, 6)).unwrap();
    let me = nodes.rank();
    // The root gives a wrong one, or none, or another rank gives one: all are told.
    let refused = a.scatter(1, (me == 1).then(|| Array::zeros((6, 8)))).unwrap_err();
    one_line(&refused, &["[6, 8], not [8, 6]"]);
    assert_eq!(matches!(refused, Error::Shape { .. }), me == 1);
    let refused = a.scatter(1, None).unwrap_err();
    one_line(&refused, &["the root, rank 1, has to give the array"]);
    assert!(a.scatter(1, Some(Array::zeros((8, 6)))).is_err());
    assert!(matches!(a.gather(4), Err(Error::NoSuchRank { rank: 4, size: 4 })));
    let other = DistArray::<f64, Ix2>::zeros(&nodes, (8, 7)).unwrap();
    assert!(matches!(a.assign(&other), Err(Error::Shape { .. })));
    let half = universe.world().split_by_color(mpi::topology::Color::with_value(me as i32 / 2));
    let half = Nodes::of_size(&half.unwrap(), 1).unwrap();
    let strange = DistArray::<f64, Ix2>::zeros(&half, (8, 6)).unwrap();
    assert!(matches!(a.assign(&strange), Err(Error::Strangers)));
    let into = NodeArray::zeros(&nodes, (2, 6)).unwrap();
    assert!(matches!(a.copy_to_nodes(&[0..3, 0..6], &into), Err(Error::Shape { .. })));
    assert!(matches!(a.copy_to_nodes(&[7..9, 0..6], &into), Err(Error::Outside { .. })));
    assert!(matches!(a.copy_to_nodes(&[0..2, 0..2, 0..2], &into), Err(Error::Axes { .. })));
    assert!(matches!(a.claim(&[0..9, 0..6]), Err(Error::Outside { .. })));
    // A guard in the way at one rank.
    let kept = (me == 0).then(|| a.claim_band_mut().unwrap());
    assert!(a.gather(3).is_err());
    drop(kept);
    assert_eq!(a.gather(3).unwrap().is_some(), me == 3);
}
