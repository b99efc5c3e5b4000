//! The cells that readers sit in, and how one changes.

use crate::atomic::{AtomicU64, Ordering};
use crate::member::{MemberId, Members};
use crate::park::Look;

/// One share, in the count of a cell.
const ONE: u64 = 1 << 16;
const COUNT: u64 = ((1 << 13) - 1) << 16;
const OWNER: u64 = 0xffff_ffff_0000_ffff;

/// One word on a cache line of its own: who reads, and how many of its threads. Valid when zeroed.
///
/// | state | next, each by one compare-and-swap |
/// |---|---|
/// | 0 | owner, 1: by a reader, to itself |
/// | owner, *c* | owner, *c* + 1: by a thread of the same member. Owner, *c* - 1, or 0 for *c* = 1: by a thread of it that leaves. 0: by anybody that found the owner dead |
///
/// Owner and count are one word, so that the shares of a dead member are given back at once, and all
/// of them: a count alone could not say how many of it were the dead one's.
#[repr(C, align(64))]
#[derive(Debug)]
pub(super) struct ReaderCell {
    word: AtomicU64,
    reserved: [u64; 7],
}

/// In which cell a reader of a [`RawRwLock`](crate::RawRwLock) sits: to be given back.
///
/// ```
/// # use ndshm_sync::RawRwLock;
/// # let members = ndshm_testkit::members!();
/// let lock = RawRwLock::<4>::new();
/// let Ok((_, seat)) = lock.read(&members) else { unreachable!("nobody writes") };
/// // SAFETY: the seat is of this lock and membership, and given back once.
/// unsafe { lock.read_unlock(seat, &members) };
/// ```
#[derive(Debug, PartialEq, Eq)]
#[must_use = "the lock stays held until the seat is given back"]
pub struct ReaderSeat(pub(super) usize);

impl ReaderCell {
    pub(super) const fn new() -> Self {
        Self { word: AtomicU64::new(0), reserved: [0; 7] }
    }

    /// Takes an empty cell. A full barrier with
    /// [`fence_after_rmw`](crate::atomic::fence_after_rmw) behind it.
    #[inline]
    pub(super) fn take_empty(&self, me: MemberId) -> bool {
        // Release: who reads this owner (acquire, in `is_empty`) sees the stamp that it joined with,
        // and so cannot take an older generation there for proof of its death.
        let mine = me.to_bits() | ONE;
        self.word.compare_exchange(0, mine, Ordering::Release, Ordering::Relaxed).is_ok()
    }

    /// Takes an empty cell, or one more share of the member's own.
    pub(super) fn take(&self, me: MemberId) -> bool {
        let mut word = self.word.load(Ordering::Relaxed);
        loop {
            let next = match word {
                0 => me.to_bits() | ONE,
                _ if word & OWNER == me.to_bits() && word & COUNT != COUNT => word + ONE,
                _ => return false,
            };
            // Release: as in `take_empty`.
            match self.word.compare_exchange_weak(word, next, Ordering::Release, Ordering::Relaxed)
            {
                Ok(_) => return true,
                Err(now) => word = now,
            }
        }
    }

    /// Gives one share back; whether the cell is empty now.
    #[inline]
    pub(super) fn leave(&self, me: MemberId) -> bool {
        let alone = me.to_bits() | ONE;
        let mut word = alone;
        loop {
            let next = if word == alone { 0 } else { word.wrapping_sub(ONE) };
            // Release: a writer that finds the cell empty (acquire, in `is_empty`) comes after all
            // that was read in it, by threads that left before, too: their stores head the release
            // sequence that this one goes on with.
            match self.word.compare_exchange(word, next, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return next == 0,
                // Another's, or nobody's: the word was overwritten. There is nothing to give back.
                Err(now) if now & OWNER != me.to_bits() || now & COUNT == 0 => return false,
                Err(now) => word = now,
            }
        }
    }

    /// Whether nobody living sits here. Looked at thoroughly, a dead member is put out, by a system
    /// call to see that it is dead.
    #[inline]
    pub(super) fn is_empty(&self, look: Look, members: &Members<'_>) -> bool {
        // Acquire: pairs with the Release of `leave`, and of `take` for the owner's stamp.
        let word = self.word.load(Ordering::Acquire);
        word == 0 || look == Look::Thorough && self.put_out_the_dead(word, members)
    }

    #[cold]
    fn put_out_the_dead(&self, mut word: u64, members: &Members<'_>) -> bool {
        while word != 0 {
            if MemberId::from_bits(word).is_some_and(|owner| members.is_alive(owner)) {
                return false;
            }
            // AcqRel: as for the lock of a dead writer, its byte lock is proof that all it did is done;
            // and those before it in this cell are ordered by this same chain.
            match self.word.compare_exchange(word, 0, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return true,
                Err(now) => word = now,
            }
        }
        true
    }

    /// Who sits here at this moment.
    pub(super) fn owner(&self) -> Option<MemberId> {
        MemberId::from_bits(self.word.load(Ordering::Acquire))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_layout_is_as_documented() {
        assert_eq!((size_of::<ReaderCell>(), align_of::<ReaderCell>()), (64, 64));
        assert_eq!(std::mem::offset_of!(ReaderCell, word), 0);
        assert_eq!(OWNER & COUNT, 0);
    }

    #[test]
    fn shares_are_counted_up_to_the_last_bit() {
        let cell = ReaderCell::new();
        let [me, other] = [1 << 32 | 5, 2 << 32 | 5].map(|bits| MemberId::from_bits(bits).unwrap());
        let most = (COUNT / ONE) as usize;
        assert_eq!((0..most + 9).filter(|_| cell.take(me)).count(), most);
        assert!(!cell.take(other) && !cell.take_empty(other));
        assert_eq!(cell.owner(), Some(me));
        assert!(!cell.leave(other), "another's share was given back");
        assert_eq!((0..most).filter(|_| cell.leave(me)).count(), 1);
        assert_eq!(cell.word.load(Ordering::Relaxed), 0);
        assert!(!cell.leave(me), "there was none left");
        assert!(cell.take_empty(other));
    }
}
