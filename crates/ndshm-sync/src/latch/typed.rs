//! The handles that a process works with.

use std::ptr::NonNull;
use std::slice;
use std::time::{Duration, Instant};

use super::error::LatchError;
use super::party::LatchParty;
use super::raw::{NotJoined, RawLatch};
use crate::atomic::AtomicU64;
use crate::barrier::{Absence, Lost};
use crate::inspect::{Holder, Inspection, debug_as_inspected};
use crate::layout::{Kind, Layout, LayoutError, Place, check_parties};
use crate::member::Members;
use crate::park::Sleepers;
use crate::wait::{Deadline, Spin};

/// The head of a latch in shared memory, followed by a word for each party. Valid when zeroed.
///
/// # Layout
///
/// | offset | size | what |
/// |---|---|---|
/// | 0 | 8 | what lies here, with the number of parties; written once by [`Layout`](crate::Layout) |
/// | 8 | 4 | odd while somebody sleeps, or slept and has not been missed yet; counts; the futex |
/// | 12 | 52 | zero |
/// | 64 | 8 x parties | of each: slot in bits 0-15, generation in bits 32-63, 0 before it joined; in bits 16-18 0, or why it will not come ([`Absence`]); bit 31 once it has counted down |
///
/// The whole is a multiple of 64 bytes. Eight parties share a cache line, since each writes its word
/// twice in all, and those who wait read every one.
///
/// ```
/// use ndshm_sync::LatchCell;
///
/// assert_eq!((size_of::<LatchCell>(), align_of::<LatchCell>()), (64, 64));
/// ```
#[repr(C, align(64))]
#[derive(Debug)]
pub struct LatchCell {
    place: Place,
    sleepers: Sleepers,
    reserved: [u32; 13],
}

/// Parties in a line behind the head.
const IN_LINE: usize = 8;

/// This process's handle on a latch in shared memory: opens, once and for good, when each of a fixed
/// number of parties has counted down. Anybody may wait for that, party or not.
///
/// - **Death.** A party that dies, or leaves, before it has counted down breaks the latch: those who
///   wait get [`LatchError::Broken`], which names the lost ranks. It is not broken for good: another
///   may join with a lost rank and do its part, and the latch opens. A party that has counted down may
///   die. A rank that nobody has joined with is waited for (see [`withdraw`](Self::withdraw)).
/// - **Waiting.** Spins or yields for at most a tenth of a millisecond; then sleeps, and looks every
///   40 ms whether those who are missing still live: a system call each. Signals do not cut a wait short.
/// - **Seen.** One that gets through sees what all parties wrote before they counted down.
///
/// ```
/// # let members = ndshm_testkit::members!();
/// let loaded = members.layout().latch(2)?;
/// std::thread::scope(|s| {
///     for rank in 0..2 {
///         // In real life other processes, with handles of their own:
///         s.spawn(move || loaded.join(rank).unwrap().count_down());
///     }
///     loaded.wait()
/// })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy)]
pub struct Latch<'m> {
    raw: RawLatch<'m>,
}

