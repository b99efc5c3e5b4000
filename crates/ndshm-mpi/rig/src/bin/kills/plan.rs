//! Who is killed, when.

use std::fmt;
use std::time::Duration;

use ndshm_mpi_rig::launch::is_mpich;
use ndshm_testkit::Rng;

use crate::diary::{WORKERS, worker};
use crate::during::During;

/// Steps of a pass of the job.
const STEPS: u32 = During::ALL.len() as u32;

/// One job, and the end of one of its processes.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) ranks: usize,
    /// How many of them are a node.
    pub(crate) node: usize,
    /// Whether its arrays have names, which a death leaves in the folder of segments.
    pub(crate) named: bool,
    /// Whether `mpirun` leaves the other ranks alone, so that they have to see the death for themselves: OpenMPI's, which can.
    pub(crate) alone: bool,
    pub(crate) during: During,
    /// Its seat in the diary.
    pub(crate) victim: usize,
    /// How often it has begun something by then, at least.
    pub(crate) begun: u32,
    /// How long after it has begun that.
    pub(crate) pause: Duration,
}

impl Plan {
    pub(crate) fn draw(rng: &mut Rng, round: u64, only: Option<During>) -> Self {
        let ranks = [2_usize, 4, 4, 3][at(rng, 4)];
        let node = [ranks, 2][at(rng, 2)];
        // In turns, so that each gets its share.
        let next = During::ALL[usize::try_from(round).unwrap_or(0) % During::ALL.len()];
        let during = only.unwrap_or(next);
        let victim = match during {
            // Leaders start workers.
            During::Workers if rng.chance(75) => {
                worker(at(rng, ranks.div_ceil(node)) * node, at(rng, WORKERS))
            }
            _ => at(rng, ranks),
        };
        let alone = rng.chance(40) && victim < ranks && !is_mpich();
        // In the first pass, when memory is new, or a later one.
        let passes = u32::try_from(rng.below(4)).unwrap_or(0);
        let begun = match during {
            During::Workers => 0,
            // To make nodes takes calls of MPI that wait for the dead for ever, unless `mpirun` ends the job: `alone` is for what comes after.
            During::Creation if alone => 1 + passes * STEPS,
            _ => passes * STEPS,
        };
        let most = if rng.chance(50) { 1_000 } else { 20_000 };
        let pause = Duration::from_micros(rng.below(most));
        let named = rng.chance(50);
        Self { ranks, node, named, alone, during, victim, begun, pause }
    }
}

fn at(rng: &mut Rng, bound: usize) -> usize {
    usize::try_from(rng.below(bound as u64)).unwrap_or(0)
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { ranks, node, named, alone, during, victim, begun, pause } = self;
        let (names, alone) = (
            if *named { "with names" } else { "without names" },
            if *alone { ", alone" } else { "" },
        );
        let during = during.name();
        write!(
            f,
            "{ranks} ranks, {node} a node, {names}{alone}: seat {victim} killed {pause:?} into {during} after {begun} steps"
        )
    }
}
