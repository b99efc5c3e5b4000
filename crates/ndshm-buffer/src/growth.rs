//! Segments that grow in place.
//!
//! A raw segment has no header, so one that can grow says so at its end: a trailer in the last 64 bytes of the file,
//! which never moves, since the file has room for the whole capacity from the beginning. Growing reserves pages inside
//! the file, and then stores the new length in the trailer, which is one store: whoever looks finds the old length or
//! the new one, wherever a grower was killed.
//!
//! One grower at a time, by a lock on the GROWTH byte: a reservation that fails takes back what lies behind the old
//! length, which must not be what another has just published. `docs/format.md` specifies the trailer to the byte.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::Ordering;

use crate::backend::Backend;
use crate::buffer::SharedBuffer;
use crate::error::GrowError;
use crate::lacking;
use crate::name::Place;
use crate::room;
use crate::sys::{self, GROWTH, Lock};

/// The first bytes of the trailer.
const MAGIC: [u8; 8] = *b"\x7fNDSHG\r\n";

/// The version of its format.
pub(crate) const VERSION: u32 = 1;

/// How long it is; it is the end of the file.
pub(crate) const TRAILER: usize = 64;

/// The last of the file's blocks of this size is the trailer's alone.
const BLOCK: usize = 4096;

/// Where the length stands in the trailer.
const LENGTH: usize = 24;

/// From the end of the file to the length.
pub(crate) const LENGTH_FROM_END: usize = TRAILER - LENGTH;

/// What the trailer says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Trailer {
    pub(crate) capacity: u64,
    pub(crate) len: u64,
}

/// Why a trailer is not one to go by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unreadable {
    Version(u32),
    Damaged(&'static str),
}

/// The length of the file of a segment that grows up to `capacity`.
pub(crate) fn file_len(capacity: usize) -> Option<usize> {
    capacity.checked_next_multiple_of(BLOCK)?.checked_add(BLOCK)
}

impl Trailer {
    pub(crate) fn to_bytes(self, file_len: u64) -> [u8; TRAILER] {
        let mut bytes = [0; TRAILER];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.capacity.to_le_bytes());
        bytes[LENGTH..32].copy_from_slice(&self.len.to_le_bytes());
        bytes[32..40].copy_from_slice(&file_len.to_le_bytes());
        bytes
    }

    /// Reads the end of a file of that length; `None` where the segment is of the kind that does not grow.
    pub(crate) fn parse(end: &[u8; TRAILER], file_len: u64) -> Result<Option<Self>, Unreadable> {
        let (magic, rest) = end.split_at(MAGIC.len());
        if magic != MAGIC {
            return Ok(None);
        }
        let version = u32::from_le_bytes([rest[0], rest[1], rest[2], rest[3]]);
        if version != VERSION {
            return Err(Unreadable::Version(version));
        }
        let word = |at: usize| u64::from_le_bytes(std::array::from_fn(|i| end[at + i]));
        let (capacity, len) = (word(16), word(LENGTH));
        let fits =
            |capacity: usize| self::file_len(capacity).map(|len| len as u64) == Some(file_len);
        if word(32) != file_len || !usize::try_from(capacity).is_ok_and(fits) {
            return Err(Unreadable::Damaged(
                "its capacity does not go with the length of its file",
            ));
        }
        if len == 0 || len > capacity {
            return Err(Unreadable::Damaged("its length is 0, or beyond its capacity"));
        }
        Ok(Some(Self { capacity, len }))
    }
}

/// Grows the segment to at least `len` bytes; gives its length.
pub(crate) fn grow(buffer: &SharedBuffer, len: usize) -> Result<usize, GrowError> {
    let segment = || buffer.describe();
    let Some(growth) = buffer.mapping().growth() else {
        return match buffer.len() {
            now if len <= now => Ok(now),
            _ if buffer.backend() == Backend::Portable => {
                Err(lacking::GROWTH.of(&segment()).into())
            }
            now => Err(GrowError::Fixed { segment: segment(), asked: len, len: now }),
        };
    };
    if len > growth.capacity() {
        let capacity = growth.capacity();
        return Err(GrowError::Capacity { segment: segment(), asked: len, capacity });
    }
    let now = buffer.len();
    if len <= now {
        return Ok(now);
    }
    if buffer.is_read_only() {
        return Err(GrowError::ReadOnly { segment: segment() });
    }
    let os = |step| move |source| GrowError::System { segment: segment(), step, source };
    let turn = Turn::take(buffer.as_fd(), buffer.place()).map_err(os("lock it for growing"))?;
    let now = buffer.len();
    if len <= now {
        return Ok(now);
    }
    reserve(buffer, &turn.fd, now, len)?;
    // Release pairs with the acquire load of `len()`: who sees the length finds its pages reserved.
    growth.word().store(len.to_le(), Ordering::Release);
    Ok(len)
}

