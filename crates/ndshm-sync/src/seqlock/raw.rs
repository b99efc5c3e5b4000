//! Which of two copies is to be read, and whether it stayed whole meanwhile.

use crate::atomic::{AtomicU64, Ordering, fence, spin_loop};

/// The numbers of a value's versions. Valid when zeroed: version 0, in copy 0.
///
/// Version *n* lies in copy *n* & 1, and stays whole until *n* + 2 is begun. So who dies while it writes
/// takes the last version from nobody, and a reader has to begin anew only where one write was
/// published *and* another begun while it copied.
///
/// | word | what | from | to | by |
/// |---|---|---|---|---|
/// | `published` | the version to be read | *n* | *n* + 1 | the holder of the writers' lock, once the other copy is written |
/// | `begun` | the last one that anybody has begun to write | *n* | *n* + 1 | the same, before it writes |
///
/// `begun` is `published`, or one more: while a write goes on, or since one was given up (by a death, or
/// by a panic). It is never taken back: a slow reader may still have to see that its copy was spoilt.
#[repr(C)]
#[derive(Debug)]
pub(super) struct Versions {
    published: AtomicU64,
    begun: AtomicU64,
}

/// Both copies, as words that are only ever loaded and stored atomically.
pub(super) type Copies<'a> = [&'a [AtomicU64]; 2];

impl Versions {
    /// Hands the words of the published version to `to`, with their indices, until they are whole:
    /// then its number is returned.
    ///
    /// Nobody is waited for: who begins anew does so because others have published a version. Words
    /// that were written over by something else end in some copy or other.
    #[inline]
    pub(super) fn read(&self, copies: Copies<'_>, mut to: impl FnMut(usize, u64)) -> u64 {
        // Acquire pairs with the Release in `publish`: all words of this version, or of later ones, are
        // seen.
        let mut version = self.published.load(Ordering::Acquire);
        loop {
            for (i, word) in copies[side(version)].iter().enumerate() {
                to(i, word.load(Ordering::Relaxed));
            }
            // Was a word of a later version among them, then its writer's fence in `begin`, which
            // precedes it, synchronises with this one; and the number that it stored before is seen
            // below. (Boehm, Can seqlocks get along with programming language memory models?, 2012.)
            fence(Ordering::Acquire);
            // Two versions may have been begun since: the one after this lies in the other copy.
            if self.begun.load(Ordering::Relaxed).wrapping_sub(version) <= 1 {
                return version;
            }
            // The writer of such a word has seen a later version published before its fence, so one is
            // seen here. Where none is, the copy has no such word; or else what is no writer has written over
            // `begun`, which is no reason to go round for ever.
            let later = self.published.load(Ordering::Acquire);
            if later == version {
                return version;
            }
            version = later;
            spin_loop();
        }
    }

    /// The version to be read at this moment.
    pub(super) fn published(&self) -> u64 {
        self.published.load(Ordering::Acquire)
    }

    /// Whether a write was begun and is not published.
    pub(super) fn is_unfinished(&self) -> bool {
        self.begun.load(Ordering::Relaxed) != self.published.load(Ordering::Relaxed)
    }

    /// Begins to write the next version; by the holder of the writers' lock. Its number.
    pub(super) fn begin(&self) -> u64 {
        // Acquire: a writer that died after it had published released no lock; what this one stores comes
        // after its version all the same.
        let next = self.published.load(Ordering::Acquire).wrapping_add(1);
        self.begun.store(next, Ordering::Relaxed);
        // Before any word of it: see `read`.
        fence(Ordering::Release);
        next
    }

    /// Writes the words of version `next` and publishes it; by who has begun it.
    pub(super) fn publish(&self, next: u64, copies: Copies<'_>, words: impl Iterator<Item = u64>) {
        for (word, value) in copies[side(next)].iter().zip(words) {
            word.store(value, Ordering::Relaxed);
        }
        // Release: with the number come the words.
        self.published.store(next, Ordering::Release);
    }

    /// Writes the words of version 0, before anybody reads.
    pub(super) fn initialise(copies: Copies<'_>, words: impl Iterator<Item = u64>) {
        for (word, value) in copies[side(0)].iter().zip(words) {
            word.store(value, Ordering::Relaxed);
        }
    }
}

/// In which copy that version lies.
const fn side(version: u64) -> usize {
    (version & 1) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(first: u64) -> [AtomicU64; 2] {
        [first, first + 1].map(AtomicU64::new)
    }

    fn read(versions: &Versions, copies: Copies<'_>) -> (u64, [u64; 2]) {
        let mut value = [0; 2];
        (versions.read(copies, |i, word| value[i] = word), value)
    }

    #[test]
    fn a_write_is_unfinished_until_it_is_published() {
        let versions = Versions { published: AtomicU64::new(0), begun: AtomicU64::new(0) };
        let (even, odd) = (words(10), words(20));
        let copies: Copies<'_> = [&even, &odd];
        for version in 0..5 {
            let value = read(&versions, copies);
            assert_eq!(value.0, version);
            assert!(!versions.is_unfinished());
            assert_eq!(versions.begin(), version + 1);
            assert!(versions.is_unfinished());
            // Given up, by a death, and begun anew.
            copies[side(version + 1)][0].store(99, Ordering::Relaxed);
            assert_eq!(read(&versions, copies), value);
            assert_eq!(versions.begin(), version + 1);
            versions.publish(version + 1, copies, [version, version].into_iter());
            assert_eq!(read(&versions, copies), (version + 1, [version; 2]));
        }
    }

    #[test]
    fn a_reader_notices_that_its_copy_is_written() {
        let versions = Versions { published: AtomicU64::new(0), begun: AtomicU64::new(0) };
        let (even, odd) = (words(10), words(20));
        let copies: Copies<'_> = [&even, &odd];
        let (mut value, mut disturbed) = ([0; 2], 0);
        let version = versions.read(copies, |i, word| {
            value[i] = word;
            if i == 0 && disturbed < 2 {
                // Between its words: the next version, which does not matter; then one more, begun.
                disturbed += 1;
                let next = versions.begin();
                if disturbed == 1 {
                    versions.publish(next, copies, [30, 31].into_iter());
                    versions.begin();
                    even[1].store(99, Ordering::Relaxed);
                }
            }
        });
        assert_eq!((version, value), (1, [30, 31]));
        assert_eq!(disturbed, 2, "it took what was spoilt");
    }

    #[test]
    fn numbers_that_nobody_wrote_end_a_read() {
        let (even, odd) = (words(10), words(20));
        for (published, begun) in [(0, 2), (4, 1), (5, u64::MAX), (u64::MAX, 1), (7, 0)] {
            let versions =
                Versions { published: AtomicU64::new(published), begun: AtomicU64::new(begun) };
            assert_eq!(read(&versions, [&even, &odd]).0, published);
        }
    }
}
