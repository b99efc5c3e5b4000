//! What a fixed number of parties do once, and others wait for: the words ([`RawLatch`](raw::RawLatch))
//! apart from the handles ([`Latch`], [`LatchParty`]).

mod error;
mod party;
mod raw;
mod typed;

pub use error::LatchError;
pub use party::LatchParty;
pub use typed::{Latch, LatchCell};
