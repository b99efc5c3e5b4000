//! Claims and snapshots of arrays, beside locks that know parts, and memcpy.
//!
//! `cargo bench -p ndshm-benches --bench array`. What follows `--` as for the benchmark `sync`.

use ndshm_benches::{cpus, hold, pin};

mod claims;
mod snapshot;

fn main() {
    pin(cpus()[0]);
    hold(claims::contests().into_iter().chain([snapshot::shared(), snapshot::read_only()]));
}
