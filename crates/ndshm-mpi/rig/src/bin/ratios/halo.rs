//! Rows to the neighbour and back.

use std::cell::Cell;

use mpi::request::{WaitGuard, scope};
use mpi::traits::{Communicator, Destination, Source};
use ndarray::Ix2;
use ndshm_array::{Prefault, SharedArray2};
use ndshm_mpi::{DistArray, Nodes};
use ndshm_mpi_rig::turns::{Contender, in_turns};

use crate::Failure;
use crate::report::{Group, Part};

const OURS: &str = "DistArray::exchange";
const HUGE: &str = "DistArray::exchange, huge pages";
const BY_HAND: &str = "rsmpi, from a Vec to a Vec";

/// The rows of an array in two blocks, each with one neighbour: a row there, a row back.
pub(crate) fn measure(
    nodes: &Nodes,
    ranks: &impl Communicator,
    quick: bool,
    part: &mut Part,
) -> Result<(), Failure> {
    let rounds = if quick { 3 } else { 21 };
    let sizes: &[(usize, u32)] =
        if quick { &[(128, 20)] } else { &[(8, 2000), (128, 400), (1024, 100), (8192, 12)] };
    for &(kib, times) in sizes {
        let group = row(nodes, ranks, kib, rounds, times)?;
        if !quick && kib >= 128 {
            let ratio = group.ratio(OURS, BY_HAND);
            let hosts = if nodes.is_partial() { "ranks" } else { "hosts" };
            let what = format!("halo of {kib} KiB between two {hosts}: at most 1.05 x by hand");
            part.judge(&what, ratio, ratio.median <= 1.05);
        }
        part.groups.push(group);
    }
    Ok(())
}

fn row(
    nodes: &Nodes,
    ranks: &impl Communicator,
    kib: usize,
    rounds: usize,
    times: u32,
) -> Result<Group, Failure> {
    let columns = kib * 1024 / size_of::<f64>();
    let options = DistArray::<f64, Ix2>::options(nodes).grid([2]).halo([1, 0]);
    let huge = SharedArray2::options().prefault(Prefault::huge());
    let array = options.zeros((16, columns))?;
    let in_huge = options.clone().memory(huge).zeros((16, columns))?;
    array.fill_with_index(|(i, _)| i as f64)?;
    in_huge.fill_with_index(|(i, _)| i as f64)?;
    let mine = f64::from(ranks.rank());
    let (sent, mut received) = (vec![mine; columns], vec![-1.0; columns]);
    let neighbour = ranks.process_at_rank(1 - ranks.rank());
    let failed = Cell::new(None);
    let exchange = |array: &DistArray<f64, Ix2>| {
        if let Err(e) = array.exchange() {
            failed.set(Some(e));
        }
    };
    let measured = in_turns(
        ranks,
        rounds,
        times,
        &mut [
            Contender::new(OURS, || exchange(&array)),
            Contender::new(HUGE, || exchange(&in_huge)),
            Contender::new(BY_HAND, || {
                scope(|scope| {
                    let _got =
                        WaitGuard::from(neighbour.immediate_receive_into(scope, &mut received[..]));
                    let _gone = WaitGuard::from(neighbour.immediate_send(scope, &sent[..]));
                });
            }),
        ],
    );
    if let Some(e) = failed.take() {
        return Err(e.into());
    }
    // What has come: the other block's row next to this one.
    let (margin, other) = if nodes.node() == 0 { (9, 8.0) } else { (0, 7.0) };
    for array in [&array, &in_huge] {
        let all = array.array().read().map_err(|e| e.without_guard())?;
        assert!(all.row(margin).iter().all(|x| *x == other), "not the neighbour's row");
    }
    assert!(received.iter().all(|x| *x == 1.0 - mine), "not the neighbour's row");
    let places = if nodes.is_partial() { "ranks of a machine" } else { "hosts" };
    Ok(Group::new(format!("halo, {kib} KiB each way between two {places}"), BY_HAND, measured))
}
