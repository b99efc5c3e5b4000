//! Segments made and opened, beside the bare system calls, other crates and Python.
//!
//! `cargo bench -p ndshm-benches --bench segments`. What follows `--` as for the benchmark `sync`.

use ndshm_benches::{Session, cpus, pin};

mod bare;
mod create;
mod open;
mod python;

fn main() {
    pin(cpus()[0]);
    let mut session = Session::from_args();
    create::contests().into_iter().chain(open::contests()).for_each(|c| session.hold(c));
    session.end();
}

/// A name that no other run has.
fn name(of: &str) -> String {
    format!("ndshm-bench-{of}-{}", std::process::id())
}
