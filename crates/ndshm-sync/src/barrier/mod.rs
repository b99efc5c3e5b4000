//! A meeting point: the words ([`BarrierCell`]) apart from the handles ([`Barrier`], [`Party`]).

mod error;
mod inspect;
mod party;
mod raw;

pub use error::{Absence, BarrierError, Lost};
pub(crate) use error::{list, ranks_in_words};
pub use party::{Barrier, BarrierWaitResult, Party};
pub use raw::BarrierCell;
pub(crate) use raw::{ABSENCE, absence, absent};
