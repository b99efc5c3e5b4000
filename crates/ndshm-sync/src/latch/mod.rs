//! What a fixed number of parties do once, and others wait for: the words ([`RawLatch`](raw::RawLatch))
//! apart from the handles ([`Latch`], [`LatchParty`]).

mod error;
mod raw;
mod typed;

pub use error::LatchError;
pub use typed::{Latch, LatchCell, LatchParty};
