//! POSIX shared memory by its name, for what `shared_memory` does not do with it: look at it, reserve it, remove a
//! name whatever stands behind it.

use std::ffi::CString;
use std::io;
use std::os::fd::{FromRawFd, OwnedFd};

/// Opens what has that name, for reading and writing; links are not followed.
pub(crate) fn open(os_id: &str) -> io::Result<OwnedFd> {
    let name = CString::new(os_id)?;
    loop {
        // SAFETY: `name` is a string that ends in zero and lives for the call; without O_CREAT there is no mode to
        // tell.
        let fd = unsafe { libc::shm_open(name.as_ptr(), libc::O_RDWR, 0) };
        if fd >= 0 {
            // SAFETY: open since just now, close-on-exec as POSIX has it, and nobody else's.
            return Ok(unsafe { OwnedFd::from_raw_fd(fd) });
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

/// Removes a name.
pub(crate) fn unlink(os_id: &str) -> io::Result<()> {
    let name = CString::new(os_id)?;
    // SAFETY: `name` is a string that ends in zero and lives for the call.
    match unsafe { libc::shm_unlink(name.as_ptr()) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// True where the error of a reservation means that there is nothing to reserve: the system gives out memory as it is
/// touched, and has no such call for shared memory.
pub(crate) fn cannot_reserve(error: &io::Error) -> bool {
    let known =
        [libc::ENOTTY, libc::EINVAL, libc::ENODEV, libc::EBADF, libc::ENOSYS, libc::EOPNOTSUPP];
    error.raw_os_error().is_some_and(|error| known.contains(&error))
}

/// True where a link stood in the way.
pub(crate) fn is_link(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::ELOOP)
}
