//! The product of two matrices that are divided among nodes (SUMMA): for each panel of columns of A and of rows of B, every node
//! gets what it needs of the two once, and its ranks multiply it together, each into its band of C.
//!
//! `mpirun -np 4 --bind-to none target/release/examples/summa --node-size 2`

mod common;

use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use mpi::traits::Communicator;
use ndarray::{Array2, Ix2, linalg::general_mat_mul, s};
use ndshm_examples::options::{at_least_one, between};
use ndshm_examples::say;
use ndshm_mpi::{DistArray, Min, NodeArray};
use serde_json::json;

/// C = A B, all three divided among nodes. Checks the product against that of one process, exactly.
#[derive(Debug, Parser)]
#[command(
    name = "summa",
    after_help = "Exit status: 0 the product is right, 1 it is not or an operation failed, 2 bad input."
)]
struct Options {
    /// Rows and columns of the matrices
    #[arg(long, value_name = "N", default_value_t = 600, value_parser = between::<usize>(1, 50_000))]
    size: usize,
    /// Columns of A and rows of B that are sent at a time
    #[arg(long, value_name = "N", default_value_t = 128, value_parser = at_least_one)]
    panel: usize,
    /// Ranks that are a node [default: all that share memory]
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    node_size: Option<usize>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

fn run(options: &Options, world: &impl Communicator) -> Result<bool, Box<dyn std::error::Error>> {
    let nodes = common::nodes(world, options.node_size)?;
    let n = options.size;
    let matrix = || DistArray::<f64, Ix2>::zeros(&nodes, (n, n));
    let (a, b, c) = (matrix()?, matrix()?, matrix()?);
    let in_a = |(i, j): (usize, usize)| ((i + 2 * j) % 7) as f64;
    let in_b = |(i, j): (usize, usize)| ((3 * i + j) % 5) as f64;
    a.fill_with_index(in_a)?;
    b.fill_with_index(in_b)?;

    // One copy of a panel of each for all ranks of a node; blocks differ by one row or column at most.
    let (rows, columns) = (c.block()[0].clone(), c.block()[1].clone());
    let width = options.panel.min(n);
    let most = |axis: usize| n.div_ceil(c.grid()[axis]);
    let of_a = NodeArray::<f64, Ix2>::zeros(&nodes, (most(0), width))?;
    let of_b = NodeArray::<f64, Ix2>::zeros(&nodes, (width, most(1)))?;
    let mine = c.band()[0].start - rows.start..c.band()[0].end - rows.start;

    nodes.barrier()?;
    let start = Instant::now();
    for first in (0..n).step_by(width) {
        let panel = first..(first + width).min(n);
        a.copy_to_nodes(&[rows.clone(), panel.clone()], &of_a)?;
        b.copy_to_nodes(&[panel.clone(), columns.clone()], &of_b)?;
        let lost = ndshm_array::ClaimError::without_guard;
        let of_a = of_a.claim(s![mine.clone(), ..panel.len()]).map_err(lost)?;
        let of_b = of_b.claim(s![..panel.len(), ..columns.len()]).map_err(lost)?;
        general_mat_mul(1.0, &of_a, &of_b, 1.0, &mut *c.claim_band_mut()?);
    }
    nodes.barrier()?;
    let seconds = start.elapsed().as_secs_f64();

    let expected = |_: &Array2<f64>| {
        Array2::from_shape_fn((n, n), in_a).dot(&Array2::from_shape_fn((n, n), in_b))
    };
    // Whole numbers: exact in any order.
    let right = c.gather(0)?.map(|c| c == expected(&c));
    if let Some(right) = right {
        let (ranks, grid) = (nodes.size(), c.grid());
        if options.json {
            say!(
                "{}",
                json!({
                    "size": n, "panel": width, "ranks": ranks, "nodes": nodes.len(), "grid": grid,
                    "seconds": seconds, "right": right,
                })
            )?;
        } else {
            say!("{n} x {n} by {ranks} ranks on {} nodes, {grid:?}: {seconds:.3} s", nodes.len())?;
            say!("the product is {}", if right { "right" } else { "WRONG" })?;
        }
    }
    Ok(nodes.allreduce(u8::from(right != Some(false)), Min)? == 1)
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
