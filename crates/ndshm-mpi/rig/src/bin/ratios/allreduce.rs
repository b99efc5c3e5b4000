//! Arrays of all ranks combined.

use std::cell::Cell;

use mpi::collective::SystemOperation;
use mpi::traits::{Communicator, CommunicatorCollectives};
use ndshm_mpi::{Nodes, Reduction, Sum};
use ndshm_mpi_rig::turns::{Contender, in_turns};

use crate::Failure;
use crate::report::{Group, Part};

const OURS: &str = "Reduction::allreduce";
const PRIVATE: &str = "MPI_Allreduce of private buffers";

/// What each rank gives lies where it has computed it: in the one case in shared memory, in the other in its own. All memory has been
/// touched before.
pub(crate) fn measure(
    nodes: &Nodes,
    ranks: &impl Communicator,
    quick: bool,
    part: &mut Part,
) -> Result<(), Failure> {
    let (mib, rounds) = if quick { (4, 3) } else { (64, 15) };
    let n = (mib << 20) / size_of::<f64>();
    let mine = f64::from(ranks.rank()) + 1.0;
    let reduction = Reduction::<f64, _>::zeros(nodes, n)?;
    reduction.contribution()?.fill(mine);
    let (given, mut got) = (vec![mine; n], vec![0.0; n]);
    let failed = Cell::new(None);
    let measured = in_turns(
        ranks,
        rounds,
        1,
        &mut [
            Contender::new(OURS, || {
                if let Err(e) = reduction.allreduce(Sum) {
                    failed.set(Some(e));
                }
            }),
            Contender::new(PRIVATE, || {
                ranks.all_reduce_into(&given[..], &mut got[..], SystemOperation::sum());
            }),
        ],
    );
    if let Some(e) = failed.take() {
        return Err(e.into());
    }
    let size = f64::from(ranks.size());
    let all = size * (size + 1.0) / 2.0;
    assert!(reduction.result()?.iter().chain(&got).all(|x| *x == all), "not the sum of all ranks");

    let name = format!("allreduce, {mib} MiB of each of {} ranks of a node", nodes.size());
    let group = Group::new(name, PRIVATE, measured);
    if !quick {
        let ratio = group.ratio(PRIVATE, OURS);
        let what = "allreduce: at least 1.2 x as fast as MPI_Allreduce of private buffers";
        part.judge(what, ratio, ratio.median >= 1.2);
    }
    part.groups.push(group);
    Ok(())
}
