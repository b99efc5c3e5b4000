//! How much there is to be had, and what a process may have.

use std::io;
use std::os::fd::BorrowedFd;

use rustix::io::Errno;
use rustix::process::{Resource, getrlimit};

/// Bytes free in the filesystem of a directory; `None` where it has no limit of its own.
pub(crate) fn directory_room(dir: BorrowedFd<'_>) -> io::Result<Option<u64>> {
    let fs = rustix::fs::fstatvfs(dir)?;
    // A tmpfs mounted without a size counts no blocks.
    Ok((fs.f_blocks != 0).then(|| fs.f_bavail.saturating_mul(fs.f_frsize)))
}

/// How many descriptors this process may have.
pub(crate) fn descriptor_limit() -> Option<u64> {
    getrlimit(Resource::Nofile).current
}

/// True where the error means that this process or the machine has as many files open as it may.
pub(crate) fn lacks_descriptors(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::MFILE | Errno::NFILE))
}

/// The longest file this process may make; beyond it the kernel sends SIGXFSZ.
pub(crate) fn file_size_limit() -> Option<u64> {
    getrlimit(Resource::Fsize).current
}
