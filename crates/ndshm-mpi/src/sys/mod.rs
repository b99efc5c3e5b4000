//! MPI as C has it. Every call of it is here, and every return code is looked at.
//!
//! # Invariants
//!
//! 1. MPI is initialised and not finalised whenever one of these functions is called: a `Comm` is made of a living
//!    communicator, is not `Send`, and so stays in the thread that may call MPI; after `MPI_Finalize`, which is asked for
//!    before anything is posted, nothing is called.
//! 2. All communicators are duplicates of our own with `MPI_ERRORS_RETURN`: no other code sends on them.
//! 3. Memory that MPI was lent belongs to a `Flight` until all of its requests are complete, and is leaked where they are not.

mod comm;
mod datatype;
mod flight;
pub(crate) mod kinds;
mod state;
mod thread;

pub(crate) use comm::Comm;
pub(crate) use datatype::{Datatype, Lent, LentMut};
pub(crate) use flight::{Flight, Posted};
pub(crate) use mpi::ffi::{MPI_Datatype, MPI_Op};
pub(crate) use state::State;
pub(crate) use thread::{may_call_here, rank_of_process};

use std::ffi::c_int;

use mpi::ffi;

use crate::error::Error;

/// What a call has returned.
fn check(call: &'static str, code: c_int) -> Result<(), Error> {
    if code == ffi::MPI_SUCCESS as c_int {
        return Ok(());
    }
    Err(error(call, code))
}

/// The error that such a code is.
#[cold]
fn error(call: &'static str, code: c_int) -> Error {
    let mut text = [0_u8; ffi::MPI_MAX_ERROR_STRING as usize];
    let mut len = 0;
    // SAFETY: `text` has the length that MPI says is enough (invariant 1 of the module).
    let told = unsafe { ffi::MPI_Error_string(code, text.as_mut_ptr().cast(), &raw mut len) };
    let len = if told == 0 { usize::try_from(len).unwrap_or(0).min(text.len()) } else { 0 };
    let message = String::from_utf8_lossy(&text[..len]).into_owned();
    Error::Mpi { call, code, message }
}

/// Bytes that leaders send at a time: the ranks of a node meet after each.
pub(crate) const PIECE: usize = 64 << 20;

/// Whether MPI has ended, so that its objects are gone.
pub(crate) fn is_finalised() -> bool {
    mpi::is_finalized()
}

/// A number as MPI takes it.
pub(crate) fn int(what: &'static str, n: usize) -> Result<c_int, Error> {
    c_int::try_from(n).map_err(|_| Error::TooLong { what, n })
}
