//! Who may touch which part: claims, checked across processes and threads by one table in the
//! segment.

mod circle;
mod entry;
mod error;
mod guard;
mod held;
mod lock;
mod operand;
mod ops;
mod part;
mod progression;
mod request;
mod room;
mod seen;
mod select;
mod table;
mod whole;

pub use entry::Mode;
pub(crate) use entry::State;
pub use error::{ClaimError, PoisonedClaim, PoisonedPart};
pub use guard::{ReadGuard, WriteGuard};
pub(crate) use held::Claim;
pub use part::Part;
pub(crate) use part::Selection;
pub(crate) use progression::Progression;
pub(crate) use request::{Patience, Poison, Want};
pub(crate) use seen::{Seen, TableCopy};
pub use select::{Outside, Select};
pub(crate) use select::{Sealed, resolve};
pub(crate) use table::{ClaimTable, Head, table_len, table_words};
