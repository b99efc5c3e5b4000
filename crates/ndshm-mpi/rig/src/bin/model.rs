//! `model`: see `--help`.

use clap::Parser;

/// What operations of ndshm-mpi take on paper, for 2 to 10,000 nodes: the table of docs/mpi.md.
///
/// A message of n bytes takes `latency + n / bandwidth`; what ranks of a node do in shared memory is limited by the memory of the node.
#[derive(Parser)]
#[command(name = "model", version)]
struct Constants {
    /// Of a message between nodes, in microseconds.
    #[arg(long, default_value_t = 2.0)]
    latency: f64,
    /// Of a leader's messages, in GB/s.
    #[arg(long, default_value_t = 12.5)]
    bandwidth: f64,
    /// Of what all ranks of a node read and write together, in GB/s.
    #[arg(long, default_value_t = 100.0)]
    memory: f64,
    /// Of a meeting of the ranks of a node, in microseconds.
    #[arg(long, default_value_t = 5.0)]
    meeting: f64,
    /// Ranks a node.
    #[arg(long, default_value_t = 64.0)]
    ranks: f64,
}

const MIB: f64 = (1 << 20) as f64;

/// Bytes that a long broadcast moves at a time, from leader to leader along a chain: of libnbc, in OpenMPI 4.1.
const SEGMENT: f64 = 65_536.0;
/// Bytes that `NodeArray::broadcast` hands to MPI at a time.
const PIECE: f64 = 64.0 * MIB;

/// All times in seconds.
impl Constants {
    fn wire(&self, bytes: f64) -> f64 {
        self.latency * 1e-6 + bytes / (self.bandwidth * 1e9)
    }

    /// Whether all have done well: two meetings within a node, eight bytes up a tree of leaders and down.
    fn settle(&self, nodes: f64) -> f64 {
        2.0 * self.meeting * 1e-6 + 2.0 * nodes.log2().ceil() * self.wire(8.0)
    }

    fn broadcast(&self, nodes: f64, bytes: f64) -> f64 {
        let chain =
            |piece: f64| (nodes - 2.0 + (piece / SEGMENT).ceil()) * self.wire(SEGMENT.min(piece));
        let pieces = (bytes / PIECE).floor();
        let rest = bytes - pieces * PIECE;
        let sent = pieces * chain(PIECE) + if rest > 0.0 { chain(rest) } else { 0.0 };
        3.0 * self.settle(nodes) + sent
    }

    /// Each rank reads its part of what all have, and writes it once.
    fn combine(&self, bytes: f64) -> f64 {
        self.meeting * 1e-6 + (self.ranks + 1.0) * bytes / (self.memory * 1e9)
    }

    fn allreduce(&self, nodes: f64, bytes: f64) -> f64 {
        let tree = 2.0 * nodes.log2().ceil() * self.wire(bytes);
        let ring = 2.0 * (nodes - 1.0) * self.wire(bytes / nodes);
        let sent = if nodes < 4.0 || bytes < 65_536.0 { tree } else { ring };
        self.settle(nodes) + self.combine(bytes) + sent
    }

    /// Two neighbours along each of three axes.
    fn halo(&self, face: f64) -> f64 {
        2.0 * self.meeting * 1e-6 + 6.0 * self.wire(face)
    }
}

fn main() {
    let constants = Constants::parse();
    let ms = |seconds: f64| match seconds * 1e3 {
        ms if ms < 0.1 => format!("{:.0} µs", ms * 1e3),
        ms if ms < 10.0 => format!("{ms:.2} ms"),
        ms => format!("{ms:.0} ms"),
    };
    println!(
        "| nodes | agreement | broadcast, 256 MiB | allreduce, 8 B | allreduce, 64 MiB | halo, 6 faces of 512 KiB |"
    );
    println!("|---|---|---|---|---|---|");
    for nodes in [2.0, 16.0, 128.0, 1024.0, 10_000.0] {
        let c = &constants;
        let figures = [
            c.settle(nodes),
            c.broadcast(nodes, 256.0 * MIB),
            c.allreduce(nodes, 8.0),
            c.allreduce(nodes, 64.0 * MIB),
            c.halo(512.0 * 1024.0),
        ];
        println!("| {nodes:.0} | {} |", figures.map(ms).join(" | "));
    }
}
