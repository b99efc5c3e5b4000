//! What `shared_memory` has mapped.

use std::fmt;
use std::ptr::NonNull;

use shared_memory::Shmem;

use super::trailer::{Facts, Trailer, Unreadable};
use crate::id::SegmentId;
use crate::os_id::OsId;

/// One segment in this process's address space.
///
/// # Invariants
///
/// 1. `shmem` maps `file_len` bytes at `start`, at a page boundary, shared, readable and writable, until it is dropped;
///    `0 < len <= file_len <= isize::MAX`, and what lies behind `len` is touched here alone.
/// 2. The filesystem has set aside all of them, where there is one and it can be full.
/// 3. `shmem` does not own what it maps: dropping it unmaps, and removes no name.
/// 4. `facts` is what the trailer said when this was made, or is to say; there is one where the `os_id` is of a segment
///    that this crate makes.
pub(crate) struct Mapped {
    /// Dropped for its effect.
    _shmem: Box<Shmem>,
    start: NonNull<u8>,
    len: usize,
    file_len: usize,
    os_id: OsId,
    facts: Option<Facts>,
}

// SAFETY: a `Shmem` is two strings, the number of a descriptor and an address of this process, to all of which any
// thread may have access; its drop unmaps the one and closes the other, which any thread may do. This type never looks
// at it otherwise, and the bytes are reached through `start` only, at which they stay mapped (invariant 1).
unsafe impl Send for Mapped {}

// SAFETY: as for `Send`; by reference it gives out addresses, lengths and atomics, and never the `Shmem`.
unsafe impl Sync for Mapped {}

impl Mapped {
    /// Of something another program has made. The caller vouches for invariant 2, and has looked that the length is
    /// not 0.
    pub(super) fn foreign(shmem: Shmem, os_id: OsId) -> Option<Self> {
        let len = shmem.len();
        Self::new(shmem, os_id, len, None)
    }

    /// Of a segment of this crate, as its trailer says. As for [`foreign`](Self::foreign).
    pub(super) fn own(shmem: Shmem, os_id: OsId) -> Result<Self, Unreadable> {
        let mut mapped = Self::foreign(shmem, os_id).ok_or(Unreadable::Unfinished)?;
        let facts = mapped.trailer().ok_or(Unreadable::Damaged)?.read(mapped.file_len)?;
        (mapped.len, mapped.facts) = (facts.len, Some(facts));
        Ok(mapped)
    }

    /// Of a segment in the making, whose trailer is still to be written. As for [`foreign`](Self::foreign).
    pub(super) fn made(shmem: Shmem, os_id: OsId, facts: Facts) -> Option<Self> {
        Self::new(shmem, os_id, facts.len, Some(facts))
    }

    fn new(mut shmem: Shmem, os_id: OsId, len: usize, facts: Option<Facts>) -> Option<Self> {
        shmem.set_owner(false);
        let (start, file_len) = (NonNull::new(shmem.as_ptr())?, shmem.len());
        (0 < len && len <= file_len).then_some(Self {
            _shmem: Box::new(shmem),
            start,
            len,
            file_len,
            os_id,
            facts,
        })
    }

    /// The end of a segment of this crate.
    pub(super) fn trailer(&self) -> Option<&Trailer> {
        self.os_id.name()?;
        // SAFETY: all bytes stay mapped while `self` is borrowed (invariant 1), and those of the trailer are touched here
        // alone, as atomics.
        unsafe { Trailer::of(self.start, self.file_len) }
    }

    /// Which segment it is; `ino` is the number of what is mapped, which has to do for what others have made.
    pub(super) fn id(&self, ino: u64) -> SegmentId {
        SegmentId::new(self.os_id.number(), self.facts.map_or(ino, |facts| facts.instance))
    }

    pub(super) fn facts(&self) -> Option<Facts> {
        self.facts
    }

    pub(crate) fn start(&self) -> NonNull<u8> {
        self.start
    }

    /// How many bytes its users have.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// How many are mapped.
    pub(crate) fn file_len(&self) -> usize {
        self.file_len
    }

    pub(crate) fn os_id(&self) -> &OsId {
        &self.os_id
    }
}

impl fmt::Debug for Mapped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mapped")
            .field("os_id", &self.os_id)
            .field("len", &self.len)
            .finish_non_exhaustive()
    }
}
