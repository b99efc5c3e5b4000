//! Claims and snapshots of arrays, beside locks that know parts, and memcpy.
//!
//! `cargo bench -p ndshm-benches --bench array`. What follows `--` as for the benchmark `sync`.

use ndshm_benches::{Session, cpus, pin};

mod claims;
mod snapshot;

fn main() {
    pin(cpus()[0]);
    let mut session = Session::from_args();
    let snapshots = [snapshot::shared(), snapshot::read_only()];
    claims::contests().into_iter().chain(snapshots).for_each(|c| session.hold(c));
    session.end();
}
