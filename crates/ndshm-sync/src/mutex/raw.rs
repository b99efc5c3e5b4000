//! The word of a mutex, and how it changes.

use super::outcome::{Acquired, Culprit, NotAcquired};
use crate::atomic::{AtomicU64, Ordering};
use crate::member::{MemberId, Members};
use crate::park::Sleepers;
use crate::wait::{Deadline, Spin};

/// Somebody holds the lock: slot and generation say who.
pub(super) const LOCKED: u64 = 1 << 31;
/// A holder died or panicked, and nobody has cleared it since.
pub(super) const POISONED: u64 = 1 << 29;
/// In the culprit's word: it panicked, rather than died.
const PANICKED: u64 = 1 << 31;
/// Locked by one that does not use yet what the lock guards: its death poisons nothing. Only locks
/// that are taken so (`outside.rs`) know this bit.
pub(super) const OUTSIDE: u64 = 1 << 30;

pub(super) const OWNER: u64 = 0xffff_ffff_0000_ffff;

/// A lock word in shared memory: no owner inside the type, valid when zeroed, 24 bytes.
///
/// # Layout
///
/// | offset | size | what |
/// |---|---|---|
/// | 0 | 8 | the word, below |
/// | 8 | 8 | who poisoned it: slot and generation as in the word, bit 31 set for a panic; written by the holder only |
/// | 16 | 4 | odd while somebody sleeps, or slept and has not been missed yet; counts; the futex |
/// | 20 | 4 | zero |
///
/// Bits of the word:
///
/// | bits | what |
/// |---|---|
/// | 0-15 | slot of the holder |
/// | 16-28 | zero |
/// | 29 | `POISONED` |
/// | 30 | `OUTSIDE`, for the writers of a [`RawRwLock`](crate::RawRwLock) only: the holder waits for readers to go, and its death poisons nothing |
/// | 31 | `LOCKED` |
/// | 32-63 | generation of the holder |
///
/// States, and what leaves each; *p* is the poison bit as it was:
///
/// | state | word | next |
/// |---|---|---|
/// | free | *p* | locked: compare-and-swap by an acquirer, to itself |
/// | locked | `LOCKED`, holder, *p* | free: one plain store by the holder, which then looks whether somebody sleeps. Locked by another, poisoned: compare-and-swap by an acquirer that found the holder dead |
///
/// A writer of a `RawRwLock` locks with `OUTSIDE` set, and clears it by a plain store once no reader is
/// left; what it held so is taken over with *p* as it was.
///
/// All who use one lock have to be members of one table: slot and generation mean nothing in another.
///
/// No other transition exists. What a death leaves behind at any step is one of these states: the
/// holder's is seen by its byte lock, a sleeper's mark costs one needless wake-up, and a death
/// between the holder's store and its wake-up costs a sleeper the rest of its slice.
///
/// ```
/// use ndshm_sync::{Acquired, RawMutex};
///
/// # let members = ndshm_testkit::members!();
/// let lock = RawMutex::new(); // in shared memory: 24 zero bytes
/// assert_eq!(lock.lock(&members), Ok(Acquired::Clean));
/// assert_eq!(lock.owner(), Some(members.me()));
/// // SAFETY: locked above, and no guard stands for it.
/// unsafe { lock.unlock(&members) };
/// assert_eq!(lock.owner(), None);
/// ```
#[repr(C)]
#[derive(Debug, Default)]
pub struct RawMutex {
    pub(super) word: AtomicU64,
    culprit: AtomicU64,
    sleepers: Sleepers,
    reserved: u32,
}

impl RawMutex {
    /// A free lock. The same as 24 zero bytes.
    ///
    /// ```
    /// static LOCK: ndshm_sync::RawMutex = ndshm_sync::RawMutex::new();
    /// assert_eq!(LOCK.owner(), None);
    /// ```
    #[must_use]
    pub const fn new() -> Self {
        Self {
            word: AtomicU64::new(0),
            culprit: AtomicU64::new(0),
            sleepers: Sleepers::new(),
            reserved: 0,
        }
    }

