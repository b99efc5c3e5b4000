//! One small error per operation. Each message is one line: the segment, what is wrong, what to do.

mod access;
mod create;
mod open;
mod prefault;
mod remove;

pub use access::{RangeError, WriteError};
pub use create::{CreateError, Shortage};
pub use open::OpenError;
pub use prefault::PrefaultError;
pub use remove::{PersistError, RemoveError};
