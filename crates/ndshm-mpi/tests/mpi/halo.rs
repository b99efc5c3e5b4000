//! Exchange of halos, against a serial program.

use ndarray::{Array, Dimension, IxDyn};
use ndshm_array::{ClaimError, SharedArrayD};
use ndshm_mpi::{DistArray, Error, Nodes};
use ndshm_testkit::{Rng, one_line};

use crate::job::{JOBS, argument, ends_well, job, rank};

pub(crate) fn margins_are_what_a_serial_program_has() {
    let mut rng = Rng::of_this_run();
    for (ranks, node_size) in JOBS {
        let seed = rng.next();
        let what = format!("{ranks} ranks, nodes of {node_size}, seed {seed}");
        ends_well(job("halo::random_shapes", ranks, node_size).arg(seed), &what);
    }
}

/// All ways to write `n` as a product of `k` numbers.
fn grids(n: usize, k: usize) -> Vec<Vec<usize>> {
    if k == 1 {
        return vec![vec![n]];
    }
    let first = (1..=n).filter(|p| n.is_multiple_of(*p));
    first
        .flat_map(|p| grids(n / p, k - 1).into_iter().map(move |rest| [vec![p], rest].concat()))
        .collect()
}

pub(crate) fn random_shapes() {
    let (_universe, nodes) = rank();
    let mut rng = Rng::new(argument(1));
    for round in 0..60 {
        let axes = 1 + rng.below(4) as usize;
        let shape: Vec<usize> = (0..axes).map(|_| 4 + rng.below(9) as usize).collect();
        let all = grids(nodes.len(), 1 + rng.below(axes as u64) as usize);
        let grid = all[rng.below(all.len() as u64) as usize].clone();
        let full = [&grid[..], &vec![1; axes - grid.len()]].concat();
        let halo: Vec<usize> = shape
            .iter()
            .zip(&full)
            .map(|(n, blocks)| rng.below((n / blocks).min(3) as u64 + 1) as usize)
            .collect();
        let periodic: Vec<bool> = (0..axes).map(|_| rng.chance(50)).collect();
        let corners = rng.chance(70);
        let said = format!("{round}: {shape:?} on {grid:?}, {halo:?}, {periodic:?}, {corners}");
        let a = DistArray::<i64, IxDyn>::options(&nodes)
            .grid(grid)
            .halo(halo)
            .periodic(periodic.clone())
            .corners(corners)
            .zeros(&shape[..])
            .unwrap_or_else(|e| panic!("{said}: {e}"));
        check(&a, corners, &said);
    }
}

/// A number for each index.
fn number(shape: &[usize], index: &[usize]) -> i64 {
    1 + index.iter().zip(shape).fold(0, |at, (i, n)| at * n + i) as i64
}

fn check(a: &DistArray<i64, IxDyn>, corners: bool, said: &str) {
    let shape = a.shape().to_vec();
    for factor in [1, -7] {
        a.fill_with_index(|index| factor * number(&shape, index.slice())).unwrap();
        a.exchange().unwrap_or_else(|e| panic!("{said}: {e}"));
        let got = a.array().read().unwrap();
        let expected = Array::from_shape_fn(got.raw_dim(), |local: IxDyn| {
            let out = local.slice().iter().zip(a.block()).zip(a.halo());
            let out = out.filter(|((i, block), halo)| **i < **halo || **i >= block.len() + **halo);
            let out = out.count();
            match a.to_global(local) {
                Some(index) if out < 2 || corners => factor * number(&shape, index.slice()),
                _ => 0,
            }
        });
        assert_eq!(*got, expected, "{said}");
        drop(got);
        a.nodes().local_barrier().unwrap();
    }
}

pub(crate) fn what_does_not_fit_is_refused() {
    ends_well(job("halo::refusals", 4, 1), "refusals");
    ends_well(job("halo::refusals", 4, 2), "refusals");
}

