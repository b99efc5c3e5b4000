//! Combining, in shared memory and between nodes.

use ndarray::{Array, Ix0, Ix1, Ix2, Ix3};
use ndshm_mpi::{DistArray, Error, Max, Min, Op, Product, Reduction, Sum};
use num_complex::Complex;

use crate::job::{all_jobs, ends_well, job, rank};

pub(crate) fn values_are_combined() {
    all_jobs("reduction::values");
}

pub(crate) fn values() {
    let (_universe, nodes) = rank();
    let (me, size) = (nodes.rank(), nodes.size());
    let all = || 0..size as i64;
    for round in 0..20 {
        let mine = me as i64 + round;
        assert_eq!(nodes.allreduce(mine, Sum).unwrap(), all().map(|r| r + round).sum::<i64>());
    }
    assert_eq!(nodes.allreduce(me as u8, Max).unwrap(), size as u8 - 1);
    assert_eq!(nodes.allreduce(-(me as f32), Min).unwrap(), 1.0 - size as f32);
    assert_eq!(nodes.allreduce(me as i64 + 1, Product).unwrap(), all().map(|r| r + 1).product());
    assert_eq!(nodes.allreduce(200_u8, Sum).unwrap(), (200 * size) as u8); // wraps around
    let z = nodes.allreduce(Complex::new(1.0, me as f64), Sum).unwrap();
    assert_eq!(z, Complex::new(size as f64, all().sum::<i64>() as f64));
    let z = nodes.allreduce(Complex::new(0.0_f32, 1.0), Product).unwrap();
    assert_eq!(
        z,
        [Complex::new(0.0, 1.0), Complex::new(-1.0, 0.0), Complex::new(1.0, 0.0)][size / 2]
    );
    for root in 0..size {
        let sum = nodes.reduce(root, 2_u16, Sum).unwrap();
        assert_eq!(sum, (me == root).then_some(2 * size as u16));
    }
    assert!(matches!(nodes.reduce(size, 1_u8, Sum), Err(Error::NoSuchRank { .. })));

    let a = DistArray::<i64, Ix2>::options(&nodes).halo([1, 1]).zeros((13, 7)).unwrap();
    a.fill_with_index(|(i, j)| (7 * i + j) as i64 + 1).unwrap();
    assert_eq!(a.allreduce(Sum).unwrap(), (1..=91).sum::<i64>());
    assert_eq!((a.allreduce(Min).unwrap(), a.allreduce(Max).unwrap()), (1, 91));
    assert_eq!(a.reduce(0, Max).unwrap(), (me == 0).then_some(91));
    // More ranks than rows: some bands are empty, and change nothing.
    let thin = DistArray::<f64, Ix2>::options(&nodes).grid([1, nodes.len()]).zeros((1, 9)).unwrap();
    thin.fill_with_index(|(_, j)| 3.0 + j as f64).unwrap();
    assert_eq!((thin.allreduce(Min).unwrap(), thin.allreduce(Sum).unwrap()), (3.0, 63.0));
    // A band that cannot be read is an error of all.
    let kept = (me == size - 1).then(|| a.claim_band_mut().unwrap());
    let refused = a.allreduce(Sum).unwrap_err();
    assert!(matches!(refused, Error::Claim(_)) == (me == size - 1), "{refused}");
    drop(kept);
}

pub(crate) fn arrays_are_combined() {
    all_jobs("reduction::arrays");
}

pub(crate) fn arrays() {
    let (_universe, nodes) = rank();
    let (me, size) = (nodes.rank() as i64, nodes.size() as i64);
    // Longer than a block in the cache, of an odd length; used twice.
    let long = Reduction::<i64, Ix1>::zeros(&nodes, 100_003).unwrap();
    for factor in [1, 3] {
        long.contribution().unwrap().fill_with_index(|i| factor * (me + i as i64));
        long.allreduce(Sum).unwrap();
        let ranks = (0..size).sum::<i64>();
        let expected = Array::from_shape_fn(100_003, |i| factor * (ranks + size * i as i64));
        assert_eq!(*long.result().unwrap(), expected);
        nodes.barrier().unwrap();
    }
    // Which axis is divided, and where shares are not in one piece.
    for shape in [(1, 5, 9), (2, 1, 1), (7, 3, 2), (0, 4, 4), (1, 1, 1)] {
        let a = Reduction::<f64, Ix3>::zeros(&nodes, shape).unwrap();
        let value = |r: i64, (i, j, k): (usize, usize, usize)| {
            ((r + 1) * (1 + i as i64 + 2 * j as i64 - k as i64)) as f64
        };
        a.contribution().unwrap().fill_with_index(|index| value(me, index));
        let fold = |index, f: &dyn Fn(f64, f64) -> f64| {
            (1..size).fold(value(0, index), |x, r| f(x, value(r, index)))
        };
        a.allreduce(Max).unwrap();
        let greatest = Array::from_shape_fn(shape, |i| fold(i, &f64::max));
        assert_eq!(*a.result().unwrap(), greatest, "{shape:?}");
        nodes.barrier().unwrap();
        a.allreduce(Product).unwrap();
        let product = Array::from_shape_fn(shape, |i| fold(i, &|x, y| Product.combine(x, y)));
        assert_eq!(*a.result().unwrap(), product, "{shape:?}");
        nodes.barrier().unwrap();
        let root = (size - 1) as usize;
        a.reduce(root, Min).unwrap();
        if nodes.node() == nodes.node_of(root).unwrap() {
            let least = Array::from_shape_fn(shape, |i| fold(i, &f64::min));
            assert_eq!(*a.result().unwrap(), least, "{shape:?}");
        }
        nodes.barrier().unwrap();
    }
    let one = Reduction::<u32, Ix0>::zeros(&nodes, ()).unwrap();
    one.contribution().unwrap().fill(2);
    one.allreduce(Sum).unwrap();
    assert_eq!(one.result().unwrap()[()], 2 * size as u32);

    // A guard in the way.
    nodes.barrier().unwrap();
    let kept = (me == 0).then(|| long.result().unwrap());
    let refused = long.allreduce(Sum).unwrap_err();
    assert!(matches!(refused, Error::Claim(_) | Error::Rank { .. }), "{refused}");
    drop(kept);
    nodes.barrier().unwrap();
    long.allreduce(Sum).unwrap();
}

pub(crate) fn long_ones_in_pieces() {
    ends_well(job("reduction::pieces", 2, 1), "pieces");
}

/// More than is sent between nodes at a time.
pub(crate) fn pieces() {
    let (_universe, nodes) = rank();
    let a = Reduction::<u8, Ix1>::zeros(&nodes, (64 << 20) + 5).unwrap();
    a.contribution().unwrap().iter_mut().enumerate().for_each(|(i, x)| *x = (i % 100) as u8);
    a.allreduce(Sum).unwrap();
    assert!(a.result().unwrap().iter().enumerate().all(|(i, x)| *x == 2 * (i % 100) as u8));
}
