//! Whether the kernel has a huge page to give at this moment.

use std::io;
use std::os::fd::AsFd;

use super::Region;

/// Bytes of a huge page of shared memory, and of what is reserved before one is asked for.
const HUGE: usize = 2 << 20;
const BEGUN: u64 = 4096;

/// Asks for one, and gives it back; the error of the kernel where it gives none.
pub(crate) fn collapse_one() -> io::Result<io::Result<()>> {
    // Beyond this limit the kernel sends a signal, which ends the process.
    if super::file_size_limit().is_some_and(|limit| limit < HUGE as u64) {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    let fd = super::create_anonymous()?;
    super::set_length(fd.as_fd(), HUGE as u64)?;
    // Without memory there is nothing to collapse; with all of it there would be 512 pages to copy.
    super::reserve_part(fd.as_fd(), 0, BEGUN)?;
    let region = Region::map(fd.as_fd(), HUGE, true)?;
    let start = region.start().as_ptr().cast();
    // SAFETY: the 2 MiB from `start` are mapped by `region` alone (invariants 1 and 3 of `Region`); the
    // advice changes which pages are behind them, and not what is in them.
    let answer = unsafe { libc::madvise(start, HUGE, libc::MADV_COLLAPSE) };
    Ok(if answer == 0 { Ok(()) } else { Err(io::Error::last_os_error()) })
}
