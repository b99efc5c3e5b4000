//! Who may touch which rows: claims, checked across processes and threads by one table in the
//! segment.

mod error;
mod guard;
mod lock;
mod operand;
mod ops;
mod rows;
mod seen;
mod table;

pub use error::{ClaimError, PoisonedClaim, PoisonedPart};
pub use guard::{ReadGuard, WriteGuard};
pub(crate) use rows::{Rows, resolve};
pub(crate) use table::{Claim, ClaimTable, Mode, Patience};
