//! What the mutex guards here: eight words and a checksum that are one number in disguise, and are
//! written one after another, so that whoever dies in between leaves them torn.

use std::ptr;

/// The count and who wrote it; seven words made from it; their checksum.
pub(crate) type Ledger = [u64; 9];

/// Bits of the first word that say who wrote it.
const WRITER: u32 = 20;

/// The first word, which decides all others.
pub(crate) fn head(count: u64, writer: u64) -> u64 {
    assert!(writer < 1 << WRITER);
    count << WRITER | writer
}

pub(crate) fn count(ledger: &Ledger) -> u64 {
    ledger[0] >> WRITER
}

pub(crate) fn of(head: u64) -> Ledger {
    let mut ledger = [0; 9];
    ledger[0] = head;
    for i in 1..8 {
        ledger[i] = (ledger[i - 1] ^ head).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(23);
    }
    ledger[8] = ledger[..8].iter().fold(0, |sum: u64, w| sum.rotate_left(7) ^ w);
    ledger
}

pub(crate) fn is_whole(ledger: &Ledger) -> bool {
    *ledger == of(ledger[0])
}

/// Writes the words of `head` in order, and tells of each how many are written.
pub(crate) fn write(ledger: &mut Ledger, head: u64, mut written: impl FnMut(usize)) {
    for (i, value) in of(head).into_iter().enumerate() {
        // SAFETY: an exclusive reference; volatile, so that the words are written here, in this
        // order, and not all at once where the compiler likes.
        unsafe { ptr::write_volatile(&raw mut ledger[i], value) };
        written(i + 1);
    }
}
