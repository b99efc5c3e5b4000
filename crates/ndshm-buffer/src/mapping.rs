//! A segment in this process's address space, and the descriptor that keeps it.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::ptr::NonNull;
use std::slice;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};

use crate::growth::LENGTH_FROM_END;
use crate::id::SegmentId;
use crate::portable::Mapped;
use crate::registry;
use crate::sys::{Region, Watch};

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

/// What maps it.
#[derive(Debug)]
pub(crate) enum Backing {
    Native(Region),
    Portable(Mapped),
}

impl Backing {
    /// The address, the bytes for users if there is no growth, and all bytes.
    fn extent(&self) -> (NonNull<u8>, usize, usize) {
        match self {
            Self::Native(region) => (region.start(), region.len(), region.len()),
            Self::Portable(mapped) => (mapped.start(), mapped.len(), mapped.file_len()),
        }
    }
}

impl From<Region> for Backing {
    fn from(region: Region) -> Self {
        Self::Native(region)
    }
}

impl From<Mapped> for Backing {
    fn from(mapped: Mapped) -> Self {
        Self::Portable(mapped)
    }
}

/// One segment, mapped once.
///
/// # Invariants
///
/// 1. `backing` maps the whole of the file behind `fd`, whose id is `key.id`, and is writable where `key.access` is;
///    it does so at `base`, `file_len` bytes long, of which the first `len` are the users', and neither is 0.
/// 2. Where there is a `growth`, its `word` lies in those bytes and is aligned, and `capacity <= file_len`.
/// 3. From construction on, this crate reads and writes those bytes through atomics alone, and makes no other Rust
///    reference to them except at a caller's word in an `unsafe fn`.
#[derive(Debug)]
pub(crate) struct Mapping {
    base: NonNull<u8>,
    len: usize,
    file_len: usize,
    backing: Backing,
    fd: OwnedFd,
    key: Key,
    capacity: Option<usize>,
    typed: Option<bool>,
    /// True once a guarded copy has met a page that the file does not have.
    damaged: AtomicBool,
}

const _: fn() = || {
    fn crosses_threads<T: Send + Sync>() {}
    crosses_threads::<Backing>();
};

// SAFETY: both kinds of `backing` can be sent, and `base` is an address that one of them gave (invariant 1).
unsafe impl Send for Mapping {}

// SAFETY: as for `Send`: shared, both kinds give out addresses and lengths, and `base` is one.
unsafe impl Sync for Mapping {}

/// The growable kind of mapping, borrowed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Growth<'a> {
    word: &'a AtomicUsize,
    capacity: usize,
}

impl<'a> Growth<'a> {
    /// The low half, where a pointer has 32 bits, of the length in the trailer, little-endian. The high half is zero:
    /// a capacity that no process can address is refused.
    pub(crate) fn word(self) -> &'a AtomicUsize {
        self.word
    }

    pub(crate) fn capacity(self) -> usize {
        self.capacity
    }
}

/// What a mapping is made of.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) backing: Backing,
    pub(crate) fd: OwnedFd,
    /// How far it can grow, where its file ends with a trailer that says so.
    pub(crate) capacity: Option<usize>,
    /// Whether its end said, when it was opened, that it holds more than bytes; `None` where its memory is to be asked.
    pub(crate) typed: Option<bool>,
}

impl Mapping {
    /// The caller vouches for invariants 1 and 2: it has checked the trailer.
    pub(crate) fn new(Parts { backing, fd, capacity, typed }: Parts, key: Key) -> Self {
        let (base, len, file_len) = backing.extent();
        let damaged = AtomicBool::new(false);
        Self { base, len, file_len, backing, fd, key, capacity, typed, damaged }
    }

    pub(crate) fn key(&self) -> Key {
        self.key
    }

    /// As in [`Parts`].
    pub(crate) fn typed(&self) -> Option<bool> {
        self.typed
    }

    /// Where the native backend has it mapped.
    pub(crate) fn native(&self) -> Option<&Region> {
        match &self.backing {
            Backing::Native(region) => Some(region),
            Backing::Portable(_) => None,
        }
    }

    /// What the portable backend has of it.
    pub(crate) fn portable(&self) -> Option<&Mapped> {
        match &self.backing {
            Backing::Native(_) => None,
            Backing::Portable(mapped) => Some(mapped),
        }
    }

    pub(crate) fn base(&self) -> NonNull<u8> {
        self.base
    }

    /// How many bytes there are now: the length of the file, or what its trailer says.
    pub(crate) fn len(&self) -> usize {
        match self.growth() {
            None => self.len,
            // Acquire: who sees a length finds its pages reserved. Whatever a peer has written there, the bytes stay
            // within the mapping.
            Some(Growth { word, capacity }) => {
                usize::from_le(word.load(Ordering::Acquire)).clamp(1, capacity)
            }
        }
    }

    /// How long the file is.
    pub(crate) fn file_len(&self) -> usize {
        self.file_len
    }

    pub(crate) fn growth(&self) -> Option<Growth<'_>> {
        let capacity = self.capacity?;
        // SAFETY: the trailer is the end of the mapping (invariant 2), so the result is within it.
        let word = unsafe { self.base().add(self.file_len - LENGTH_FROM_END) };
        // SAFETY: mapped as long as `self` is borrowed, aligned since a growable file has a multiple of 4096 bytes
        // (invariant 2), and every value is valid and may be changed by others.
        let word = unsafe { word.cast::<AtomicUsize>().as_ref() };
        Some(Growth { word, capacity })
    }

    /// Runs a copy, in `region` of this mapping, during which a missing page is no fault; whether there was one is the
    /// second value. The copy may ask the watch meanwhile.
    pub(crate) fn watched<R>(
        &self,
        region: &Region,
        copy: impl FnOnce(&Watch<'_>) -> R,
    ) -> (R, bool) {
        let writable = self.key.access.writable();
        let watch = region.watch(writable, &self.damaged);
        let copied = copy(&watch);
        (copied, region.end_watch(watch, self.fd.as_fd(), writable))
    }

    /// The bytes as atomics; on a read-only mapping they can only be loaded, or the process faults.
    pub(crate) fn cells(&self) -> &[AtomicU8] {
        let cells = self.base().as_ptr().cast::<AtomicU8>();
        // SAFETY: at least `len` bytes, at most isize::MAX, are mapped there until `self` is dropped (invariants 1 and 2;
        // 1 and 2 of `Region`, 1 of `Mapped`), which the lifetime of the result excludes. AtomicU8 has the layout of u8,
        // every value of which is valid, and lets others change the bytes meanwhile; in this process no one makes
        // references to plain bytes but at a caller's word (invariant 3), and what other processes do is outside the
        // language's model, where every store is a store to memory.
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
