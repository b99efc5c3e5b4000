//! Waiting, with a mutex, for something to become true: the word ([`RawCondvar`](raw::RawCondvar))
//! apart from the handle ([`Condvar`]).

mod raw;
mod timeout;
mod typed;

pub use timeout::WaitTimeoutResult;
pub use typed::{Condvar, CondvarCell};
