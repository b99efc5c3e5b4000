//! The memory that a group of workers has for itself: who is alive, and where they meet.

use std::os::fd::AsFd;
use std::sync::Arc;

use ndshm_buffer::{BufferHandle, CreateError, OpenError, SharedBuffer, TYPED_MAGIC};
use ndshm_sync::{Barrier, BarrierCell, JoinError, Members, Region};

use crate::StartError;

/// The most workers a group can have: the launcher is a member too.
pub(crate) const MOST: usize = Members::MOST - 1;

/// What ends the segment, and keeps safe code from opening it as raw bytes.
const FOOTER_LEN: usize = 64;

/// A group, as one of its processes sees it.
#[derive(Debug)]
pub(crate) struct Group {
    size: usize,
    /// # Invariants
    ///
    /// 1. It refers to `members`, which its `Arc` keeps in place (a box would claim to be the only way to it); lent out only while `self` is borrowed.
    barrier: Barrier<'static>,
    /// # Invariants
    ///
    /// 1. Their region lies in the mapping of `segment`, which is dropped after them: fields are dropped in
    ///    order.
    _members: Arc<Members<'static>>,
    segment: SharedBuffer,
}

type Anything = Box<dyn std::error::Error + Send + Sync>;

impl Group {
    /// A new group of `size`, with this process as a member that has no rank.
    pub(crate) fn create(size: usize) -> Result<Self, StartError> {
        let segment = create(size).map_err(StartError::group)?;
        Self::of(segment, size, Members::join).map_err(StartError::Group)
    }

    /// The group whose segment that is, with this process as a member of that rank.
    pub(crate) fn join(segment: SharedBuffer, size: usize, rank: usize) -> Result<Self, Anything> {
        if segment.len() != len(size) {
            return Err(format!("its memory is not that of a group of {size}").into());
        }
        let rank = u32::try_from(rank)?;
        Self::of(segment, size, |region| Members::join_as(region, rank))
    }

    fn of(
        segment: SharedBuffer,
        size: usize,
        join: impl FnOnce(Region<'static>) -> Result<Members<'static>, JoinError>,
    ) -> Result<Self, Anything> {
        // SAFETY: it is put into a `Group` with its segment, as invariant 1 of `_members` has it.
        let region = unsafe { region(&segment) };
        let members = Arc::new(join(region)?);
        // SAFETY: the `Arc` is kept beside the barrier, and never moves what is in it (invariant 1 of
        // `barrier`).
        let settled: &'static Members<'static> = unsafe { &*std::ptr::from_ref(&*members) };
        let barrier = settled.layout().barrier(size)?;
        Ok(Self { size, barrier, _members: members, segment })
    }

    /// Its memory.
    pub(crate) fn segment(&self) -> &SharedBuffer {
        &self.segment
    }

    /// Where all of them meet.
    pub(crate) fn barrier(&self) -> Barrier<'_> {
        self.barrier
    }

    /// Makes the barrier one that nobody has been at. No worker is in a run.
    pub(crate) fn renew(&self) {
        (0..self.size).for_each(|rank| self.barrier.vacate(rank));
        self.barrier.reset();
    }
}

const fn len(size: usize) -> usize {
    Members::SIZE + (size + 1) * size_of::<BarrierCell>() + FOOTER_LEN
}

/// The segment of a group of `size`: the table of members, a barrier's head and parties, the footer.
fn create(size: usize) -> Result<SharedBuffer, CreateError> {
    let len = len(size);
    SharedBuffer::options().anonymous_with(len, |bytes| {
        bytes[len - FOOTER_LEN..][..TYPED_MAGIC.len()].copy_from_slice(&TYPED_MAGIC);
    })
}

/// The segment in a worker, from the handle that its launcher passed.
pub(crate) fn open(handle: &BufferHandle) -> Result<SharedBuffer, OpenError> {
    // SAFETY: launcher and workers use it through `Group` alone.
    unsafe { SharedBuffer::options().open_handle_typed(handle) }
}

/// The region in a group's segment. Everybody asks its layout for one barrier and nothing else.
///
/// # Safety
///
/// It is used only while `segment` lives.
unsafe fn region(segment: &SharedBuffer) -> Region<'static> {
    // SAFETY: `segment` keeps its bytes mapped, shared and writable, while it is borrowed; it is
    // sealed against truncation and was zero when made, but for the footer, which is left out. Only
    // this crate's launcher and workers have it (it is no part of the arguments, and safe code
    // cannot open it), and all of them use it through this function.
    let region =
        unsafe { Region::new(segment.base(), segment.len() - FOOTER_LEN, segment.as_fd()) };
    // SAFETY: only its lifetime changes; the caller sees to it.
    unsafe { std::mem::transmute::<Region<'_>, Region<'static>>(region) }
}