    /// Takes the lock, or returns at once. Takes over what a dead member holds, which costs a system
    /// call where somebody holds it.
    ///
    /// # Errors
    ///
    /// [`NotAcquired::Held`], [`NotAcquired::Forked`].
    ///
    /// ```
    /// # use ndshm_sync::{Acquired, NotAcquired, RawMutex};
    /// # let members = ndshm_testkit::members!();
    /// let lock = RawMutex::new();
    /// assert_eq!(lock.try_lock(&members), Ok(Acquired::Clean));
    /// assert!(matches!(lock.try_lock(&members), Err(NotAcquired::Held(_))));
    /// ```
    pub fn try_lock(&self, members: &Members<'_>) -> Result<Acquired, NotAcquired> {
        self.lock_until(members, Deadline::Passed)
    }

    /// Takes the lock, and waits for it as long as its holder lives: for ever where that is the
    /// calling thread. One compare-and-swap where nobody holds it.
    ///
    /// Spins for at most a tenth of a millisecond, then sleeps, and looks every 40 ms whether the
    /// holder lives.
    ///
    /// # Errors
    ///
    /// [`NotAcquired::Forked`].
    ///
    /// ```
    /// # use ndshm_sync::{Acquired, RawMutex};
    /// # let members = ndshm_testkit::members!();
    /// let lock = RawMutex::new();
    /// assert_eq!(lock.lock(&members), Ok(Acquired::Clean));
    /// // SAFETY: locked above, and no guard stands for it.
    /// unsafe { lock.unlock(&members) };
    /// ```
    #[inline]
    pub fn lock(&self, members: &Members<'_>) -> Result<Acquired, NotAcquired> {
        self.lock_until(members, Deadline::Never)
    }

    /// As [`lock`](Self::lock), but gives up after `timeout` on the monotonic clock; a zero `timeout`
    /// tries for as long as the spinning lasts, one too long for the clock is for ever.
    ///
    /// # Errors
    ///
    /// [`NotAcquired::Held`], [`NotAcquired::Forked`].
    ///
    /// ```
    /// # use ndshm_sync::{NotAcquired, RawMutex};
    /// use std::time::Duration;
    ///
    /// # let members = ndshm_testkit::members!();
    /// let lock = RawMutex::new();
    /// let _ = lock.lock(&members);
    /// let second = lock.lock_timeout(&members, Duration::from_millis(5));
    /// assert_eq!(second, Err(NotAcquired::Held(Some(members.me()))));
    /// ```
    #[inline]
    pub fn lock_timeout(
        &self,
        members: &Members<'_>,
        timeout: std::time::Duration,
    ) -> Result<Acquired, NotAcquired> {
        match self.fast(members, 0)? {
            Some(got) => Ok(got),
            None => self.contend(members, 0, &mut Spin::for_lock(), Deadline::after(timeout)),
        }
    }

    /// As [`lock_timeout`](Self::lock_timeout), until a moment on the monotonic clock.
    ///
    /// # Errors
    ///
    /// As [`lock_timeout`](Self::lock_timeout).
    ///
    /// ```
    /// # use ndshm_sync::{NotAcquired, RawMutex};
    /// use std::time::Instant;
    ///
    /// # let members = ndshm_testkit::members!();
    /// let lock = RawMutex::new();
    /// let _ = lock.lock(&members);
    /// let second = lock.lock_deadline(&members, Instant::now());
    /// assert_eq!(second, Err(NotAcquired::Held(Some(members.me()))));
    /// ```
    #[inline]
    pub fn lock_deadline(
        &self,
        members: &Members<'_>,
        deadline: std::time::Instant,
    ) -> Result<Acquired, NotAcquired> {
        self.lock_until(members, Deadline::At(deadline))
    }

    /// All of these; one that has passed tries, and does not spin.
    #[inline]
    pub(crate) fn lock_until(
        &self,
        members: &Members<'_>,
        deadline: Deadline,
    ) -> Result<Acquired, NotAcquired> {
        if let Some(got) = self.fast(members, 0)? {
            return Ok(got);
        }
        // What a dead member holds is not held, for one that only tries either.
        let mut spin = if deadline.is_passed() { Spin::none() } else { Spin::for_lock() };
        self.contend(members, 0, &mut spin, deadline)
    }

