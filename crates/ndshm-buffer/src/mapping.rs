//! A segment in this process's address space, and the descriptor that keeps it.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::ptr::NonNull;
use std::slice;
use std::sync::atomic::AtomicU8;

use crate::id::SegmentId;
use crate::registry;
use crate::sys::Region;

/// What the page tables allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Access {
    ReadOnly,
    ReadWrite,
}

impl Access {
    pub(crate) fn read_only(read_only: bool) -> Self {
        if read_only { Self::ReadOnly } else { Self::ReadWrite }
    }

    pub(crate) fn writable(self) -> bool {
        self == Self::ReadWrite
    }
}

/// What the registry tells mappings apart by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) id: SegmentId,
    pub(crate) access: Access,
}

/// One segment, mapped once.
///
/// # Invariants
///
/// 1. `region` maps the whole of the file behind `fd`, whose id is `key.id`, and is writable where `key.access` is.
/// 2. From construction on, this crate reads and writes those bytes through atomics alone, and makes no other Rust
///    reference to them except at a caller's word in an `unsafe fn`.
#[derive(Debug)]
pub(crate) struct Mapping {
    region: Region,
    fd: OwnedFd,
    key: Key,
}

impl Mapping {
    /// The caller vouches for invariant 1.
    pub(crate) fn new(region: Region, fd: OwnedFd, key: Key) -> Self {
        Self { region, fd, key }
    }

    pub(crate) fn key(&self) -> Key {
        self.key
    }

    pub(crate) fn region(&self) -> &Region {
        &self.region
    }

    pub(crate) fn base(&self) -> NonNull<u8> {
        self.region.start()
    }

    pub(crate) fn len(&self) -> usize {
        self.region.len()
    }

    /// The bytes as atomics; on a read-only mapping they can only be loaded, or the process faults.
    pub(crate) fn cells(&self) -> &[AtomicU8] {
        let cells = self.base().as_ptr().cast::<AtomicU8>();
        // SAFETY: the region holds `len` bytes, at most isize::MAX, mapped until `self` is dropped (invariants 1 and 2
        // of `Region`), which the lifetime of the result excludes. AtomicU8 has the layout of u8, every value of which
        // is valid, and lets others change the bytes meanwhile; in this process no one makes references to plain bytes
        // but at a caller's word (invariant 2), and what other processes do is outside the language's model, where
        // every store is a store to memory.
        unsafe { slice::from_raw_parts(cells, self.len()) }
    }
}

impl AsFd for Mapping {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        registry::forget(self.key);
    }
}
