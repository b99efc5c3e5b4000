//! Dividing rows among workers.

use std::ops::Range;

/// The part of `0..n` that belongs to `rank` of `size`: contiguous, in rank order, and as even as
/// possible: the first `n % size` bands have one more.
pub(crate) fn band(n: usize, rank: usize, size: usize) -> Range<usize> {
    let (each, more) = (n / size, n % size);
    let start = rank * each + rank.min(more);
    start..start + each + usize::from(rank < more)
}

#[cfg(test)]
mod tests {
    use super::band;

    fn check(n: usize, size: usize) {
        let mut next = 0;
        for rank in 0..size {
            let band = band(n, rank, size);
            assert_eq!(band.start, next, "n {n} size {size} rank {rank}");
            let expected = n / size + usize::from(rank < n % size);
            assert_eq!(band.end - band.start, expected);
            next = band.end;
        }
        assert_eq!(next, n);
    }

    #[test]
    fn bands_tile_every_length() {
        for n in 0..200 {
            for size in 1..=70 {
                check(n, size);
            }
        }
    }

    #[test]
    fn bands_tile_random_and_extreme_lengths() {
        // xorshift: repeatable, and no dependency for it.
        let mut state = 0x9E37_79B9_7F4A_7C15_u64;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state as usize
        };
        for _ in 0..2_000 {
            check(next(), next() % 64 + 1);
        }
        check(usize::MAX, 1);
        check(usize::MAX, 7);
        check(usize::MAX, 64);
    }
}
