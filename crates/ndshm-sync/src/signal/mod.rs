//! Permits that one process gives and another takes: the words ([`RawSignal`](raw::RawSignal)) apart
//! from the handle ([`SignalSemaphore`]).

mod raw;
mod typed;

pub use typed::{PostError, SignalSemaphore, SignalSemaphoreCell};
