//! One rank a node, and worker processes under it: MPI between nodes, `ndshm-workers` within. The workers get the memory of their node's
//! block as an ordinary shared array; MPI knows nothing of them.
//!
//! `mpirun -np 2 --map-by ppr:1:node:PE=4 target/release/examples/hybrid --workers 4`

mod common;

use std::process::ExitCode;

use clap::Parser;
use mpi::traits::Communicator;
use ndarray::Ix2;
use ndshm_array::SharedArray2;
use ndshm_examples::options::{between, workers};
use ndshm_examples::{complain, say};
use ndshm_mpi::{DistArray, Processors, Sum};
use ndshm_workers::{Worker, Workers};
use serde_json::json;

/// A matrix that is divided among nodes, filled and summed by workers under one rank for each of them; checks the sum.
#[derive(Debug, Parser)]
#[command(
    name = "hybrid",
    after_help = "Exit status: 0 the sum is right, 1 it is not, or a worker or an operation failed, 2 bad input."
)]
struct Options {
    /// Worker processes under each rank
    #[arg(long, value_name = "P", default_value_t = 2, value_parser = workers)]
    workers: usize,
    /// Rows and columns of the matrix
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = between::<usize>(1, 50_000))]
    size: usize,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// What each worker runs: its rows of the block, which begins at that row and column of the matrix.
fn compute(
    w: &Worker,
    (block, row, column): (SharedArray2<f64>, usize, usize),
) -> ndshm_workers::Result<f64> {
    let mut mine = block.claim_mut(w.band(block.nrows()))?;
    mine.fill_with_index(|(i, j)| (row + i) as f64 - (column + j) as f64 + 1.0);
    w.barrier()?;
    Ok(mine.sum())
}

fn run(options: &Options, world: &impl Communicator) -> Result<bool, Box<dyn std::error::Error>> {
    // One rank is a node, also where the machine has several.
    let nodes = common::nodes(world, Some(1))?;
    if let Some(advice) = Processors::of_this_rank().advice(options.workers) {
        complain(advice);
    }
    let n = options.size;
    let a = DistArray::<f64, Ix2>::zeros(&nodes, (n, n))?;
    let (row, column) = (a.block()[0].start, a.block()[1].start);
    // A worker is no rank of this job, and is not to take itself for one.
    let workers =
        ndshm_mpi::rank_variables().fold(Workers::new(options.workers), Workers::env_remove);
    let sums = nodes.agree(workers.run(compute, &(a.array().clone(), row, column)))?;
    let by_workers = nodes.allreduce(sums.iter().sum::<f64>(), Sum)?;
    let by_ranks = a.allreduce(Sum)?; // what the workers wrote is there
    let right = by_workers == (n * n) as f64 && by_ranks == by_workers;
    if nodes.rank() == 0 {
        let (ranks, workers) = (nodes.size(), options.workers);
        if options.json {
            say!(
                "{}",
                json!({
                    "size": n, "ranks": ranks, "workers": workers, "sum": by_workers, "right": right,
                })
            )?;
        } else {
            say!(
                "{n} x {n} by {workers} workers under each of {ranks} ranks: the sum {by_workers} is {}",
                if right { "right" } else { "WRONG" }
            )?;
        }
    }
    Ok(right)
}

fn main() -> ExitCode {
    ndshm_workers::init(); // first line: a worker process starts here, and never comes to MPI
    let options = common::options();
    let universe = match ndshm_mpi::init() {
        Ok(universe) => universe,
        Err(e) => return common::exit_code(Err(e.into())),
    };
    let world = universe.world();
    common::end(&world, run(&options, &world))
}
