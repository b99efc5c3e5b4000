//! What the benchmarks share: processors to pin to, sleep and the clock without a library between,
//! comparison in turns.
//!
//! Absolute times on a shared machine drift by the minute. So what is compared is measured in one
//! run, in turns ([`Session::in_turns`]), and reported as ratios of medians with what lies around
//! them ([`Report`]), each beside what was promised ([`Target`]).

mod contest;
mod cpu;
mod machine;
mod measured;
mod report;
mod session;
mod system;
mod target;

pub use contest::{Contender, Contest, timed};
pub use cpu::{cpus, pin};
pub use machine::Machine;
pub use measured::{Measured, Spread};
pub use report::{Outcome, Report, absent};
pub use session::Session;
pub use system::{busy, now, sleep_on, wake};
pub use target::{Promise, Target, Verdict};
