//! What any unix has, by `rustix` and `libc`.

mod facts;
mod reserve;
mod room;
#[cfg(feature = "portable")]
pub(crate) mod shm;

use std::os::fd::{AsFd, AsRawFd, RawFd};

use rustix::io::Errno;

pub(crate) use facts::{FileFacts, FileKind, facts_of, read_end};
pub(crate) use reserve::{is_full, reserve};
pub(crate) use room::{descriptor_limit, directory_room, file_size_limit, lacks_descriptors};

/// The directory of named segments where nobody names another.
pub(crate) const DEFAULT_DIRECTORY: &str = "/dev/shm";

/// How long the name of shared memory can be, its slash included.
pub(crate) const LONGEST_OS_ID: usize = if cfg!(target_vendor = "apple") { 31 } else { 255 };

pub(crate) fn page_size() -> usize {
    rustix::param::page_size()
}

pub(crate) fn process_id() -> u32 {
    std::process::id()
}

pub(crate) fn effective_user() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// The number of a descriptor.
pub(crate) fn raw(fd: impl AsFd) -> RawFd {
    fd.as_fd().as_raw_fd()
}

pub(super) fn again<T>(mut call: impl FnMut() -> rustix::io::Result<T>) -> rustix::io::Result<T> {
    loop {
        match call() {
            Err(Errno::INTR) => {}
            other => return other,
        }
    }
}
