//! The portable backend: shared memory by its os_id, mapped by the crate `shared_memory`.
//!
//! That crate maps, and is not relied on for anything else. What it does not do is done here, by the name and a
//! descriptor of one's own ([`sys::shm`](crate::sys::shm)), and what it does wrong is kept from others:
//!
//! - It sizes without reserving, so that a full filesystem would be a SIGBUS at some touch. Who creates a segment, and who
//!   opens one, looks whether there is room, and reserves, before anything is touched.
//! - Between its two steps of creating, others find a length of 0. They are made to wait, not for ever.
//! - Its lengths are rounded to pages on some systems. A segment of this crate ends with a [`Trailer`](trailer::Trailer),
//!   which has the exact one, and by which it is published, too: its magic is stored last.
//! - It removes a name in a destructor, if it owns the mapping and its descriptor is not number 0. Here no mapping is ever owned.
//! - Its errors are numbers. Links in files, which it writes in parts, are not used.

mod create;
mod lacking;
mod mapped;
mod open;
mod remove;
mod trailer;

use std::io;

use shared_memory::ShmemError;

pub(crate) use create::create;
pub(crate) use mapped::Mapped;
pub(crate) use open::open;
pub(crate) use remove::{Created, persist, remove, unlink};

/// What the system answered to `shared_memory`.
fn answer(error: ShmemError) -> io::Error {
    match error {
        ShmemError::MapCreateFailed(number)
        | ShmemError::MapOpenFailed(number)
        | ShmemError::UnknownOsError(number) => {
            number.try_into().map_or_else(io::Error::other, io::Error::from_raw_os_error)
        }
        other => io::Error::other(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_errors_of_the_system() {
        let error = answer(ShmemError::MapOpenFailed(2));
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        let other = answer(ShmemError::NoLinkOrOsId);
        assert!(other.raw_os_error().is_none() && other.to_string().contains("os_id"));
    }
}
