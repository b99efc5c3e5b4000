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
mod seen;
mod select;
mod table;
mod whole;

pub use entry::Mode;
pub(crate) use entry::State;
pub use error::{ClaimError, PoisonedClaim, PoisonedPart};
pub use guard::{ReadGuard, WriteGuard};
pub use part::Part;
pub(crate) use seen::TableCopy;
pub(crate) use select::resolve;
pub use select::{Outside, Select};
pub(crate) use table::{Claim, ClaimTable, Head, Patience, Want, table_len, table_words};
pub(crate) use whole::Whole;
