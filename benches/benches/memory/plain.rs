//! Shared memory without a library: a memfd, mapped.

use std::fs::File;
use std::os::fd::{AsRawFd, FromRawFd};
use std::{io, ptr, slice};

/// Unmapped and gone when it is dropped.
pub(crate) struct Plain {
    at: *mut libc::c_void,
    len: usize,
    _file: File,
}

impl Plain {
    /// Neither reserved nor touched, unless the flags of `mmap` say so.
    pub(crate) fn map(len: usize, flags: libc::c_int) -> Self {
        // SAFETY: the name is a string that ends in zero.
        let fd = unsafe { libc::memfd_create(c"plain".as_ptr(), libc::MFD_CLOEXEC) };
        assert!(fd >= 0, "memfd_create: {}", io::Error::last_os_error());
        // SAFETY: just made, and nobody else's.
        let file = unsafe { File::from_raw_fd(fd) };
        file.set_len(len as u64).expect("a length");
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let flags = flags | libc::MAP_SHARED;
        // SAFETY: a null address lets the kernel choose a range that nothing occupies.
        let at =
            unsafe { libc::mmap(ptr::null_mut(), len, protection, flags, file.as_raw_fd(), 0) };
        assert_ne!(at, libc::MAP_FAILED, "mmap: {}", io::Error::last_os_error());
        Self { at, len, _file: file }
    }

    pub(crate) fn bytes(&mut self) -> &mut [u8] {
        // SAFETY: mapped for as long as `self` is there, and nobody else has it: what is forked from this process
        // writes parts that this process does not.
        unsafe { slice::from_raw_parts_mut(self.at.cast(), self.len) }
    }

    /// `MADV_POPULATE_WRITE` for a part.
    pub(crate) fn populate(&self, start: usize, len: usize) {
        assert!(start + len <= self.len);
        let at = self.at.cast::<u8>().wrapping_add(start).cast();
        // SAFETY: within the mapping; no byte changes.
        let done = unsafe { libc::madvise(at, len, libc::MADV_POPULATE_WRITE) };
        assert_eq!(done, 0, "madvise: {}", io::Error::last_os_error());
    }
}

impl Drop for Plain {
    fn drop(&mut self) {
        // SAFETY: mapped by `map`, and what borrowed it is gone.
        unsafe { libc::munmap(self.at, self.len) };
    }
}
