//! What the tests of this workspace share.

use std::fs::File;
use std::os::fd::{AsRawFd, FromRawFd};
use std::ptr::NonNull;

/// A memfd of `len` zeroed bytes, mapped shared for the rest of the process's life.
///
/// # Panics
///
/// When the system has no memory for it.
#[must_use]
pub fn map_memfd(len: usize) -> (NonNull<u8>, File) {
    // SAFETY: the name is a string that ends in zero.
    let fd = unsafe { libc::memfd_create(c"ndshm-testkit".as_ptr(), libc::MFD_CLOEXEC) };
    assert!(fd >= 0, "memfd_create: {}", std::io::Error::last_os_error());
    // SAFETY: a new descriptor that nothing else owns.
    let file = unsafe { File::from_raw_fd(fd) };
    file.set_len(len as u64).expect("cannot size the memfd");
    (map(&file, len), file)
}

/// The first `len` bytes of `file`, mapped shared for the rest of the process's life.
///
/// # Panics
///
/// When the file cannot be mapped.
#[must_use]
pub fn map(file: &File, len: usize) -> NonNull<u8> {
    let prot = libc::PROT_READ | libc::PROT_WRITE;
    // SAFETY: a new mapping at an address of the kernel's choice touches no memory of ours.
    let base = unsafe {
        libc::mmap(std::ptr::null_mut(), len, prot, libc::MAP_SHARED, file.as_raw_fd(), 0)
    };
    assert!(base != libc::MAP_FAILED, "mmap: {}", std::io::Error::last_os_error());
    NonNull::new(base.cast()).expect("mmap does not return null")
}