    /// `how` is zero, or `OUTSIDE`.
    #[inline]
    pub(super) fn fast(
        &self,
        members: &Members<'_>,
        how: u64,
    ) -> Result<Option<Acquired>, NotAcquired> {
        if !members.is_mine() {
            return Err(NotAcquired::Forked);
        }
        let mine = LOCKED | how | members.me().to_bits();
        // Acquire: what the last holder wrote before its Release is seen from here on. Release: who
        // reads this owner in the word (acquire, in `contend`) sees the stamp that it joined with,
        // and so cannot take an older generation there for proof of its death.
        match self.word.compare_exchange(0, mine, Ordering::AcqRel, Ordering::Relaxed) {
            Ok(_) => Ok(Some(Acquired::Clean)),
            Err(_) => Ok(None),
        }
    }

    #[cold]
    pub(super) fn contend(
        &self,
        members: &Members<'_>,
        how: u64,
        spin: &mut Spin,
        deadline: Deadline,
    ) -> Result<Acquired, NotAcquired> {
        let mine = LOCKED | how | members.me().to_bits();
        let mut slept = false;
        // Acquire, wherever the word is read here: with an owner comes its stamp (see `fast`).
        let mut word = self.word.load(Ordering::Acquire);
        let got = loop {
            if word & LOCKED == 0 {
                // AcqRel: as in `fast`.
                match self.replace(word, mine | word & POISONED, Ordering::AcqRel) {
                    Ok(()) if word & POISONED == 0 => break Acquired::Clean,
                    Ok(()) => break Acquired::Poisoned(self.culprit(members)),
                    Err(now) => word = now,
                }
                continue;
            }
            if spin.pass() {
                word = self.word.load(Ordering::Acquire);
                continue;
            }
            // Before the first sleep and after each slice: is there still anybody to wait for?
            let owner = MemberId::from_bits(word & OWNER);
            if owner.is_none_or(|owner| !members.is_alive(owner)) {
                match self.inherit(word, members, how) {
                    Ok(got) => break got,
                    Err(now) => word = now,
                }
                continue;
            }
            let slice = deadline.slice();
            if slice.is_none() && !slept {
                return Err(NotAcquired::Held(owner));
            }
            // Also by one that slept and now gives up: the wake-up it took may have been meant for
            // another, who still sleeps.
            let sleeper = self.sleepers.announce(members);
            let now = self.word.load(Ordering::Acquire);
            // However often it has changed hands meanwhile: whoever has it now sees the flag.
            if slice.is_none() && now & LOCKED != 0 {
                return Err(NotAcquired::Held(MemberId::from_bits(now & OWNER)));
            }
            if let Some(slice) = slice.filter(|_| now == word) {
                sleeper.sleep(members, slice);
                slept = true;
                word = self.word.load(Ordering::Acquire);
            } else {
                word = now;
            }
        };
        if slept {
            self.sleepers.keep(); // it was woken alone: the next release looks for others
        }
        Ok(got)
    }

    /// Takes the lock over from the dead member that `word` names; what the word was where that failed.
    pub(super) fn inherit(
        &self,
        word: u64,
        members: &Members<'_>,
        how: u64,
    ) -> Result<Acquired, u64> {
        let mine = LOCKED | members.me().to_bits();
        let poison = word & POISONED;
        // AcqRel: as in `fast`; the kernel has taken the owner's memory down before its byte lock
        // (exit_mm precedes exit_files), so all that it wrote is in the shared pages; and the words
        // it released before are ordered by this same chain.
        if word & how != 0 {
            // It was outside: nothing is half-changed, and who poisoned the lock, if anybody, stands.
            self.replace(word, mine | how | poison, Ordering::AcqRel)?;
            return Ok(if poison == 0 {
                Acquired::Clean
            } else {
                Acquired::Poisoned(self.culprit(members))
            });
        }
        self.replace(word, mine | POISONED, Ordering::AcqRel)?;
        // A word that names nobody was corrupted; then this member is as good a name as any, and the
        // poison says the rest.
        let culprit = MemberId::from_bits(word & OWNER).unwrap_or(members.me());
        self.culprit.store(culprit.to_bits(), Ordering::Relaxed);
        if how != 0 {
            // Only now: one that dies before it has named the culprit is to be named itself. Release:
            // with this mark comes the name.
            self.word.store(mine | how | POISONED, Ordering::Release);
        }
        Ok(Acquired::Poisoned(Culprit::Died(culprit)))
    }

