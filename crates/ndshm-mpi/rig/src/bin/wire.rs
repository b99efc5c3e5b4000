//! `wire`: see `--help`.

use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use ndarray::Ix2;
use ndshm_mpi::{DistArray, NodeArray, Nodes, Reduction, Sum};

/// Does one operation, as a rank, and prints how many bytes a host has to receive for it.
///
/// That is what the algorithm needs between two hosts, without what MPI and TCP put around it. `ci/mpi.sh` compares it with
/// what the network cards have counted, less what they count for `nothing`.
#[derive(Parser)]
#[command(name = "wire", version)]
struct Options {
    what: What,
    /// Of the array, in MiB; for `halo` of a row, in KiB.
    #[arg(long, default_value_t = 16)]
    size: usize,
    /// How often.
    #[arg(long, default_value_t = 1)]
    times: usize,
}

#[derive(Clone, Copy, ValueEnum)]
enum What {
    Nothing,
    Broadcast,
    Halo,
    Allreduce,
}

fn main() -> ExitCode {
    let options = Options::parse();
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("wire: {e}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<(), Box<dyn std::error::Error>> {
    let universe = ndshm_mpi::init()?;
    let nodes = Nodes::new(&universe.world())?;
    let Options { what, size, times } = *options;
    let each = match what {
        What::Nothing => 0,
        What::Broadcast => broadcast(&nodes, size << 20, times)?,
        What::Halo => halo(&nodes, size << 10, times)?,
        What::Allreduce => allreduce(&nodes, size << 20, times)?,
    };
    if nodes.rank() == 0 {
        println!("{}", each * times);
    }
    Ok(())
}

/// The table, once.
fn broadcast(nodes: &Nodes, bytes: usize, times: usize) -> ndshm_mpi::Result<usize> {
    let table = NodeArray::<f64, _>::zeros(nodes, bytes / size_of::<f64>())?;
    (0..times).try_for_each(|_| table.broadcast(0))?;
    Ok(bytes)
}

/// A row from the neighbour.
fn halo(nodes: &Nodes, bytes: usize, times: usize) -> ndshm_mpi::Result<usize> {
    let options = DistArray::<f64, Ix2>::options(nodes).grid([nodes.len()]).halo([1, 0]);
    let field = options.zeros((16, bytes / size_of::<f64>()))?;
    (0..times).try_for_each(|_| field.exchange())?;
    Ok(bytes)
}

/// What the other node has combined, or all of it.
fn allreduce(nodes: &Nodes, bytes: usize, times: usize) -> ndshm_mpi::Result<usize> {
    let sums = Reduction::<f64, _>::zeros(nodes, bytes / size_of::<f64>())?;
    (0..times).try_for_each(|_| sums.allreduce(Sum))?;
    Ok(bytes)
}
