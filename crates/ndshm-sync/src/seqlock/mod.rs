//! A value that is copied, not lent: the words of its versions apart from the typed handle
//! ([`SeqLock`]).

mod raw;
mod typed;

pub use typed::{SeqLock, SeqLockCell};
