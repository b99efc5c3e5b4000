//! Many readers or one writer: the words ([`RawRwLock`]) apart from the typed handle ([`RwLock`]).

mod cells;
mod guard;
mod head;
mod lane;
mod raw;
mod typed;

pub use cells::ReaderSeat;
pub use guard::{RwLockReadGuard, RwLockWriteGuard};
pub use raw::RawRwLock;
pub use typed::{RwLock, RwLockCell};
