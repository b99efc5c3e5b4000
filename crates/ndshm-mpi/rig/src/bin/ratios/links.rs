//! Latency and bandwidth of messages, for the cost model.

use std::time::Instant;

use mpi::traits::{Communicator, Destination, Source};
use ndshm_benches::Spread;
use ndshm_mpi::Nodes;
use serde::{Deserialize, Serialize};

use crate::report::Part;

/// A message of n bytes takes `latency + n / bandwidth`, one way.
#[derive(Deserialize, Serialize)]
pub(crate) struct Link {
    between: String,
    /// Of a message of 8 bytes, in seconds: half a round trip.
    latency: Spread,
    /// Of messages of 8 MiB, in bytes a second.
    bandwidth: Spread,
}

const ROUNDS: usize = 15;
const LONG: usize = 8 << 20;

/// Between the first rank and the last.
pub(crate) fn measure(nodes: &Nodes, ranks: &impl Communicator, part: &mut Part) {
    let last = ranks.size() - 1;
    let peer = match ranks.rank() {
        0 => last,
        rank if rank == last => 0,
        _ => return,
    };
    let begins = ranks.rank() == 0;
    let short: Vec<f64> = (0..ROUNDS).map(|_| one_way(ranks, peer, begins, 8, 1000)).collect();
    let long: Vec<f64> = (0..ROUNDS).map(|_| one_way(ranks, peer, begins, LONG, 4)).collect();
    let latency = Spread::of(short);
    #[allow(clippy::cast_precision_loss, reason = "a few million")]
    let bandwidth = long.iter().map(|s| LONG as f64 / (s - latency.median)).collect();
    let between = if nodes.len() == 1 { "ranks of a node" } else { "nodes" };
    part.links.push(Link {
        between: between.to_owned(),
        latency,
        bandwidth: Spread::of(bandwidth),
    });
}

/// Seconds for one of them, to and fro.
fn one_way(ranks: &impl Communicator, peer: i32, begins: bool, bytes: usize, times: u32) -> f64 {
    let peer = ranks.process_at_rank(peer);
    let mut buffer = vec![1_u8; bytes];
    let start = Instant::now();
    for _ in 0..times {
        if begins {
            peer.send(&buffer[..]);
            peer.receive_into(&mut buffer[..]);
        } else {
            peer.receive_into(&mut buffer[..]);
            peer.send(&buffer[..]);
        }
    }
    start.elapsed().as_secs_f64() / f64::from(times) / 2.0
}

impl Link {
    pub(crate) fn row(&self) -> String {
        let Self { between, latency, bandwidth } = self;
        let us = |s: f64| s * 1e6;
        let gb = |b: f64| b / 1e9;
        format!(
            "| between {between} | {:.2} µs ({:.2} to {:.2}) | {:.2} GB/s ({:.2} to {:.2}) | {:.1} KiB |\n",
            us(latency.median),
            us(latency.low),
            us(latency.high),
            gb(bandwidth.median),
            gb(bandwidth.low),
            gb(bandwidth.high),
            latency.median * bandwidth.median / 1024.0
        )
    }
}
