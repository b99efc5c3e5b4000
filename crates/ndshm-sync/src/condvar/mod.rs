//! Waiting, with a mutex, for something to become true: the word ([`RawCondvar`](raw::RawCondvar))
//! apart from the handle ([`Condvar`]).

mod raw;
mod typed;

pub use typed::{Condvar, CondvarCell, WaitTimeoutResult};