/// Reserves what lies behind the old length, or leaves everything as it was.
fn reserve(buffer: &SharedBuffer, fd: &OwnedFd, old: usize, new: usize) -> Result<(), GrowError> {
    // The page in which the old length ends is there.
    let begin = old.next_multiple_of(sys::page_size());
    let Some(more) = new.checked_sub(begin).filter(|&more| more > 0) else { return Ok(()) };
    let place = buffer.place();
    let opened =
        place.and_then(|place| Some((sys::open_directory(place.dir()).ok()?, place.dir())));
    let dir = opened.as_ref().map(|(fd, path)| (fd.as_fd(), *path));
    let no_space = |lack: room::Lack, source| GrowError::NoSpace {
        segment: buffer.describe(),
        asked: more as u64,
        free: lack.free,
        shortage: lack.shortage,
        source,
    };
    room::check(more, dir).map_err(|lack| no_space(lack, None))?;
    let part = begin..new;
    sys::reserve(fd.as_fd(), &part).map_err(|source| {
        // What was reserved before the filesystem was full is of no use to anyone.
        let _ = sys::give_back(fd.as_fd(), &part);
        if sys::is_full(&source) {
            return no_space(room::lack(dir), Some(source));
        }
        GrowError::System { segment: buffer.describe(), step: "reserve more of it", source }
    })
}

/// The right to grow a segment, which ends with this value or with the process.
struct Turn {
    fd: OwnedFd,
}

impl Turn {
    /// Waits for it. Through a description of its own: locks of one description do not exclude each other, and one that
    /// is mapped lives as long as any forked child has the mapping.
    fn take(mapped: BorrowedFd<'_>, place: Option<&Place>) -> io::Result<Self> {
        let fd = match place {
            Some(place) => {
                sys::reopen(mapped, true).or_else(|error| by_name(mapped, place).ok_or(error))
            }
            None => sys::reopen(mapped, true),
        }?;
        sys::lock(fd.as_fd(), GROWTH, Lock::Exclusive)?;
        Ok(Self { fd })
    }
}

/// The same file by its name, where /proc is missing and the name still leads to it.
fn by_name(mapped: BorrowedFd<'_>, place: &Place) -> Option<OwnedFd> {
    let dir = sys::open_directory(place.dir()).ok()?;
    let wanted = sys::facts_of(mapped).ok()?;
    let fd = sys::open_name(dir.as_fd(), place.file(), true).ok()?;
    let found = sys::facts_of(fd.as_fd()).ok()?;
    ((found.dev, found.ino) == (wanted.dev, wanted.ino)).then_some(fd)
}

impl Drop for Turn {
    fn drop(&mut self) {
        // Closing would do, but for a child forked meanwhile, which has the description as well.
        let _ = sys::unlock(self.fd.as_fd(), GROWTH);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// docs/format.md, byte for byte.
    #[test]
    fn the_trailer_is_as_specified() {
        let bytes = Trailer { capacity: 5000, len: 700 }.to_bytes(12288);
        let mut expected = [0; 64];
        expected[..12].copy_from_slice(b"\x7fNDSHG\r\n\x01\0\0\0");
        expected[16..18].copy_from_slice(&[0x88, 0x13]);
        expected[24..26].copy_from_slice(&[0xbc, 0x02]);
        expected[32..34].copy_from_slice(&[0, 0x30]);
        assert_eq!(bytes, expected);
        assert_eq!(file_len(5000), Some(12288));
        assert_eq!((file_len(4096), file_len(1)), (Some(8192), Some(8192)));
        assert_eq!(file_len(usize::MAX), None);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let good = Trailer { capacity: 5000, len: 700 };
        let bytes = good.to_bytes(12288);
        assert_eq!(Trailer::parse(&bytes, 12288), Ok(Some(good)));
        assert_eq!(Trailer::parse(&[0; 64], 12288), Ok(None));
        assert!(matches!(Trailer::parse(&bytes, 8192), Err(Unreadable::Damaged(_))));
        let with = |at: usize, byte: u8| {
            let mut bytes = bytes;
            bytes[at] = byte;
            Trailer::parse(&bytes, 12288)
        };
        assert_eq!(with(8, 2), Err(Unreadable::Version(2)));
        for (at, byte) in [(18, 1), (23, 0x80), (25, 0xff), (31, 1), (33, 0x40)] {
            assert!(matches!(with(at, byte), Err(Unreadable::Damaged(_))), "byte {at}");
        }
        let empty = Trailer { capacity: 5000, len: 0 };
        assert!(matches!(
            Trailer::parse(&empty.to_bytes(12288), 12288),
            Err(Unreadable::Damaged(_))
        ));
    }
}
