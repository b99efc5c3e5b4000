//! What the least that it takes costs: the system calls alone.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::ptr;

/// A number that the kernel returned, or its error.
fn checked(returned: libc::c_int) -> libc::c_int {
    assert!(returned >= 0, "{}", io::Error::last_os_error());
    returned
}

fn owned(fd: libc::c_int) -> OwnedFd {
    // SAFETY: the kernel gave it out just now, to nobody else.
    unsafe { OwnedFd::from_raw_fd(checked(fd)) }
}

/// Maps that file, and gives the addresses back.
fn map_and_unmap(fd: &OwnedFd, len: usize) {
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    // SAFETY: at an address of the kernel's choice.
    let at = unsafe {
        libc::mmap(ptr::null_mut(), len, protection, libc::MAP_SHARED, fd.as_raw_fd(), 0)
    };
    assert_ne!(at, libc::MAP_FAILED, "{}", io::Error::last_os_error());
    // SAFETY: mapped just now, and nobody refers to it.
    checked(unsafe { libc::munmap(at, len) });
}

/// memfd, reserved and mapped; and gone.
pub(super) fn memfd(len: usize) {
    // SAFETY: a string that ends with a zero.
    let fd = owned(unsafe { libc::memfd_create(c"bench".as_ptr(), libc::MFD_CLOEXEC) });
    // SAFETY: no pointer is passed.
    checked(unsafe { libc::fallocate(fd.as_raw_fd(), 0, 0, len as libc::off_t) });
    map_and_unmap(&fd, len);
}

/// A POSIX name, made.
pub(super) fn shm_create(name: &CString, len: usize) -> OwnedFd {
    let how = libc::O_CREAT | libc::O_EXCL | libc::O_RDWR;
    // SAFETY: a string that ends with a zero.
    let fd = owned(unsafe { libc::shm_open(name.as_ptr(), how, 0o600) });
    // SAFETY: no pointer is passed.
    checked(unsafe { libc::fallocate(fd.as_raw_fd(), 0, 0, len as libc::off_t) });
    fd
}

pub(super) fn shm_unlink(name: &CString) {
    // SAFETY: a string that ends with a zero.
    checked(unsafe { libc::shm_unlink(name.as_ptr()) });
}

/// A POSIX name, made, mapped; and gone.
pub(super) fn shm(name: &CString, len: usize) {
    let fd = shm_create(name, len);
    map_and_unmap(&fd, len);
    shm_unlink(name);
}

/// A POSIX name, opened and mapped; and given back.
pub(super) fn shm_open(name: &CString, len: usize) {
    // SAFETY: a string that ends with a zero.
    let fd = owned(unsafe { libc::shm_open(name.as_ptr(), libc::O_RDWR, 0) });
    map_and_unmap(&fd, len);
}
