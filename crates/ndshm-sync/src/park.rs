//! Sleeping until somebody changes a word, and waking those who sleep.

use std::time::Duration;

use crate::atomic::{AtomicU32, Ordering};
use crate::member::Members;
use crate::wait::{Deadline, Spin};

/// How long one sleeps whose barrier the kernel refused: a wake-up may be missed then.
const UNSURE: Duration = Duration::from_millis(1);

/// Whether anybody sleeps, beside the word that is slept for. Valid when zeroed.
///
/// The protocol is Dekker's: who sleeps sets the flag and looks at the word once more; who changes
/// the word looks at the flag afterwards. Each needs a full barrier between its store and its
/// load, or both may miss the other. But a change is the common case and a sleep is slow anyway, so
/// the sleeper pays for both: `membarrier` has the kernel put a full barrier into every member that
/// runs at that moment, between whichever two of its instructions, and the changer needs none at
/// all. (The technique is that of liburcu's and of the asymmetric fences of folly.)
///
/// The flag is the lowest bit of a word whose other bits count how often it was cleared; the word is
/// the futex:
///
/// | from | to | by |
/// |---|---|---|
/// | even | odd, + 1 | one that is about to sleep ([`announce`](Self::announce)), or says that others may ([`keep`](Self::keep)) |
/// | odd | even, + 1 | one that wakes: before it wakes all ([`wake_all`](Self::wake_all)), before it hands on to one ([`hand_on`](Self::hand_on)), after it found nobody to wake ([`wake_some`](Self::wake_some), which then wakes all, for those who came in between) |
///
/// Whoever sleeps does so while the word is the odd number that it announced itself with. So one that
/// has announced itself before the flag was cleared, and has not slept yet, looks again instead, even
/// if another has set the flag once more meanwhile: that one may wait for what is yet to come, and the
/// next wake-up be that far away.
///
/// A death costs a slice of sleep: that of the waker before its system call, or of the only one
/// that was woken. A flag that the dead left set costs one needless system call.
#[repr(transparent)]
#[derive(Debug, Default)]
pub(crate) struct Sleepers(AtomicU32);

/// How closely to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// At the words alone.
    Quick,
    /// Also after the living: once before each sleep.
    Thorough,
}

/// The bit of the word that says that somebody sleeps.
const FLAG: u32 = 1;

/// One that has announced its sleep.
pub(crate) struct Sleeper<'a> {
    word: &'a AtomicU32,
    announced: u32,
    most: Duration,
}

impl Sleepers {
    pub(crate) const fn new() -> Self {
        Self(AtomicU32::new(0))
    }

    /// Says that the caller is about to sleep. It has to look once more at what it waits for, and may
    /// then [`sleep`](Sleeper::sleep): either it sees the change, or who changes sees the flag.
    ///
    /// Also for one that was woken by [`hand_on`](Self::hand_on) and gives up instead of going on.
    pub(crate) fn announce(&self, members: &Members<'_>) -> Sleeper<'_> {
        let announced = self.set();
        let sure = members.heavy_fence();
        Sleeper { word: &self.0, announced, most: if sure { Duration::MAX } else { UNSURE } }
    }

    /// Waits until `look` finds what it waits for, or the deadline has passed (`None`): spins, then
    /// sleeps in slices, each a system call or two.
    ///
    /// `look` is asked often with [`Look::Quick`], and before each sleep with [`Look::Thorough`]: then
    /// it also asks after those who may have died. For sleepers that [`wake_one`](Self::wake_one) or
    /// [`wake_all`](Self::wake_all) wake.
    pub(crate) fn wait<R>(
        &self,
        members: &Members<'_>,
        spin: &mut Spin,
        deadline: Deadline,
        mut look: impl FnMut(Look) -> Option<R>,
    ) -> Option<R> {
        loop {
            if let Some(found) = look(Look::Quick) {
                return Some(found);
            }
            if spin.pass() {
                continue;
            }
            if let Some(found) = look(Look::Thorough) {
                return Some(found);
            }
            let slice = deadline.slice()?;
            let sleeper = self.announce(members);
            if let Some(found) = look(Look::Quick) {
                return Some(found);
            }
            sleeper.sleep(members, slice);
        }
    }

    /// Says that others may still sleep: by one that was woken by [`hand_on`](Self::hand_on) and goes on
    /// to change the word itself.
    pub(crate) fn keep(&self) {
        self.set();
    }

    /// Sets the flag; the word with it.
    fn set(&self) -> u32 {
        // Relaxed: what follows orders it, the fence of `announce` or the release of the word. The
        // look first spares a line that many read.
        let word = self.0.load(Ordering::Relaxed);
        if word & FLAG != 0 { word } else { self.0.fetch_or(FLAG, Ordering::Relaxed) | FLAG }
    }

    /// Whether somebody sleeps, or slept and has not been missed yet.
    pub(crate) fn any(&self) -> bool {
        self.0.load(Ordering::Relaxed) & FLAG != 0
    }

    /// After a change of the word: wakes one, which will [`keep`](Self::keep) the flag. Until it does,
    /// nobody else is woken, so a word that changes hands quickly is not slowed by system calls.
    #[inline]
    pub(crate) fn hand_on(&self, members: &Members<'_>) {
        members.light_fence();
        if self.any() {
            self.clear_and_wake(members, 1);
        }
    }

    /// After a change of the word: wakes one. For changes each of which lets one go on.
    #[inline]
    pub(crate) fn wake_one(&self, members: &Members<'_>) {
        self.wake_some(members, 1);
    }

    /// After a change of the word that lets `most` go on: wakes as many.
    #[inline]
    pub(crate) fn wake_some(&self, members: &Members<'_>, most: u32) {
        members.light_fence();
        if self.any() {
            self.wake_some_slowly(members, most);
        }
    }

    #[cold]
    fn wake_some_slowly(&self, members: &Members<'_>, most: u32) {
        if members.wake(&self.0, most) < most as usize {
            // Nobody sleeps any more. One may have begun to in this moment, so all that do are woken.
            self.clear_and_wake(members, Members::ALL);
        }
    }

    /// After a change of the word: wakes all.
    #[inline]
    pub(crate) fn wake_all(&self, members: &Members<'_>) {
        members.light_fence();
        if self.any() {
            self.clear_and_wake(members, Members::ALL);
        }
    }

    #[cold]
    fn clear_and_wake(&self, members: &Members<'_>, most: u32) {
        let word = self.0.load(Ordering::Relaxed);
        if word & FLAG == 0 {
            return; // as below
        }
        let even = word.wrapping_add(FLAG);
        // Relaxed: the system call orders it against those who go to sleep, by the kernel's own lock.
        // Where this fails another was quicker, and wakes those who sleep; one that has announced
        // itself since has seen, by the fences of both, what this one changed.
        let cleared =
            self.0.compare_exchange(word, even, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        if cleared {
            members.wake(&self.0, most);
        }
    }
}

impl Sleeper<'_> {
    /// Sleeps until it is woken, for at most `slice`; may return early. The caller looks again.
    pub(crate) fn sleep(self, members: &Members<'_>, slice: Duration) {
        members.sleep(self.word, self.announced, slice.min(self.most));
    }
}
