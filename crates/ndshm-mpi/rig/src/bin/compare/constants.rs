//! Latency and bandwidth of messages, for the cost model.

use std::time::Instant;

use mpi::traits::{Communicator, Destination, Source};
use ndshm_benches::Spread;
use serde::Serialize;

/// A message of n bytes takes `latency + n / bandwidth`, one way.
#[derive(Serialize)]
pub(crate) struct Link {
    between: &'static str,
    /// Of a message of 8 bytes, in microseconds: half a round trip.
    latency_us: Spread,
    /// Of messages of 8 MiB, in bytes a second.
    bandwidth: Spread,
    /// The size at which both parts are equal.
    half_size: f64,
}

const ROUNDS: usize = 21;
const LONG: usize = 8 << 20;

/// Between two ranks, of which this may be one. `None` at all but the first.
pub(crate) fn link(
    ranks: &impl Communicator,
    between: &'static str,
    (first, second): (i32, i32),
) -> Option<Link> {
    let peer = match ranks.rank() {
        rank if rank == first => second,
        rank if rank == second => first,
        _ => return None,
    };
    let begins = ranks.rank() == first;
    let short: Vec<f64> = (0..ROUNDS).map(|_| one_way(ranks, peer, begins, 8, 400)).collect();
    let long: Vec<f64> = (0..ROUNDS).map(|_| one_way(ranks, peer, begins, LONG, 4)).collect();
    let latency = Spread::of(short.clone()).median;
    #[allow(clippy::cast_precision_loss, reason = "a few million")]
    let bandwidth = Spread::of(long.iter().map(|s| LONG as f64 / (s - latency)).collect());
    begins.then(|| Link {
        between,
        latency_us: Spread::of(short.iter().map(|s| s * 1e6).collect()),
        bandwidth,
        half_size: latency * bandwidth.median,
    })
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