debug_as_inspected!([] Latch<'_>);

impl<'m> Latch<'m> {
    /// The latch at `cell`, for this membership.
    ///
    /// [`Layout::latch`](crate::Layout::latch) finds the place, and is safe. This is for memory that is
    /// laid out otherwise.
    ///
    /// # Errors
    ///
    /// [`LayoutError::Parties`], [`LayoutError::Differs`] where something else lies there.
    ///
    /// # Safety
    ///
    /// `cell` is followed by `parties` words of 8 bytes, aligned to 64, mapped shared for `'m`, all
    /// zero before their first use; every process uses them through this function, with a
    /// membership of the same table as `members`.
    ///
    /// ```
    /// # use std::os::fd::AsFd;
    /// use ndshm_sync::{Latch, Members, Region};
    ///
    /// # let (base, file) = ndshm_testkit::map_memfd(1 << 16);
    /// # // SAFETY: fresh zeroed memory, used for nothing else.
    /// # let region = unsafe { Region::new(base, 1 << 16, file.as_fd()) };
    /// let members = Members::join(region)?;
    /// // SAFETY: the region goes on behind the table.
    /// let cell = unsafe { base.add(Members::SIZE) }.cast();
    /// // SAFETY: aligned to 64, mapped as long as `members` lives, zero; nothing else is there.
    /// let loaded = unsafe { Latch::at(cell, 1, &members) }?;
    /// loaded.join(0)?.count_down();
    /// loaded.wait()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub unsafe fn at(
        cell: NonNull<LatchCell>,
        parties: usize,
        members: &'m Members<'m>,
    ) -> Result<Self, LayoutError> {
        check_parties(parties)?;
        // SAFETY: the first party's word follows the head (caller's promise).
        let first = unsafe { cell.add(1) }.cast::<AtomicU64>();
        // SAFETY: aligned and mapped for `'m` (caller's promise); made of atomics.
        let head: &'m LatchCell = unsafe { cell.as_ref() };
        head.place.settle(Place::describe(Kind::Latch, parties))?;
        // SAFETY: `parties` words from there on (caller's promise), atomics.
        let parties = unsafe { slice::from_raw_parts(first.as_ptr(), parties) };
        Ok(Self { raw: RawLatch { parties, sleepers: &head.sleepers, members } })
    }

    /// How many parties have to count down.
    ///
    /// ```
    /// # let members = ndshm_testkit::members!();
    /// assert_eq!(members.layout().latch(4)?.parties(), 4); // of the ranks 0, 1, 2 and 3
    /// # Ok::<(), ndshm_sync::LayoutError>(())
    /// ```
    #[must_use]
    pub const fn parties(&self) -> usize {
        self.raw.parties.len()
    }

    /// Becomes the party of that rank, from 0; dropping the result without
    /// [`count_down`](LatchParty::count_down) breaks the latch. Does not wait; a system call where
    /// somebody has that rank.
    ///
    /// # Errors
    ///
    /// [`LatchError::NoSuchRank`], [`LatchError::RankTaken`] while a living member has that rank,
    /// [`LatchError::RankDone`], [`LatchError::Forked`].
    ///
    /// ```
    /// use ndshm_sync::LatchError;
    ///
    /// # let members = ndshm_testkit::members!();
    /// let loaded = members.layout().latch(2)?;
    /// let party = loaded.join(0)?;
    /// assert!(matches!(loaded.join(0), Err(LatchError::RankTaken { rank: 0, .. })));
    /// party.count_down();
    /// assert!(matches!(loaded.join(0), Err(LatchError::RankDone { rank: 0, .. })));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn join(&self, rank: usize) -> Result<LatchParty<'m>, LatchError> {
        let members = self.raw.members;
        if !members.is_mine() {
            return Err(LatchError::Forked);
        }
        let parties = self.parties();
        if rank >= parties {
            return Err(LatchError::NoSuchRank { rank, parties });
        }
        match self.raw.join(rank) {
            Ok(()) => Ok(LatchParty { raw: self.raw, rank }),
            Err(NotJoined::Taken(id)) => {
                Err(LatchError::RankTaken { rank, by: members.describe(id) })
            }
            Err(NotJoined::Done(id)) => {
                Err(LatchError::RankDone { rank, by: members.describe(id) })
            }
        }
    }

    /// Says that the party of that rank will not come (any more): for a launcher that knows before the
    /// others can, or of one that died before it joined. Should it count down all the same, or another
    /// join with that rank, that is taken back. Does nothing for a rank that has counted down, or that
    /// there is not. Does not wait.
    ///
    /// ```
    /// use ndshm_sync::{Absence, LatchError};
    ///
    /// # let members = ndshm_testkit::members!();
    /// let loaded = members.layout().latch(1)?;
    /// loaded.withdraw(0, Absence::Failed); // it failed before it had joined
    /// let Err(LatchError::Broken { lost }) = loaded.wait() else { unreachable!() };
    /// assert_eq!(lost[0].to_string(), "rank 0 failed");
    /// # Ok::<(), ndshm_sync::LayoutError>(())
    /// ```
    pub fn withdraw(&self, rank: usize, why: Absence) {
        if rank < self.parties() && self.raw.members.is_mine() {
            self.raw.withdraw(rank, why);
        }
    }

    /// Waits until all parties have counted down, as long as those that are missing live.
    ///
    /// # Errors
    ///
    /// [`LatchError::Broken`], [`LatchError::Forked`].
    ///
    /// ```
    /// use ndshm_sync::{Absence, LatchError};
    ///
    /// # let members = ndshm_testkit::members!();
    /// let loaded = members.layout().latch(2)?;
    /// loaded.join(0)?.count_down();
    /// drop(loaded.join(1)?); // it leaves, or dies, before it has counted down
    /// match loaded.wait() {
    ///     Err(LatchError::Broken { lost }) => assert_eq!((lost[0].rank, lost[0].why), (1, Absence::Left)),
    ///     other => panic!("{other:?}"),
    /// }
    /// loaded.join(1)?.count_down(); // another does its part
    /// loaded.wait()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn wait(&self) -> Result<(), LatchError> {
        self.wait_until(&mut self.spin(), Deadline::Never)
    }

    /// Whether all parties have counted down. A load for each; where one has not, a system call for each
    /// that is missing.
    ///
    /// # Errors
    ///
    /// [`LatchError::WouldBlock`], [`LatchError::Broken`], [`LatchError::Forked`].
    ///
    /// ```
    /// use ndshm_sync::LatchError;
    ///
    /// # let members = ndshm_testkit::members!();
    /// let loaded = members.layout().latch(2)?;
    /// loaded.join(0)?.count_down();
    /// assert_eq!(loaded.try_wait(), Err(LatchError::WouldBlock { missing: vec![1] }));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_wait(&self) -> Result<(), LatchError> {
        self.wait_until(&mut Spin::none(), Deadline::Passed).map_err(|e| match e {
            LatchError::TimedOut { missing } => LatchError::WouldBlock { missing },
            e => e,
        })
    }

    /// As [`wait`](Self::wait), for at most `timeout` on the monotonic clock; the latch stays as it is. A
    /// zero `timeout` waits as long as the spinning lasts, one too long for the clock for ever.
    ///
    /// # Errors
    ///
    /// [`LatchError::TimedOut`], [`LatchError::Broken`], [`LatchError::Forked`].
    ///
    /// ```
    /// # use ndshm_sync::LatchError;
    /// use std::time::Duration;
    ///
    /// # let members = ndshm_testkit::members!();
    /// let loaded = members.layout().latch(1)?;
    /// let waited = loaded.wait_timeout(Duration::from_millis(2));
    /// assert_eq!(waited, Err(LatchError::TimedOut { missing: vec![0] }));
    /// # Ok::<(), ndshm_sync::LayoutError>(())
    /// ```
    pub fn wait_timeout(&self, timeout: Duration) -> Result<(), LatchError> {
        self.wait_until(&mut self.spin(), Deadline::after(timeout))
    }

    /// As [`wait_timeout`](Self::wait_timeout), until a moment on the monotonic clock.
    ///
    /// # Errors
    ///
    /// As [`wait_timeout`](Self::wait_timeout).
    ///
    /// ```
    /// use std::time::Instant;
    ///
    /// # let members = ndshm_testkit::members!();
    /// let mut layout = members.layout();
    /// let (loaded, sorted) = (layout.latch(1)?, layout.latch(1)?);
    /// loaded.join(0)?.count_down();
    /// let now = Instant::now();
    /// assert!(loaded.wait_deadline(now).is_ok() && sorted.wait_deadline(now).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn wait_deadline(&self, deadline: Instant) -> Result<(), LatchError> {
        self.wait_until(&mut self.spin(), Deadline::At(deadline))
    }

    /// What the latch is doing at this moment: how many have counted down, who is expected to, whether
    /// anybody sleeps. A system call for each that is expected.
    ///
    /// ```
    /// # let members = ndshm_testkit::members!();
    /// let loaded = members.layout().latch(2)?;
    /// loaded.join(0)?.count_down();
    /// assert_eq!(loaded.inspect().to_string(), "latch: 1 of 2 parties done");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn inspect(&self) -> Inspection {
        let missing = self.missing();
        let all = self.parties();
        let owners = missing.iter().filter_map(|&rank| self.raw.party(rank).owner());
        let holders: Vec<_> = owners.map(|id| Holder::of(id, self.raw.members)).collect();
        let by = if holders.is_empty() { "" } else { "; yet to be done" };
        Inspection {
            kind: "latch",
            state: format!("{} of {all} parties done{by}", all - missing.len()),
            holders,
            sleepers: self.raw.sleepers.any(),
            poisoned_by: None,
        }
    }

    fn spin(&self) -> Spin {
        Spin::for_parties(self.parties().saturating_add(1))
    }

    fn wait_until(&self, spin: &mut Spin, deadline: Deadline) -> Result<(), LatchError> {
        if !self.raw.members.is_mine() {
            return Err(LatchError::Forked);
        }
        loop {
            match self.raw.wait(spin, deadline) {
                Some(true) => return Ok(()),
                Some(false) => {}
                None => return Err(LatchError::TimedOut { missing: self.missing() }),
            }
            let lost = self.lost();
            // Empty where another has joined with that rank in this moment: it can open after all.
            if !lost.is_empty() {
                return Err(LatchError::Broken { lost });
            }
        }
    }

    fn lost(&self) -> Vec<Lost> {
        let members = self.raw.members;
        let lost = (0..self.parties()).filter_map(|rank| {
            let (why, owner) = self.raw.lost(rank)?;
            Some(Lost { rank, why, member: owner.map(|id| members.describe(id)) })
        });
        lost.collect()
    }

    fn missing(&self) -> Vec<usize> {
        (0..self.parties()).filter(|&rank| !self.raw.party(rank).is_done()).collect()
    }
}

