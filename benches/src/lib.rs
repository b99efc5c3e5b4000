//! What the benchmarks share: processors to pin to, sleep and the clock without a library between,
//! comparison in turns.
//!
//! Absolute times on a shared machine drift by the minute. So what is compared is measured in one
//! run, in turns ([`interleaved`]), and reported as ratios of medians, each beside what was
//! promised ([`Target`]).

mod contest;
mod cpu;
mod interleaved;
mod system;
mod target;

pub use contest::{Contest, hold, timed};
pub use cpu::{cpus, pin};
pub use interleaved::{Contender, Measured, interleaved, one_by_one, print_table};
pub use system::{busy, now, sleep_on, wake};
pub use target::{Target, Verdict};
