//! What is done once for all: the words ([`OnceWords`]) apart from the handles ([`Once`],
//! [`OnceCell`]).

mod cell;
mod error;
mod flag;
mod raw;

pub use cell::{OnceCell, OnceWords};
pub use error::OnceError;
pub use flag::Once;
pub(crate) use raw::initialise;
