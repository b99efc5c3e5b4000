//! The memory that a group of workers has for itself: who is alive, and where they meet.

use std::os::fd::AsFd;

use ndshm_buffer::{BufferHandle, CreateError, OpenError, SharedBuffer, TYPED_MAGIC};
use ndshm_sync::{BarrierCell, Members, Region};

/// The most workers a group can have: the launcher is a member too.
pub(crate) const MOST: usize = Members::MOST - 1;

/// What ends the segment, and keeps safe code from opening it as raw bytes.
const FOOTER_LEN: usize = 64;

/// The segment of a group of `size`: the table of members, a barrier's head and parties, the footer.
pub(crate) fn create(size: usize) -> Result<SharedBuffer, CreateError> {
    let len = Members::SIZE + (size + 1) * size_of::<BarrierCell>() + FOOTER_LEN;
    SharedBuffer::options().anonymous_with(len, |bytes| {
        bytes[len - FOOTER_LEN..][..TYPED_MAGIC.len()].copy_from_slice(&TYPED_MAGIC);
    })
}

/// The segment in a worker, from the handle that its launcher passed.
pub(crate) fn open(handle: &BufferHandle) -> Result<SharedBuffer, OpenError> {
    // SAFETY: launcher and workers use it through `region` alone.
    unsafe { SharedBuffer::options().open_handle_typed(handle) }
}

/// The region in a group's segment. Everybody asks its layout for one barrier and nothing else.
pub(crate) fn region(segment: &SharedBuffer) -> Region<'_> {
    // SAFETY: `segment` keeps its bytes mapped, shared and writable, while it is borrowed; it is
    // sealed against truncation and was zero when made, but for the footer, which is left out. Only
    // this crate's launcher and workers have it (it is no part of the arguments, and safe code
    // cannot open it), and all of them use it through this function.
    unsafe { Region::new(segment.base(), segment.len() - FOOTER_LEN, segment.as_fd()) }
}
