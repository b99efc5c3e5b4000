//! Who may touch which rows: claims, checked across processes and threads by one table in the
//! segment.

mod error;
mod guard;
mod ops;
mod rows;
mod table;

pub use error::{ClaimError, PoisonedClaim};
pub use guard::{ReadGuard, WriteGuard};
pub(crate) use rows::{Rows, resolve};
pub(crate) use table::{Claim, ClaimTable, ENTRIES, Mode, Patience, Poison, Refused};