    /// One compare-and-swap of the word; what it was where that failed.
    fn replace(&self, from: u64, to: u64, success: Ordering) -> Result<(), u64> {
        self.word.compare_exchange_weak(from, to, success, Ordering::Acquire).map(|_| ())
    }

    /// Releases the lock, and wakes one of those who wait: one store, and a system call where somebody
    /// sleeps. Poison stays. Does nothing in a forked child.
    ///
    /// # Safety
    ///
    /// This membership holds the lock, what it guards is no longer referred to, and all who use the lock
    /// are members of one table.
    ///
    /// ```
    /// # use ndshm_sync::RawMutex;
    /// # let members = ndshm_testkit::members!();
    /// let lock = RawMutex::new();
    /// let _ = lock.lock(&members);
    /// // SAFETY: locked above; what it guards is not referred to any more.
    /// unsafe { lock.unlock(&members) };
    /// assert_eq!(lock.owner(), None);
    /// ```
    #[inline]
    pub unsafe fn unlock(&self, members: &Members<'_>) {
        if !members.is_mine() {
            return; // A guard in memory that was forked: the lock is the parent's.
        }
        // Only the holder changes the word while it lives, so nothing comes between load and store.
        let poison = self.word.load(Ordering::Relaxed) & POISONED;
        // Release: the next holder sees what this one wrote.
        self.word.store(poison, Ordering::Release);
        self.sleepers.hand_on(members);
    }

    /// Marks what the lock guards as half-changed by a panic of this process. The lock stays held.
    ///
    /// # Safety
    ///
    /// This membership holds the lock.
    ///
    /// ```
    /// # use ndshm_sync::{Acquired, Culprit, RawMutex};
    /// # let members = ndshm_testkit::members!();
    /// let lock = RawMutex::new();
    /// let _ = lock.lock(&members);
    /// // SAFETY: locked above.
    /// unsafe { lock.poison(&members) };
    /// // SAFETY: the same; nothing refers to what it guards.
    /// unsafe { lock.unlock(&members) };
    /// let panicked = Culprit::Panicked(members.me());
    /// assert_eq!(lock.lock(&members), Ok(Acquired::Poisoned(panicked)));
    /// ```
    #[cold]
    pub unsafe fn poison(&self, members: &Members<'_>) {
        if members.is_mine() {
            self.culprit.store(PANICKED | members.me().to_bits(), Ordering::Relaxed);
            self.word.fetch_or(POISONED, Ordering::Relaxed);
        }
    }

    /// Declares what the lock guards whole again. The lock stays held.
    ///
    /// # Safety
    ///
    /// This membership holds the lock.
    ///
    /// ```
    /// # use ndshm_sync::RawMutex;
    /// # let members = ndshm_testkit::members!();
    /// let lock = RawMutex::new();
    /// let _ = lock.lock(&members);
    /// # // SAFETY: locked above.
    /// # unsafe { lock.poison(&members) };
    /// // SAFETY: locked above.
    /// unsafe { lock.clear_poison(&members) };
    /// assert!(!lock.is_poisoned());
    /// ```
    pub unsafe fn clear_poison(&self, members: &Members<'_>) {
        if members.is_mine() {
            self.word.fetch_and(!POISONED, Ordering::Relaxed);
        }
    }

    /// Who holds the lock at this moment; it may be dead, and may be another a moment later. One load.
    ///
    /// ```
    /// # use ndshm_sync::RawMutex;
    /// # let members = ndshm_testkit::members!();
    /// let lock = RawMutex::new();
    /// let _ = lock.lock(&members);
    /// assert_eq!(lock.owner(), Some(members.me()));
    /// ```
    #[must_use]
    pub fn owner(&self) -> Option<MemberId> {
        // Acquire: with an owner comes its stamp (see `fast`), so that it can be asked after.
        let word = self.word.load(Ordering::Acquire);
        if word & LOCKED == 0 { None } else { MemberId::from_bits(word & OWNER) }
    }

