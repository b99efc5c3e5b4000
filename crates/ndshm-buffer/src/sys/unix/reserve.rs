//! Room set aside in a filesystem.

use std::io;
use std::ops::Range;
use std::os::fd::BorrowedFd;

use rustix::fs::FallocateFlags;
use rustix::io::Errno;

/// How much one `fallocate` call asks for at first, so that a process with a busy interval timer gets ahead: older
/// kernels undo the whole call when a signal interrupts it.
const RESERVE_STEP: u64 = 16 << 20;

/// Has the filesystem set aside every page of these bytes, which lie within the length.
pub(crate) fn reserve(fd: BorrowedFd<'_>, bytes: &Range<usize>) -> io::Result<()> {
    let start = bytes.start as u64;
    in_steps(bytes.len() as u64, |at, part| {
        rustix::fs::fallocate(fd, FallocateFlags::empty(), start + at, part)
    })?;
    Ok(())
}

/// Covers `0..len` with calls that may be interrupted, in shorter steps after each interruption.
fn in_steps(
    len: u64,
    mut call: impl FnMut(u64, u64) -> rustix::io::Result<()>,
) -> rustix::io::Result<()> {
    let (mut done, mut step) = (0, RESERVE_STEP);
    while done < len {
        let part = step.min(len - done);
        match call(done, part) {
            Ok(()) => done += part,
            Err(Errno::INTR) => step = (step / 2).max(super::page_size() as u64),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// True where the error of [`reserve_part`] means that there is no room.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::NOSPC | Errno::NOMEM | Errno::DQUOT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interrupted_reservations_go_on_in_shorter_steps() {
        // A timer leaves time for 70,000 bytes between two signals.
        let (mut end, mut interruptions) = (0, 0);
        let len = 3 * RESERVE_STEP + 5;
        let outcome = in_steps(len, |at, part| {
            assert_eq!(at, end, "a gap or an overlap");
            if part > 70_000 {
                interruptions += 1;
                return Err(Errno::INTR);
            }
            end += part;
            Ok(())
        });
        assert_eq!((outcome, end, interruptions), (Ok(()), len, 8));
        assert_eq!(in_steps(1, |_, _| Err(Errno::NOSPC)), Err(Errno::NOSPC));
    }
}
