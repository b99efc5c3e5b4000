//! Something that has happened: the words ([`RawEvent`](raw::RawEvent)) apart from the handle
//! ([`Event`]).

mod raw;
mod typed;

pub use typed::{Event, EventCell, Reset};
