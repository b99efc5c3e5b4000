//! What the benchmarks share: the rivals behind one trait, processors to pin to, and a table of
//! ratios.
//!
//! Absolute times on a shared machine drift by the minute. So what is compared is measured in one
//! run, in turns ([`interleaved`]), and reported as ratios of medians.

mod arena;
mod cpu;
mod interleaved;
mod peer;
mod pthread;
mod rivals;

pub use arena::Arena;
pub use cpu::{cpus, pin};
pub use interleaved::{Contender, interleaved};
pub use peer::{Peer, obey};
pub use pthread::PthreadMutex;
pub use rivals::{InProcess, Lock, Ndshm, ParkingLot, Pthread, RawSync, Std, increments};
