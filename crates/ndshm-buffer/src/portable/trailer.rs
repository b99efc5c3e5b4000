//! The end of a segment that this backend makes.
//!
//! `docs/format.md` specifies it to the byte.

use std::hash::{BuildHasher, RandomState};
use std::mem::offset_of;
use std::ptr::NonNull;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicU32, AtomicU64};

/// The first bytes, once the segment is whole.
const MAGIC: u64 = u64::from_ne_bytes(*b"\x7fNDSHO\r\n");

/// The version of its format.
pub(super) const VERSION: u32 = 1;

/// A segment has a multiple of so many bytes: of the pages of all systems that round lengths up, so that the end is the
/// same for all.
const BLOCK: usize = 16 << 10;

/// In the segment, little-endian.
#[repr(C)]
#[derive(Debug)]
pub(super) struct Trailer {
    /// Stored last: before, nobody looks at anything else.
    magic: AtomicU64,
    version: AtomicU32,
    /// 1 where the name is to outlive its creator.
    kept: AtomicU32,
    len: AtomicU64,
    file_len: AtomicU64,
    instance: AtomicU64,
    /// Zero.
    reserved: [AtomicU64; 3],
}

/// What a trailer says, in private memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Facts {
    /// How many bytes the users have.
    pub(super) len: usize,
    /// What tells this segment from others that have or had the name.
    pub(super) instance: u64,
}

/// Why a trailer says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unreadable {
    Unfinished,
    Version(u32),
    Damaged,
}

const SIZE: usize = size_of::<Trailer>();

/// How long a segment with so many bytes for its users is; `None` where no number is so great.
pub(super) fn file_len(len: usize) -> Option<usize> {
    len.checked_add(SIZE)?.checked_next_multiple_of(BLOCK)
}

/// A number that hardly any other segment has.
pub(super) fn new_instance() -> u64 {
    // The keys are random, of each process its own, and of each value another.
    RandomState::new().hash_one(std::time::SystemTime::now())
}

/// What stands at the end of a segment for its instance, whatever else does.
pub(super) fn instance(end: &[u8; SIZE]) -> u64 {
    let at = offset_of!(Trailer, instance);
    u64::from_le_bytes(std::array::from_fn(|i| end[at + i]))
}

impl Trailer {
    /// The end of `file_len` bytes that are mapped at `start`; `None` where no segment of this backend has so many.
    ///
    /// # Safety
    ///
    /// They stay mapped for `'a`, at a page boundary, readable and writable, and are changed through atomics alone.
    pub(super) unsafe fn of<'a>(start: NonNull<u8>, file_len: usize) -> Option<&'a Self> {
        if file_len == 0 || !file_len.is_multiple_of(BLOCK) {
            return None;
        }
        // SAFETY: within what is mapped, since a block is longer than a trailer.
        let end = unsafe { start.add(file_len - SIZE) };
        // SAFETY: mapped for `'a` by the caller's word; aligned, since a page boundary, a block and `SIZE` are multiples
        // of 64; atomics of which any value is valid.
        Some(unsafe { end.cast::<Self>().as_ref() })
    }

    /// Says all but that the segment is whole. Nobody looks at it yet.
    pub(super) fn write(&self, facts: Facts, file_len: usize, kept: bool) {
        self.version.store(VERSION.to_le(), Relaxed);
        self.kept.store(u32::from(kept).to_le(), Relaxed);
        self.len.store((facts.len as u64).to_le(), Relaxed);
        self.file_len.store((file_len as u64).to_le(), Relaxed);
        self.instance.store(facts.instance.to_le(), Relaxed);
    }

    /// Says that the segment is whole.
    pub(super) fn publish(&self) {
        // Release pairs with the Acquire of `read`: who sees the magic sees all bytes as they were filled.
        self.magic.store(MAGIC, Release);
    }

