//! Who may touch which part: claims, checked across processes and threads by one table in the
//! segment.

mod circle;
mod entry;
mod error;
mod guard;
mod lock;
mod operand;
mod ops;
mod part;
mod progression;
mod select;
mod table;
mod whole;

pub(crate) use entry::Mode;
pub use error::{ClaimError, PoisonedClaim, PoisonedPart};
pub use guard::{ReadGuard, WriteGuard};
pub use part::Part;
pub use select::{Outside, Select};
pub(crate) use table::{
    Claim, ClaimTable, ENTRIES, Head, Patience, Poison, Refused, Want, table_len, table_words,
};
pub(crate) use whole::Whole;