pub(crate) fn refusals() {
    let (_universe, nodes) = rank();
    let options = || DistArray::<f64, IxDyn>::options(&nodes).grid([nodes.len()]);
    // The smallest block has 2 or 5 rows.
    let smallest = 11 / nodes.len();
    let refused = options().halo([smallest + 1, 0]).zeros(&[11, 4][..]).unwrap_err();
    one_line(&refused, &["axis 0", &format!("blocks of {smallest}")]);
    assert!(matches!(refused, Error::Halo { axis: 0, .. }));
    // A margin of one's own may be any, also wider than all that comes before it.
    let wide = options().halo([smallest, 9]).zeros(&[11, 4][..]).unwrap();
    assert_eq!(wide.to_global(&[smallest, 0][..]), None);
    let first = wide.block()[0].start;
    assert_eq!(wide.to_global(&[smallest, 9][..]), Some(IxDyn(&[first, 0])));
    let refused = options().halo([0, usize::MAX / 2 + 1]).zeros(&[11, 4][..]).unwrap_err();
    assert!(matches!(refused, Error::Halo { axis: 1, .. }), "{refused}");
    assert!(matches!(options().halo([1]).zeros(&[11, 4][..]), Err(Error::Axes { given: 1, .. })));
    assert!(matches!(options().grid([3]).zeros(&[11, 4][..]), Err(Error::Grid { .. })));
    let width = if nodes.rank() == 2 { 1 } else { 2 };
    let refused = options().halo([width, 0]).zeros(&[11, 4][..]).unwrap_err();
    one_line(&refused, &["rank 0 says", "halo [2, 0]", "rank 2 says", "halo [1, 0]"]);

    // A claim in the way, at the leader of node 1: its ranks and its neighbours get errors, nobody hangs, and others go on.
    let a = options().halo([1, 0]).zeros(&[11, 4][..]).unwrap();
    let leads = nodes.node() == 1 && nodes.is_leader();
    let kept = leads.then(|| a.array().claim_mut(0..1).unwrap());
    let told = a.exchange();
    let leader = nodes.ranks_of(1)[0];
    match (nodes.node(), told) {
        (1, Err(Error::Claim(ClaimError::Own { .. }))) if leads => {}
        (1, Err(Error::Rank { rank, .. })) if rank == leader => {}
        (0 | 2, Err(Error::Neighbour { node: 1 })) if nodes.is_leader() => {}
        (0 | 2, Err(Error::Rank { message, .. })) if message.contains("node 1 sent no halo") => {}
        (3, Ok(())) => {}
        (node, told) => panic!("node {node}: {told:?}"),
    }
    drop(kept);
    nodes.barrier().unwrap();
    a.exchange().unwrap();
}

pub(crate) fn claims_hold_until_it_is_complete() {
    ends_well(job("halo::under_way", 2, 1), "under way");
    ends_well(job("halo::under_way", 4, 2), "under way");
}

pub(crate) fn under_way() {
    let (_universe, nodes) = rank();
    let options = DistArray::<f64, IxDyn>::options(&nodes);
    let a = options.grid([2]).halo([1, 0]).periodic([true, false]).zeros(&[12, 4][..]).unwrap();
    let rows = a.array().nrows();
    let fill = |a: &DistArray<f64, IxDyn>| a.fill_with_index(|i| i[0] as f64).unwrap();
    fill(&a);
    let request = a.start_exchange().unwrap();
    if nodes.is_leader() {
        // What is received may not be touched, what is sent may be read, and in between it is free.
        assert!(a.array().claim(0..1).is_err());
        assert!(a.array().claim_mut(1..2).is_err());
        assert!(a.array().claim(1..rows - 1).is_ok());
        assert!(a.array().claim_mut(2..rows - 2).is_ok());
    }
    request.wait().unwrap();
    let margin = |a: &DistArray<f64, IxDyn>| a.array().claim(0..1).unwrap()[[0, 0]];
    assert_eq!(margin(&a), [11.0, 5.0][nodes.node()]);
    nodes.barrier().unwrap();

    // Dropping it waits, too.
    a.array().claim_mut(0..1).map(|mut m| m.fill(0.0)).unwrap_or_default();
    nodes.barrier().unwrap();
    drop(a.start_exchange().unwrap());
    assert_eq!(margin(&a), [11.0, 5.0][nodes.node()]);
    nodes.barrier().unwrap();

    // Forgetting it keeps the memory, and the claims, for good.
    std::mem::forget(a.start_exchange().unwrap());
    nodes.barrier().unwrap();
    if nodes.is_leader() {
        assert!(matches!(a.array().claim(0..1), Err(ClaimError::Own { .. })));
    }
    let handle: SharedArrayD<f64> = a.array().clone();
    drop((a, handle));
    nodes.barrier().unwrap();
    drain(&nodes);
}

/// Lets MPI complete what was forgotten, before it ends.
fn drain(nodes: &Nodes) {
    let b = DistArray::<f64, IxDyn>::options(nodes).grid([2]).halo([1]).zeros(&[12][..]).unwrap();
    b.exchange().unwrap();
}
