//! The memory that a group of workers has for itself: who is alive, and where they meet.

use std::os::fd::AsFd;

use ndshm_buffer::SharedBuffer;
use ndshm_sync::{BarrierCell, Members, Region};

/// The most workers a group can have: the launcher is a member too.
pub(crate) const MOST: usize = Members::MOST - 1;

/// Length of the segment of a group of `size`: the table of members, and a barrier's head and
/// parties.
pub(crate) fn segment_len(size: usize) -> usize {
    Members::SIZE + (size + 1) * size_of::<BarrierCell>()
}

/// The region in a group's segment. Everybody asks its layout for one barrier and nothing else.
pub(crate) fn region(segment: &SharedBuffer) -> Region<'_> {
    // SAFETY: `segment` keeps its bytes mapped, shared and writable, while it is borrowed; it is
    // sealed against truncation and was zero when made. Only this crate's launcher and workers
    // have it (it is no part of the arguments), and all of them use it through this function.
    unsafe { Region::new(segment.base(), segment.len(), segment.as_fd()) }
}
