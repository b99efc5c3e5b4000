//! What the benchmarks share: processors to pin to, and comparison in turns.
//!
//! Absolute times on a shared machine drift by the minute. So what is compared is measured in one
//! run, in turns ([`interleaved`]), and reported as ratios of medians.

mod cpu;
mod interleaved;

pub use cpu::{cpus, pin};
pub use interleaved::{Contender, interleaved};