impl<'m> Layout<'m> {
    /// The next thing of the region is a latch for `parties` parties. It takes 64 bytes, and 64 more for
    /// every 8 parties. Does not wait.
    ///
    /// # Errors
    ///
    /// [`LayoutError`], any of them.
    ///
    /// ```
    /// # let members = ndshm_testkit::members!();
    /// let loaded = members.layout().latch(4)?;
    /// assert_eq!(loaded.parties(), 4);
    /// # Ok::<(), ndshm_sync::LayoutError>(())
    /// ```
    pub fn latch(&mut self, parties: usize) -> Result<Latch<'m>, LayoutError> {
        check_parties(parties)?;
        let lines = parties.div_ceil(IN_LINE);
        let cell: NonNull<LatchCell> = self.take(lines.saturating_add(1))?;
        // SAFETY: `take` found room for the head and the words, aligned, mapped for longer than `'m`
        // (region invariant 1), used by all in the same way, as members of the region's one table
        // (region invariant 2).
        unsafe { Latch::at(cell, parties, self.members()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::mem::offset_of;

    #[test]
    fn the_layout_is_as_documented() {
        assert_eq!(offset_of!(LatchCell, place), 0);
        assert_eq!(offset_of!(LatchCell, sleepers), 8);
        assert_eq!((size_of::<LatchCell>(), align_of::<LatchCell>()), (64, 64));
        assert_eq!(IN_LINE * size_of::<AtomicU64>(), size_of::<LatchCell>());
    }
}
