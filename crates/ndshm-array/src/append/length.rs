//! The number of rows, as the header says it.

use std::sync::atomic::Ordering;

use ndshm_buffer::SharedBuffer;

use super::error::LengthError;
use crate::npy::NpyHeader;
use crate::segment::label;

/// The most rows that the field of the header has digits for.
pub(super) const MOST_ROWS: usize = 99_999_999;

/// Where the number stands, and what it may be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Length {
    /// # Invariants
    ///
    /// 1. A multiple of 8, within the header.
    pub(super) offset: usize,
    pub(super) capacity: usize,
}

impl Length {
    /// One load, in a read-only buffer too. Acquire: the rows that it speaks of are seen.
    pub(super) fn load(self, buffer: &SharedBuffer) -> Result<usize, LengthError> {
        let word = buffer.load_u64(self.offset).expect("within the header (offset invariant 1)");
        let bytes = word.to_le_bytes();
        parse(bytes).filter(|&rows| rows <= self.capacity).ok_or_else(|| LengthError {
            segment: label(buffer),
            found: bytes.escape_ascii().to_string(),
            capacity: self.capacity,
        })
    }

    /// One store. Release: who sees it sees the rows that it speaks of.
    pub(super) fn store(self, buffer: &SharedBuffer, rows: usize) {
        let bytes = NpyHeader::format_slowest_axis(rows).expect("no more than the capacity");
        let word = buffer.atomic_u64(self.offset).expect("read-write, since the lock is held");
        word.store(u64::from_le_bytes(bytes), Ordering::Release);
    }
}

/// Digits, with spaces on their left.
fn parse(field: [u8; 8]) -> Option<usize> {
    let digits = field.trim_ascii_start();
    let good = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    good.then(|| digits.iter().fold(0, |n, digit| 10 * n + usize::from(digit - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_read_as_it_is_written() {
        for n in [0, 1, 9, 10, 12_345, MOST_ROWS] {
            assert_eq!(NpyHeader::format_slowest_axis(n).and_then(parse), Some(n));
        }
        assert_eq!(NpyHeader::format_slowest_axis(MOST_ROWS + 1), None);
        for bad in
            [b"        ", b"1       ", b"   1 2  ", b"      -1", b"\0\0\0\0\0\0\0\x31", b"    0x10"]
        {
            assert_eq!(parse(*bad), None, "{}", bad.escape_ascii());
        }
    }
}
