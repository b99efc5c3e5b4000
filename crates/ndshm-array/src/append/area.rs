//! What the control area of an array has for those who append to it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ndshm_sync::{Acquired, Members, NotAcquired, RawMutex};

/// `ndshmap`, and 1: the version of what follows.
pub(crate) const MARK: [u8; 8] = *b"ndshmap\x01";

/// Behind the table of claims; zero in an array that is not appended to. Valid when zeroed.
///
/// # Layout
///
/// | offset | size | what | written by |
/// |---|---|---|---|
/// | 0 | 8 | `ndshmap\x01` | its creator, before it is published |
/// | 8 | 8 | the capacity, in rows | the same |
/// | 16 | 24 | the lock of appenders | |
/// | 40 | 24 | zero | |
///
/// The holder of the lock writes the rows behind those that the header says, then the number in the header, by one store. So a
/// holder that dies leaves nothing to mend: what it wrote is there as a whole, or overwritten by the next.
#[repr(C, align(64))]
#[derive(Debug)]
pub(crate) struct AppendArea {
    mark: AtomicU64,
    capacity: AtomicU64,
    lock: RawMutex,
    reserved: [u64; 3],
}

const _: () = assert!(size_of::<AppendArea>() == 64);

impl AppendArea {
    /// Its first bytes in a new segment.
    pub(crate) fn head(capacity: usize) -> [u8; 16] {
        let mut head = [0; 16];
        head[..8].copy_from_slice(&MARK);
        head[8..].copy_from_slice(&(capacity as u64).to_le_bytes());
        head
    }

    /// `None` in an array that is not appended to.
    pub(crate) fn capacity(&self) -> Option<u64> {
        let marked = self.mark.load(Ordering::Relaxed) == u64::from_le_bytes(MARK);
        marked.then(|| self.capacity.load(Ordering::Relaxed))
    }

    /// Waits for the lock as long as its holder lives, or for at most `timeout`.
    pub(super) fn lock<'a>(
        &'a self,
        members: &'a Members<'static>,
        timeout: Option<Duration>,
    ) -> Result<Appending<'a>, NotAcquired> {
        let got = match timeout {
            Some(timeout) => self.lock.lock_timeout(members, timeout),
            None => self.lock.lock(members),
        };
        if got? != Acquired::Clean {
            // Whatever its holder died in the midst of, nothing is half-changed (see there).
            // SAFETY: the lock was just taken for `members`.
            unsafe { self.lock.clear_poison(members) };
        }
        Ok(Appending { area: self, members })
    }
}

/// The lock of appenders, held.
pub(super) struct Appending<'a> {
    /// # Invariants
    ///
    /// 1. `members` holds its lock until this value is dropped.
    area: &'a AppendArea,
    members: &'a Members<'static>,
}

impl Drop for Appending<'_> {
    fn drop(&mut self) {
        // SAFETY: held until here (area invariant 1).
        unsafe { self.area.lock.unlock(self.members) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::mem::offset_of;

    #[test]
    fn the_layout_is_as_documented() {
        assert_eq!(offset_of!(AppendArea, capacity), 8);
        assert_eq!(offset_of!(AppendArea, lock), 16);
        assert_eq!(offset_of!(AppendArea, reserved), 40);
    }
}
