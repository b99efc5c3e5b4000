//! One array to all ranks of a node.

use std::cell::Cell;
use std::hint::black_box;

use mpi::collective::SystemOperation;
use mpi::traits::{Communicator, CommunicatorCollectives, Root};
use ndarray::Ix1;
use ndshm_array::{Prefault, SharedArray1};
use ndshm_mpi::{NodeArray, Nodes, Sum};
use ndshm_mpi_rig::memory;
use ndshm_mpi_rig::turns::{Contender, in_turns};

use crate::Failure;
use crate::report::{Group, Part};

const IN_PLACE: &str = "NodeArray, made where it lies";
const COPIED: &str = "NodeArray, copied into from private memory";
const PRIVATE: &str = "MPI_Bcast to private buffers";

/// In memory that all have touched: what is measured is the moving. And what the result costs in memory.
pub(crate) fn measure(
    nodes: &Nodes,
    ranks: &impl Communicator,
    quick: bool,
    part: &mut Part,
) -> Result<(), Failure> {
    let (mib, rounds) = if quick { (16, 3) } else { (256, 11) };
    let n = (mib << 20) / size_of::<f64>();
    let is_root = nodes.rank() == 0;
    let together = || -> Result<f64, Failure> {
        // Who reads it while others have not touched the pages yet counts more than its part.
        ranks.barrier();
        let (mine, mut all) = (memory::proportional()?, 0_u64);
        ranks.barrier();
        ranks.all_reduce_into(&mine, &mut all, SystemOperation::sum());
        #[allow(clippy::cast_precision_loss, reason = "some gigabytes")]
        Ok(all as f64)
    };

    // MPI has the memory that it needs for itself.
    let mut warm = vec![1.0; n];
    ranks.process_at_rank(0).broadcast_into(&mut warm[..]);
    drop(warm);
    nodes.allreduce(0.0, Sum)?;
    together()?;

    // All ranks have read all of it, as a program that uses it has.
    let empty = together()?;
    let shared = NodeArray::<f64, _>::zeros(nodes, n)?;
    if is_root {
        shared.write().map_err(|e| e.without_guard())?.fill(1.0);
    }
    shared.broadcast(0)?;
    let sum = shared.read().map_err(|e| e.without_guard())?.sum();
    let with_shared = together()?;
    let mut private = vec![f64::from(u8::from(is_root)); n];
    ranks.process_at_rank(0).broadcast_into(&mut private[..]);
    let same = private.iter().sum::<f64>();
    let with_private = together()?;
    assert!(sum == same, "{sum} is not {same}: not what was broadcast");

    let source = if is_root { vec![2.0; n] } else { Vec::new() };
    let failed = Cell::new(None);
    let broadcast = || {
        if let Err(e) = shared.broadcast(0) {
            failed.set(Some(e));
        }
    };
    let measured = in_turns(
        ranks,
        rounds,
        1,
        &mut [
            Contender::new(IN_PLACE, broadcast),
            Contender::new(COPIED, || {
                if is_root && let Ok(mut all) = shared.write() {
                    all.as_slice_mut().expect("it is in C order").copy_from_slice(&source);
                }
                broadcast();
            }),
            Contender::new(PRIVATE, || ranks.process_at_rank(0).broadcast_into(&mut private[..])),
        ],
    );
    if let Some(e) = failed.take() {
        return Err(e.into());
    }

    let name = format!("broadcast, {mib} MiB to {} ranks of a node", nodes.size());
    let group = Group::new(name, PRIVATE, measured);
    if !quick {
        let ratio = group.ratio(PRIVATE, COPIED);
        let what = "broadcast, copied into a NodeArray: at least 2 x as fast as MPI_Bcast to private buffers";
        part.judge(what, ratio, ratio.median >= 2.0);
        let (one, each) = (with_shared - empty, with_private - with_shared);
        let mib = |bytes: f64| bytes / f64::from(1 << 20);
        let what = format!(
            "broadcast: memory of 4 ranks together, {:.0} MiB shared beside {:.0} MiB private: at most 0.26 x",
            mib(one),
            mib(each)
        );
        let memory = one / each;
        part.judge_figure(&what, memory, memory <= 0.26);
    }
    part.groups.push(group);
    drop((shared, private));
    part.groups.push(from_nothing(nodes, ranks, mib, &source)?);
    Ok(())
}

/// With all that comes before and after: memory is made, touched for the first time, filled, and each rank sums it up.
fn from_nothing(
    nodes: &Nodes,
    ranks: &impl Communicator,
    mib: usize,
    source: &[f64],
) -> Result<Group, Failure> {
    let n = (mib << 20) / size_of::<f64>();
    let failed = Cell::new(None);
    let ours = |prefault: Prefault| {
        let options = NodeArray::<f64, Ix1>::options(nodes);
        let made = options.memory(SharedArray1::options().prefault(prefault)).zeros(n);
        let used = made.and_then(|shared| {
            if nodes.rank() == 0 {
                let mut all = shared.write().map_err(|e| e.without_guard())?;
                all.as_slice_mut().expect("it is in C order").copy_from_slice(source);
            }
            shared.broadcast(0)?;
            let sum = shared.read().map_err(|e| e.without_guard())?.sum();
            black_box(sum);
            Ok(())
        });
        failed.set(used.err().or(failed.take()));
    };
    let measured = in_turns(
        ranks,
        5,
        1,
        &mut [
            Contender::new("NodeArray", || ours(Prefault::none())),
            Contender::new("NodeArray, huge pages", || ours(Prefault::huge())),
            Contender::new(PRIVATE, || {
                let mut private = if nodes.rank() == 0 { source.to_vec() } else { vec![0.0; n] };
                ranks.process_at_rank(0).broadcast_into(&mut private[..]);
                black_box(private.iter().sum::<f64>());
            }),
        ],
    );
    let name = format!("broadcast, {mib} MiB, from nothing until all have summed it");
    match failed.take() {
        Some(e) => Err(e.into()),
        None => Ok(Group::new(name, PRIVATE, measured)),
    }
}
