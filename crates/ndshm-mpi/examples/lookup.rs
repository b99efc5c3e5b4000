//! A look-up table of which each node has one copy: the first rank computes it, it is sent once a node, and all ranks read it in place.
//!
//! `mpirun -np 4 --bind-to none target/release/examples/lookup`

mod common;

use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use mpi::traits::Communicator;
use ndarray::Ix1;
use ndshm_array::ClaimError;
use ndshm_examples::options::{at_least_one, between};
use ndshm_examples::say;
use ndshm_mpi::{Max, NodeArray, Sum};
use serde_json::json;

/// Sines from a table that the ranks of a node share; checks them against computed ones.
#[derive(Debug, Parser)]
#[command(
    name = "lookup",
    after_help = "Exit status: 0 all right, 1 a value is wrong or an operation failed, 2 bad input."
)]
struct Options {
    /// Entries of the table
    #[arg(long, value_name = "N", default_value_t = 1_000_001, value_parser = between::<usize>(2, 1_000_000_000))]
    size: usize,
    /// What each rank looks up
    #[arg(long, value_name = "N", default_value_t = 1_000_000, value_parser = at_least_one)]
    lookups: usize,
    /// Ranks that are a node [default: all that share memory]
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    node_size: Option<usize>,
    /// A name for the table, by which other programs find it meanwhile
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

fn run(options: &Options, world: &impl Communicator) -> Result<bool, Box<dyn std::error::Error>> {
    let nodes = common::nodes(world, options.node_size)?;
    let mut table = NodeArray::<f64, Ix1>::options(&nodes);
    if let Some(name) = &options.name {
        table = table.name(name);
    }
    let last = options.size - 1;
    let angle = |i: usize| i as f64 / last as f64 * std::f64::consts::TAU;
    let table = table.zeros(options.size)?;
    if nodes.rank() == 0 {
        table.write().map_err(ClaimError::without_guard)?.fill_with_index(|i| angle(i).sin());
    }
    let start = Instant::now();
    table.broadcast(0)?;
    let sent = start.elapsed().as_secs_f64();

    let table = table.read().map_err(ClaimError::without_guard)?; // as all ranks of the node do, at once
    let start = Instant::now();
    let mut worst = 0.0_f64;
    let mut state = nodes.rank() as u64;
    for _ in 0..options.lookups {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let at = (state >> 33) as f64 / f64::from(1_u32 << 31) * last as f64;
        let below = (at as usize).min(last - 1);
        let between = at - below as f64;
        let found = table[below] * (1.0 - between) + table[below + 1] * between;
        worst = worst.max((found - (at / last as f64 * std::f64::consts::TAU).sin()).abs());
    }
    let seconds = nodes.allreduce(start.elapsed().as_secs_f64(), Max)?;
    let (worst, lookups) =
        (nodes.allreduce(worst, Max)?, nodes.allreduce(options.lookups as u64, Sum)?);
    // What a line between neighbours may be off, and a little for rounding.
    let step = std::f64::consts::TAU / last as f64;
    let right = worst <= step * step / 8.0 + 1e-12;
    if nodes.rank() == 0 {
        let bytes = options.size * size_of::<f64>();
        if options.json {
            say!(
                "{}",
                json!({
                    "size": options.size, "ranks": nodes.size(), "nodes": nodes.len(), "bytes_per_node": bytes,
                    "lookups": lookups, "broadcast_seconds": sent, "seconds": seconds, "worst": worst, "right": right,
                })
            )?;
        } else {
            say!(
                "{bytes} bytes on each of {} nodes, for {} ranks; sent in {sent:.4} s",
                nodes.len(),
                nodes.size()
            )?;
            say!(
                "{lookups} sines in {seconds:.3} s, off by {worst:.1e} at most: {}",
                if right { "right" } else { "WRONG" }
            )?;
        }
    }
    Ok(right)
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
