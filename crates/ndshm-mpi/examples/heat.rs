//! The heat equation on a plate that is divided among nodes: each rank computes its band of its node's block, from the rows and columns
//! around it, which are its node's or come from the neighbours as halos.
//!
//! `mpirun -np 4 --bind-to none target/release/examples/heat --node-size 2 --check --png heat.png`

mod common;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use mpi::traits::Communicator;
use ndarray::{Array2, Ix2};
use ndshm_examples::options::{at_least_one, between, picture_path};
use ndshm_examples::{picture::picture, say};
use ndshm_mpi::{DistArray, Sum};
use serde_json::json;

/// How heat spreads over a plate from an edge and a spot that are kept hot; the other edges are kept cold. The result is the
/// same, to the last bit, for any number of ranks and nodes.
#[derive(Debug, Parser)]
#[command(
    name = "heat",
    after_help = "Exit status: 0 all right, 1 an operation failed or the result is wrong, 2 bad input."
)]
struct Options {
    /// Rows and columns of the plate
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = between::<usize>(8, 100_000))]
    size: usize,
    /// Steps, of which each brings the heat one row on
    #[arg(long, value_name = "N", default_value_t = 2000, value_parser = between::<usize>(0, 1_000_000_000))]
    steps: usize,
    /// Ranks that are a node [default: all that share memory]
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    node_size: Option<usize>,
    /// Compare with what one process computes
    #[arg(long)]
    check: bool,
    /// Draw the plate there in the end
    #[arg(long, value_name = "OUT.png", value_parser = picture_path)]
    png: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// 1 where it is hot at first, 0 elsewhere.
fn heat(n: usize, i: usize, j: usize) -> f64 {
    f64::from(u8::from(i == 0 || is_spot(n, i, j)))
}

/// Whether it is in the disc that is kept hot.
fn is_spot(n: usize, i: usize, j: usize) -> bool {
    let (x, y) = (j as f64 - 0.7 * n as f64, i as f64 - 0.6 * n as f64);
    x.hypot(y) < n as f64 / 12.0
}

/// The next state of this rank's band.
fn step(now: &DistArray<f64, Ix2>, next: &DistArray<f64, Ix2>) -> ndshm_mpi::Result<()> {
    let n = now.shape()[0];
    let (rows, columns) = (now.band()[0].clone(), now.band()[1].clone());
    let (now, mut next) = (now.claim_stencil()?, next.claim_band_mut()?);
    for (k, i) in rows.enumerate().filter(|(_, i)| (1..n - 1).contains(i)) {
        // The guard begins one row and one column before the band.
        let (above, here, below) = (now.row(k), now.row(k + 1), now.row(k + 2));
        for (l, j) in columns.clone().enumerate().filter(|(_, j)| (1..n - 1).contains(j)) {
            if !is_spot(n, i, j) {
                next[[k, l]] = (above[l + 1] + below[l + 1] + here[l] + here[l + 2]) / 4.0;
            }
        }
    }
    Ok(())
}

/// The same by one process.
fn alone(n: usize, steps: usize) -> Array2<f64> {
    let mut now = Array2::from_shape_fn((n, n), |(i, j)| heat(n, i, j));
    let mut next = now.clone();
    for _ in 0..steps {
        for i in 1..n - 1 {
            for j in 1..n - 1 {
                if !is_spot(n, i, j) {
                    next[[i, j]] =
                        (now[[i - 1, j]] + now[[i + 1, j]] + now[[i, j - 1]] + now[[i, j + 1]])
                            / 4.0;
                }
            }
        }
        std::mem::swap(&mut now, &mut next);
    }
    now
}

fn run(options: &Options, world: &impl Communicator) -> Result<bool, Box<dyn std::error::Error>> {
    let nodes = common::nodes(world, options.node_size)?;
    let n = options.size;
    // A stencil that looks along the axes takes no corners.
    let array = DistArray::<f64, Ix2>::options(&nodes).halo([1, 1]).corners(false);
    let (mut now, mut next) = (array.zeros((n, n))?, array.zeros((n, n))?);
    for plate in [&now, &next] {
        plate.fill_with_index(|(i, j)| heat(n, i, j))?;
    }
    nodes.barrier()?;
    let start = Instant::now();
    for _ in 0..options.steps {
        now.exchange()?;
        step(&now, &next)?;
        std::mem::swap(&mut now, &mut next);
    }
    nodes.barrier()?;
    let seconds = start.elapsed().as_secs_f64();

    let mean = now.allreduce(Sum)? / (n * n) as f64;
    let plate = if options.check || options.png.is_some() { now.gather(0)? } else { None };
    let right =
        plate.as_ref().filter(|_| options.check).map(|plate| *plate == alone(n, options.steps));
    let drawn = match (&options.png, &plate) {
        (Some(path), Some(plate)) => picture(path, plate),
        _ => Ok(()),
    };
    nodes.agree(drawn)?;
    if nodes.rank() == 0 {
        let (ranks, grid) = (nodes.size(), now.grid());
        let nodes = nodes.len();
        if options.json {
            let png = options.png.as_ref().map(|path| path.to_string_lossy());
            say!(
                "{}",
                json!({
                    "size": n, "steps": options.steps, "ranks": ranks, "nodes": nodes, "grid": grid,
                    "seconds": seconds, "mean": mean, "right": right, "png": png,
                })
            )?;
        } else {
            say!(
                "{n} x {n}, {} steps by {ranks} ranks on {nodes} nodes, {grid:?}: {seconds:.3} s",
                options.steps
            )?;
            say!("mean temperature {mean}")?;
            if let Some(right) = right {
                say!(
                    "{}",
                    if right {
                        "the same as by one process"
                    } else {
                        "NOT the same as by one process"
                    }
                )?;
            }
            if let Some(path) = &options.png {
                say!("drawn: {}", path.display())?;
            }
        }
    }
    // All ranks end alike.
    Ok(nodes.allreduce(u8::from(right != Some(false)), ndshm_mpi::Min)? == 1)
}

fn main() -> ExitCode {
    let options = common::options();
    let universe = match ndshm_mpi::init() {
        Ok(universe) => universe,
        Err(e) => return common::exit_code(Err(e.into())),
    };
    let world = universe.world();
    common::end(&world, run(&options, &world))
}
