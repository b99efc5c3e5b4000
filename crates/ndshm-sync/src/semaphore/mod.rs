//! A number of permits, each with an owner: the words ([`RawSemaphore`](raw::RawSemaphore)) apart
//! from the handles ([`Semaphore`], [`SemaphorePermit`]).

mod error;
mod permit;
mod raw;
mod typed;

pub use error::{AcquireError, Reclaimed};
pub use permit::SemaphorePermit;
pub use typed::{OnDeath, Semaphore, SemaphoreCell};