    /// Whether the lock is poisoned at this moment. One load.
    ///
    /// ```
    /// # use ndshm_sync::RawMutex;
    /// assert!(!RawMutex::new().is_poisoned());
    /// ```
    #[must_use]
    pub fn is_poisoned(&self) -> bool {
        self.word.load(Ordering::Relaxed) & POISONED != 0
    }

    /// Whether anybody sleeps on the lock, or slept and has not been missed yet. One load.
    ///
    /// ```
    /// # use ndshm_sync::RawMutex;
    /// assert!(!RawMutex::new().has_sleepers());
    /// ```
    #[must_use]
    pub fn has_sleepers(&self) -> bool {
        self.sleepers.any()
    }

    /// Who poisoned the lock, where nobody has cleared that. Two loads.
    ///
    /// ```
    /// # use ndshm_sync::RawMutex;
    /// # let members = ndshm_testkit::members!();
    /// assert_eq!(RawMutex::new().poisoned_by(&members), None);
    /// ```
    #[must_use]
    pub fn poisoned_by(&self, members: &Members<'_>) -> Option<Culprit> {
        // Acquire: with the poison comes who it was, unless one is just taking the lock over.
        let word = self.word.load(Ordering::Acquire);
        (word & POISONED != 0).then(|| self.culprit(members))
    }

    /// Who died or panicked with the lock, where nobody has had it since. A load or two, and a system
    /// call where another holds it.
    pub(crate) fn abandoned_by(&self, members: &Members<'_>) -> Option<Culprit> {
        // One look, for owner and poison belong together: of a lock that somebody has taken over the
        // poison is on while nothing is abandoned. Acquire: with an owner comes its stamp (see `fast`),
        // with the poison of a free lock who it was.
        let word = self.word.load(Ordering::Acquire);
        if word & LOCKED == 0 {
            return (word & POISONED != 0).then(|| self.culprit(members));
        }
        let owner = MemberId::from_bits(word & OWNER)?;
        (!members.is_alive(owner)).then_some(Culprit::Died(owner))
    }

    /// Whether one that has died holds the lock. A load, and a system call where another holds it.
    pub(crate) fn is_orphaned(&self, members: &Members<'_>) -> bool {
        // Acquire: with an owner comes its stamp (see `fast`).
        let word = self.word.load(Ordering::Acquire);
        word & LOCKED != 0
            && MemberId::from_bits(word & OWNER).is_none_or(|owner| !members.is_alive(owner))
    }

    /// The member that the culprit's word names, poisoned or not: for the roster.
    #[cfg(all(target_os = "linux", not(ndshm_portable_only)))]
    pub(crate) fn named_culprit(&self) -> Option<MemberId> {
        MemberId::from_bits(self.culprit.load(Ordering::Relaxed) & OWNER)
    }

    pub(crate) fn culprit(&self, members: &Members<'_>) -> Culprit {
        // Written by a holder before its Release, or by nobody who lived to write it.
        let bits = self.culprit.load(Ordering::Relaxed);
        let id = MemberId::from_bits(bits & OWNER).unwrap_or(members.me());
        if bits & PANICKED == 0 { Culprit::Died(id) } else { Culprit::Panicked(id) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_layout_is_as_documented() {
        assert_eq!((size_of::<RawMutex>(), align_of::<RawMutex>()), (24, 8));
        assert_eq!(std::mem::offset_of!(RawMutex, word), 0);
        assert_eq!(std::mem::offset_of!(RawMutex, culprit), 8);
        assert_eq!(std::mem::offset_of!(RawMutex, sleepers), 16);
    }

    #[test]
    fn owner_and_flags_do_not_overlap() {
        assert_eq!(OWNER & (LOCKED | POISONED | OUTSIDE), 0);
        assert_eq!([LOCKED, POISONED, OUTSIDE].map(u64::count_ones), [1; 3]);
        let id = MemberId::from_bits(0x1234_5678_0000_03fb).unwrap();
        assert_eq!((id.slot(), id.generation()), (0x3fb, 0x1234_5678));
        assert_eq!(id.to_bits() & !OWNER, 0);
    }
}
