//! The job that is killed: all that ndshm-mpi does, over and over.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use mpi::traits::Communicator;
use ndarray::Ix2;
use ndshm_array::SharedArray2;
use ndshm_mpi::{DistArray, NodeArray, Nodes, Reduction, Sum};
use ndshm_workers::{Worker, Workers};

use crate::diary::{self, Seat};
use crate::during::During;

type Failure = Box<dyn std::error::Error>;

/// Of the arrays, in rows and columns: large enough that each step takes some time.
const SHAPE: (usize, usize) = (256, 2048);

/// A job that nobody kills ends after that.
const MOST: Duration = Duration::from_secs(90);

#[derive(Parser)]
struct Job {
    /// Ranks a node.
    #[arg(long)]
    node: usize,
    /// Of its arrays.
    #[arg(long)]
    name: Option<String>,
    #[arg(long)]
    scratch: PathBuf,
}

/// What a rank does. One that fails says why, and ends the job, as MPI programs do: by `MPI_Abort`.
pub(crate) fn run() -> ExitCode {
    let job = Job::parse_from(std::env::args().skip(1));
    let universe = match ndshm_mpi::init() {
        Ok(universe) => universe,
        Err(e) => {
            eprintln!("{e}");
            return ExitCode::FAILURE;
        }
    };
    let world = universe.world();
    let seat =
        usize::try_from(world.rank()).map_err(Failure::from).and_then(|rank| Ok(Seat::take(rank)?));
    let done = seat.and_then(|mut seat| {
        let done = job.over_and_over(&world, &mut seat);
        if done.is_err() {
            seat.fail()?;
        }
        done
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("rank {}: {e}", world.rank());
            world.abort(3)
        }
    }
}

impl Job {
    fn over_and_over(&self, world: &impl Communicator, seat: &mut Seat) -> Result<(), Failure> {
        seat.begin(During::Creation)?;
        let nodes =
            Nodes::options().of_size(self.node).timeout(Duration::from_secs(5)).create(world)?;
        let start = Instant::now();
        while start.elapsed() < MOST {
            self.pass(&nodes, seat)?;
        }
        Ok(())
    }

    fn pass(&self, nodes: &Nodes, seat: &mut Seat) -> Result<(), Failure> {
        seat.begin(During::Creation)?;
        let (mut field, mut table) = (
            DistArray::<f64, Ix2>::options(nodes).halo([1, 1]).periodic([true, false]),
            NodeArray::<f64, Ix2>::options(nodes),
        );
        if let Some(name) = &self.name {
            (field, table) =
                (field.name(format!("{name}.field")), table.name(format!("{name}.table")));
        }
        let (field, table) = (field.zeros(SHAPE)?, table.zeros(SHAPE)?);

        field.fill_with_index(|(i, j)| (i + j) as f64)?;
        seat.begin(During::Halo)?;
        field.exchange()?;

        seat.begin(During::Broadcast)?;
        table.broadcast(nodes.size() - 1)?;

        seat.begin(During::Allreduce)?;
        let sums = Reduction::<f64, Ix2>::zeros(nodes, SHAPE)?;
        sums.contribution()?.fill(1.0);
        sums.allreduce(Sum)?;

        let file = self.scratch.join("field.npy");
        seat.begin(During::Save)?;
        field.save(&file)?;
        seat.begin(During::Load)?;
        field.load(&file)?;

        seat.begin(During::Redistribution)?;
        let columns = DistArray::<f64, Ix2>::options(nodes).grid([1, nodes.len()]).zeros(SHAPE)?;
        columns.assign(&field)?;

        seat.begin(During::Workers)?;
        if nodes.is_leader() {
            let workers = Workers::new(diary::WORKERS);
            let workers = ndshm_mpi::rank_variables().fold(workers, Workers::env_remove);
            workers.run(fill, &(nodes.rank(), table.array().clone()))?;
        }
        table.broadcast(0)?;
        Ok(())
    }
}

/// What a worker of a rank does.
fn fill(worker: &Worker, (rank, table): (usize, SharedArray2<f64>)) -> ndshm_workers::Result<()> {
    let mut seat = Seat::take(diary::worker(rank, worker.rank()))?;
    for _ in 0..4 {
        seat.begin(During::Workers)?;
        let mut rows = table.claim_mut(worker.band(SHAPE.0)).map_err(|e| e.without_guard())?;
        rows.fill(rank as f64);
        drop(rows);
        worker.barrier()?;
    }
    Ok(())
}