    pub(super) fn read(&self, found_len: usize) -> Result<Facts, Unreadable> {
        if self.magic.load(Acquire) != MAGIC {
            return Err(Unreadable::Unfinished);
        }
        let version = u32::from_le(self.version.load(Relaxed));
        if version != VERSION {
            return Err(Unreadable::Version(version));
        }
        let number = |word: &AtomicU64| u64::from_le(word.load(Relaxed));
        let len = usize::try_from(number(&self.len)).map_err(|_| Unreadable::Damaged)?;
        let fits = len > 0 && file_len(len) == Some(found_len);
        if !fits || number(&self.file_len) != found_len as u64 {
            return Err(Unreadable::Damaged);
        }
        Ok(Facts { len, instance: number(&self.instance) })
    }

    pub(super) fn keep(&self) {
        self.kept.store(1_u32.to_le(), Release);
    }

    pub(super) fn is_kept(&self) -> bool {
        self.kept.load(Acquire) != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[repr(C, align(4096))]
    struct Memory([u8; BLOCK]);

    fn memory() -> (NonNull<u8>, &'static Trailer) {
        let memory: &'static mut Memory = Box::leak(Box::new(Memory([0; BLOCK])));
        let start = NonNull::from(memory).cast();
        // SAFETY: leaked, aligned, and touched below through atomics, or where no other access is under way.
        (start, unsafe { Trailer::of(start, BLOCK) }.unwrap())
    }

    /// docs/format.md, byte for byte.
    #[test]
    fn the_trailer_is_as_specified() {
        let (start, trailer) = memory();
        let facts = Facts { len: 0x123, instance: 0x0807_0605_0403_0201 };
        trailer.write(facts, BLOCK, true);
        assert_eq!(trailer.read(BLOCK), Err(Unreadable::Unfinished));
        trailer.publish();
        assert_eq!(trailer.read(BLOCK), Ok(facts));
        let mut expected = [0; 64];
        expected[..12].copy_from_slice(b"\x7fNDSHO\r\n\x01\0\0\0");
        expected[12] = 1;
        expected[16..18].copy_from_slice(&[0x23, 0x01]);
        expected[24..26].copy_from_slice(&[0, 0x40]);
        expected[32..40].copy_from_slice(&[1, 2, 3, 4, 5, 6, 7, 8]);
        // SAFETY: the last 64 of the bytes.
        let end = unsafe { start.add(BLOCK - 64) }.cast::<[u8; 64]>();
        // SAFETY: in bounds, and nobody writes meanwhile.
        let end = unsafe { end.read() };
        assert_eq!((end, super::instance(&end)), (expected, facts.instance));
    }

    #[test]
    fn lengths_are_of_whole_blocks() {
        assert_eq!(file_len(1), Some(BLOCK));
        assert_eq!(file_len(BLOCK - 64), Some(BLOCK));
        assert_eq!(file_len(BLOCK - 63), Some(2 * BLOCK));
        assert_eq!((file_len(usize::MAX), file_len(usize::MAX - 64)), (None, None));
        let (start, _) = memory();
        for bad in [0, 64, BLOCK - 1, BLOCK + 64] {
            // SAFETY: nothing is looked at where the length does not fit.
            assert!(unsafe { Trailer::of(start, bad) }.is_none());
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let (_, trailer) = memory();
        let instance = new_instance();
        assert_ne!(instance, new_instance());
        trailer.publish();
        assert_eq!(trailer.read(BLOCK), Err(Unreadable::Version(0)));
        for (len, file_len) in [(0, BLOCK), (BLOCK, BLOCK), (usize::MAX, BLOCK), (9, 2 * BLOCK)] {
            trailer.write(Facts { len, instance }, file_len, false);
            assert_eq!(trailer.read(BLOCK), Err(Unreadable::Damaged), "{len} of {file_len}");
        }
        trailer.write(Facts { len: 9, instance }, BLOCK, false);
        assert_eq!(trailer.read(BLOCK), Ok(Facts { len: 9, instance }));
        assert!(!trailer.is_kept());
        trailer.keep();
        assert!(trailer.is_kept());
    }
}
