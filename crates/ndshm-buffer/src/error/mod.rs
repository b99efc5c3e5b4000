//! One small error per operation. Each message is one line: the segment, what is wrong, what to do.

mod access;
mod create;
mod grow;
mod list;
mod open;
mod pass;
mod prefault;
mod remove;
mod unsupported;

pub use access::{MissingError, RangeError, ReadError, WriteError};
pub use create::{CreateError, Shortage};
pub use grow::GrowError;
pub use list::ListError;
pub use open::OpenError;
pub use pass::{InheritError, PassError, ReceiveError, SendError};
pub use prefault::PrefaultError;
pub use remove::{PersistError, RemoveError};
pub use unsupported::Unsupported;
