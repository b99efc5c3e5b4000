//! The handles that a process works with.

use std::ptr::NonNull;
use std::slice;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::error::{Absence, BarrierError, Lost};
use super::raw::{Attempt, BarrierCell, NotMet, PartyCell, RawBarrier};
use crate::inspect::{Inspection, debug_as_inspected};
use crate::layout::{Kind, Layout, LayoutError, Place, check_parties};
use crate::member::{MemberId, Members};
use crate::wait::Deadline;

/// This process's handle on a barrier in shared memory: a fixed number of parties, each with a
/// rank, that go on only when all have arrived.
///
/// - **Death.** A phase whose missing party is dead, or has withdrawn, is *broken*: all who wait
///   in it, and all who come later, get [`BarrierError::Broken`], which names the lost ranks. A
///   party that died after it had arrived does not break that phase, but the next. A rank that
///   nobody has joined with is waited for (see [`withdraw`](Self::withdraw)).
/// - **Waiting.** Spins or yields for at most a tenth of a millisecond, spinning where there is a
///   processor for each party; then sleeps, and looks every 40 ms whether the missing still live.
/// - **Time-outs** break the barrier too, as in Python and Java: the others would otherwise wait
///   for one that has gone on without them.
/// - **Departing.** [`Party::depart`] leaves without breaking: no phase waits for that rank any
///   more, until it is joined again.
/// - **Reset.** [`reset`](Self::reset) makes a broken barrier whole once the lost ranks have been
///   joined anew.
///
/// ```
/// # use std::os::fd::AsFd;
/// # use ndshm_sync::{Members, Region};
/// # let (base, file) = ndshm_testkit::map_memfd(1 << 16);
/// # // SAFETY: fresh zeroed memory, used for nothing else.
/// # let region = unsafe { Region::new(base, 1 << 16, file.as_fd()) };
/// let members = Members::join(region)?;
/// let barrier = members.layout().barrier(2)?;
/// std::thread::scope(|s| {
///     let [mut a, mut b] = [0, 1].map(|rank| barrier.join(rank).unwrap());
///     let other = s.spawn(move || b.wait().map(|r| r.is_leader()));
///     let one = a.wait().unwrap().is_leader();
///     assert!(one != other.join().unwrap().unwrap()); // exactly one leads
/// });
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy)]
pub struct Barrier<'m> {
    raw: RawBarrier<'m>,
}

debug_as_inspected!([] Barrier<'_>);

impl<'m> Barrier<'m> {
    /// A handle on the barrier at `cell`, for this membership.
    ///
    /// [`Layout::barrier`](crate::Layout::barrier) finds the place, and is safe. This is for memory that
    /// is laid out otherwise.
    ///
    /// # Errors
    ///
    /// [`LayoutError::Parties`], [`LayoutError::Differs`] where something else lies there.
    ///
    /// # Safety
    ///
    /// `cell` is followed by `parties` cells of 64 bytes, all aligned to 64, mapped for `'m`, zero
    /// before their first use; every process uses them as a barrier of as many parties, with a
    /// membership of the same table as `members`.
    ///
    /// ```
    /// # use std::os::fd::AsFd;
    /// use ndshm_sync::{Barrier, Members, Region};
    ///
    /// # let (base, file) = ndshm_testkit::map_memfd(1 << 16);
    /// # // SAFETY: fresh zeroed memory, used for nothing else.
    /// # let region = unsafe { Region::new(base, 1 << 16, file.as_fd()) };
    /// let members = Members::join(region)?;
    /// // SAFETY: the region goes on behind the table.
    /// let cell = unsafe { base.add(Members::SIZE) }.cast();
    /// // SAFETY: aligned to 64, mapped as long as `members` lives, zero; nothing else is there.
    /// let barrier = unsafe { Barrier::at(cell, 1, &members) }?;
    /// assert!(barrier.join(0)?.wait()?.is_leader());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub unsafe fn at(
        cell: NonNull<BarrierCell>,
        parties: usize,
        members: &'m Members<'m>,
    ) -> Result<Self, LayoutError> {
        check_parties(parties)?;
        // SAFETY: the first party's cell follows the head (caller's promise).
        let first = unsafe { cell.add(1) }.cast::<PartyCell>();
        // SAFETY: `parties` cells from there on (caller's promise), made of atomics.
        let parties = unsafe { slice::from_raw_parts(first.as_ptr(), parties) };
        // SAFETY: mapped for `'m` (caller's promise), made of atomics.
        let head: &'m BarrierCell = unsafe { cell.as_ref() };
        head.place.settle(Place::describe(Kind::Barrier, parties.len()))?;
        Ok(Self { raw: RawBarrier { head, parties, members } })
    }

    /// How many parties meet here.
    ///
    /// ```
    /// # let members = ndshm_testkit::members!();
    /// let barrier = members.layout().barrier(4)?;
    /// assert_eq!(barrier.parties(), 4); // of the ranks 0, 1, 2 and 3
    /// # Ok::<(), ndshm_sync::LayoutError>(())
    /// ```
    #[must_use]
    pub const fn parties(&self) -> usize {
        self.raw.parties.len()
    }

    /// Becomes the party of that rank, from 0; dropping the result withdraws. Does not wait; a system
    /// call where somebody has had that rank.
    ///
    /// Once it has returned, no phase is completed without this party, also where the one before it
    /// had arrived and then died, or had [departed](Party::depart).
    ///
    /// # Errors
    ///
    /// [`BarrierError::NoSuchRank`], [`BarrierError::RankTaken`] while a living member has that
    /// rank, [`BarrierError::Forked`].
    ///
    /// ```
    /// use ndshm_sync::BarrierError;
    ///
    /// # let members = ndshm_testkit::members!();
    /// let barrier = members.layout().barrier(2)?;
    /// let first = barrier.join(0)?;
    /// assert!(matches!(barrier.join(0), Err(BarrierError::RankTaken { rank: 0, .. })));
    /// drop(first);
    /// barrier.join(0)?; // free again
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn join(&self, rank: usize) -> Result<Party<'m>, BarrierError> {
        let members = self.raw.members;
        if !members.is_mine() {
            return Err(BarrierError::Forked);
        }
        let parties = self.parties();
        if rank >= parties {
            return Err(BarrierError::NoSuchRank { rank, parties });
        }
        match self.raw.join(rank) {
            Ok(()) => Ok(Party { barrier: *self, rank }),
            Err(id) => Err(BarrierError::RankTaken { rank, by: members.describe(id) }),
        }
    }

    /// Says that the party of that rank will not come any more: for a launcher that knows before
    /// the others can. Whoever waits for it gets [`BarrierError::Broken`]; those who have met it
    /// for the last time are not disturbed. Does nothing for a rank that there is not, or that has
    /// [departed](Party::depart). Does not wait.
    ///
    /// Of a party that lives, only where it has stopped waiting: another may join with its rank from now
    /// on, and one that is just about to arrive would do so for the other.
    ///
    /// ```
    /// use ndshm_sync::{Absence, BarrierError};
    ///
    /// # let members = ndshm_testkit::members!();
    /// let barrier = members.layout().barrier(2)?;
    /// let mut zero = barrier.join(0)?;
    /// barrier.withdraw(1, Absence::Died);
    /// let Err(BarrierError::Broken { lost }) = zero.wait() else { unreachable!() };
    /// assert_eq!((lost[0].rank, lost[0].why), (1, Absence::Died));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn withdraw(&self, rank: usize, why: Absence) {
        if rank < self.parties() && self.raw.members.is_mine() {
            self.raw.withdraw(rank, why);
        }
    }

    /// Makes it a rank that nobody has had: whatever was said of it is forgotten, and it is waited for
    /// until it is joined. For a launcher that has the same barrier met again by others; a broken one
    /// is made whole by [`reset`](Self::reset). Does not wait.
    ///
    /// Of a party that lives, only where it has stopped waiting, as for [`withdraw`](Self::withdraw).
    ///
    /// ```
    /// # let members = ndshm_testkit::members!();
    /// let barrier = members.layout().barrier(2)?;
    /// drop(barrier.join(1)?); // it has left, which breaks the barrier
    /// barrier.vacate(1); // but another is to come
    /// barrier.reset();
    /// let mut zero = barrier.join(0)?;
    /// std::thread::scope(|s| {
    ///     let other = s.spawn(|| barrier.join(1)?.wait().map(drop));
    ///     zero.wait()?;
    ///     other.join().unwrap()
    /// })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn vacate(&self, rank: usize) {
        if rank < self.parties() && self.raw.members.is_mine() {
            self.raw.vacate(rank);
        }
    }

    /// Whether the barrier is broken at this moment. One load. A death breaks it only once somebody
    /// waits.
    ///
    /// ```
    /// # let members = ndshm_testkit::members!();
    /// let barrier = members.layout().barrier(2)?;
    /// assert!(!barrier.is_broken());
    /// barrier.withdraw(1, ndshm_sync::Absence::Failed);
    /// assert!(barrier.is_broken());
    /// # Ok::<(), ndshm_sync::LayoutError>(())
    /// ```
    #[must_use]
    pub fn is_broken(&self) -> bool {
        self.raw.is_broken()
    }

    /// Makes a broken barrier whole, and does nothing to another. Those who still wait in the
    /// broken phase get their error. A rank that was lost has to be joined anew, or the next
    /// phase breaks too.
    ///
    /// ```
    /// # let members = ndshm_testkit::members!();
    /// let barrier = members.layout().barrier(2)?;
    /// let mut zero = barrier.join(0)?;
    /// barrier.withdraw(1, ndshm_sync::Absence::Died);
    /// assert!(zero.wait().is_err());
    ///
    /// let mut one = barrier.join(1)?; // another takes its place
    /// barrier.reset();
    /// std::thread::scope(|s| {
    ///     s.spawn(move || one.wait().map(drop));
    ///     zero.wait()
    /// })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn reset(&self) {
        if self.raw.members.is_mine() {
            self.raw.reset();
        }
    }

    /// What the barrier is doing at this moment: whether it is broken; which ranks have arrived, are
    /// awaited, have departed, are lost; as `holders`, who has joined. A system call for each rank
    /// that is awaited.
    ///
    /// ```
    /// # let members = ndshm_testkit::members!();
    /// let barrier = members.layout().barrier(3)?;
    /// barrier.join(0)?.depart();
    /// let _one = barrier.join(1)?;
    /// let now = barrier.inspect();
    /// assert_eq!(now.state, "whole, rank 0 departed, ranks 1 and 2 awaited, joined");
    /// assert_eq!(now.holders[0].member.id, members.me());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn inspect(&self) -> Inspection {
        self.raw.inspect()
    }

    fn lost(&self, attempt: Attempt) -> Vec<Lost> {
        let members = self.raw.members;
        let ranks = self.raw.parties.iter().enumerate();
        ranks
            .filter_map(|(rank, cell)| {
                let why = cell.absence(members, attempt)?;
                let owner = MemberId::from_bits(cell.owner.load(Ordering::Acquire));
                Some(Lost { rank, why, member: owner.map(|id| members.describe(id)) })
            })
            .collect()
    }

    fn missing(&self, except: usize, attempt: Attempt) -> Vec<usize> {
        let ranks = 0..self.parties();
        ranks.filter(|&rank| rank != except && !self.raw.is_done(rank, attempt)).collect()
    }
}

impl<'m> Layout<'m> {
    /// The next thing of the region is a barrier for `parties` parties. It takes 64 bytes, and 64
    /// more for each party. Does not wait.
    ///
    /// # Errors
    ///
    /// [`LayoutError`], any of them.
    ///
    /// ```
    /// # let members = ndshm_testkit::members!();
    /// let barrier = members.layout().barrier(4)?;
    /// assert_eq!(barrier.parties(), 4);
    /// # Ok::<(), ndshm_sync::LayoutError>(())
    /// ```
    pub fn barrier(&mut self, parties: usize) -> Result<Barrier<'m>, LayoutError> {
        check_parties(parties)?;
        let cells = parties.checked_add(1).ok_or(LayoutError::Parties { parties })?;
        let cell: NonNull<BarrierCell> = self.take(cells)?;
        // SAFETY: `take` found room for the head and a cell for each party, aligned, mapped for
        // longer than `'m` (region invariant 1), valid for any bytes, and shared only in the same
        // way (region invariant 2); all who use the region are members of its one table.
        unsafe { Barrier::at(cell, parties, self.members()) }
    }
}

/// One party of a [`Barrier`]; dropping it withdraws ([`Absence::Left`], in a panic
/// [`Absence::Failed`]), which breaks the barrier for those who wait.
///
/// ```
/// # let members = ndshm_testkit::members!();
/// let barrier = members.layout().barrier(1)?;
/// let mut party = barrier.join(0)?;
/// for _phase in 0..3 {
///     party.wait()?; // every party, in every phase
/// }
/// drop(party);
/// assert!(barrier.is_broken());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Party<'m> {
    barrier: Barrier<'m>,
    rank: usize,
}

impl Party<'_> {
    /// Its rank.
    ///
    /// ```
    /// # let members = ndshm_testkit::members!();
    /// let barrier = members.layout().barrier(4)?;
    /// assert_eq!(barrier.join(3)?.rank(), 3);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn rank(&self) -> usize {
        self.rank
    }

    /// Waits until all parties have arrived, as long as the missing ones live. What any party
    /// wrote before, all see after. Looks at the word of each party, so it costs in proportion to
    /// their number.
    ///
    /// # Errors
    ///
    /// [`BarrierError::Broken`], [`BarrierError::Forked`]; [`BarrierError::RankTaken`] for one that was
    /// withdrawn, where another has joined with its rank since.
    ///
    /// ```
    /// # let members = ndshm_testkit::members!();
    /// let barrier = members.layout().barrier(2)?;
    /// let [mut zero, mut one] = [barrier.join(0)?, barrier.join(1)?];
    /// std::thread::scope(|s| {
    ///     // In real life another process, with a handle of its own:
    ///     let other = s.spawn(move || one.wait().is_ok());
    ///     zero.wait()?;
    ///     assert!(other.join().unwrap());
    ///     Ok::<(), ndshm_sync::BarrierError>(())
    /// })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline]
    pub fn wait(&mut self) -> Result<BarrierWaitResult, BarrierError> {
        self.wait_until(Deadline::Never, || true)
    }

    /// As [`wait`](Self::wait), for at most `timeout` on the monotonic clock. A time-out breaks
    /// the barrier. A zero `timeout` waits as long as the spinning lasts, one too long for the clock
    /// for ever.
    ///
    /// # Errors
    ///
    /// [`BarrierError::TimedOut`], and as [`wait`](Self::wait).
    ///
    /// ```
    /// use std::time::Duration;
    /// use ndshm_sync::BarrierError;
    ///
    /// # let members = ndshm_testkit::members!();
    /// let barrier = members.layout().barrier(2)?;
    /// let mut zero = barrier.join(0)?; // and nobody joins as rank 1
    /// let outcome = zero.wait_timeout(Duration::from_millis(5));
    /// assert_eq!(outcome, Err(BarrierError::TimedOut { missing: vec![1] }));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn wait_timeout(&mut self, timeout: Duration) -> Result<BarrierWaitResult, BarrierError> {
        self.wait_until(Deadline::after(timeout), || true)
    }

    /// As [`wait_timeout`](Self::wait_timeout), or for ever without one, as long as `goes_on` says so: asked before each sleep,
    /// thus every 40 ms or so. Where it says no the barrier breaks as if the time were up. For those
    /// who have to look after something else meanwhile, such as signals.
    ///
    /// # Errors
    ///
    /// As [`wait_timeout`](Self::wait_timeout).
    ///
    /// ```
    /// use ndshm_sync::BarrierError;
    ///
    /// # let members = ndshm_testkit::members!();
    /// let barrier = members.layout().barrier(2)?;
    /// let mut party = barrier.join(0)?;
    /// let interrupted = party.wait_while(None, || false);
    /// assert!(matches!(interrupted, Err(BarrierError::TimedOut { .. })));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn wait_while(
        &mut self,
        timeout: Option<Duration>,
        goes_on: impl Fn() -> bool,
    ) -> Result<BarrierWaitResult, BarrierError> {
        self.wait_until(timeout.map_or(Deadline::Never, Deadline::after), goes_on)
    }

    /// As [`wait_timeout`](Self::wait_timeout), until a moment on the monotonic clock.
    ///
    /// # Errors
    ///
    /// As [`wait_timeout`](Self::wait_timeout).
    ///
    /// ```
    /// use std::time::{Duration, Instant};
    ///
    /// # let members = ndshm_testkit::members!();
    /// let barrier = members.layout().barrier(1)?;
    /// let mut party = barrier.join(0)?;
    /// let deadline = Instant::now() + Duration::from_secs(1); // for all phases together
    /// for _phase in 0..3 {
    ///     party.wait_deadline(deadline)?;
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn wait_deadline(&mut self, deadline: Instant) -> Result<BarrierWaitResult, BarrierError> {
        self.wait_until(Deadline::At(deadline), || true)
    }

    /// Leaves without breaking anything: this phase, if the others wait in it, and all later ones
    /// are completed without this rank, until somebody joins with it again. Does not wait; a
    /// system call where it completes the phase for others that sleep.
    ///
    /// What this party wrote before, all see after the phase. Its death from here on is nobody's
    /// loss, and [`Barrier::withdraw`] does nothing to the rank. Does nothing in a forked child, and
    /// where the rank was withdrawn before.
    ///
    /// ```
    /// # let members = ndshm_testkit::members!();
    /// let barrier = members.layout().barrier(2)?;
    /// let [mut zero, one] = [barrier.join(0)?, barrier.join(1)?];
    /// one.depart(); // its work is done
    /// zero.wait()?; // alone
    /// zero.wait()?;
    ///
    /// let mut one = barrier.join(1)?; // awaited from here on
    /// std::thread::scope(|s| {
    ///     s.spawn(move || one.wait().map(drop));
    ///     zero.wait()
    /// })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn depart(self) {
        let raw = self.barrier.raw;
        // Not dropped: this member may have the rank again before the drop would withdraw it.
        let rank = std::mem::ManuallyDrop::new(self).rank;
        if raw.members.is_mine() {
            raw.depart(rank);
        }
    }

    #[inline]
    fn wait_until(
        &mut self,
        deadline: Deadline,
        goes_on: impl Fn() -> bool,
    ) -> Result<BarrierWaitResult, BarrierError> {
        let Barrier { raw } = self.barrier;
        if !raw.members.is_mine() {
            return Err(BarrierError::Forked);
        }
        // One that was withdrawn while it lived, and whose rank another has now, would arrive for it.
        let owner = MemberId::from_bits(raw.parties[self.rank].owner.load(Ordering::Acquire));
        if let Some(heir) = owner.filter(|&id| id != raw.members.me()) {
            let by = raw.members.describe(heir);
            return Err(BarrierError::RankTaken { rank: self.rank, by });
        }
        match raw.wait(self.rank, deadline, goes_on) {
            Ok(leader) => Ok(BarrierWaitResult { leader }),
            Err(NotMet::Broken(attempt)) => {
                Err(BarrierError::Broken { lost: self.barrier.lost(attempt) })
            }
            Err(NotMet::TimedOut(attempt)) => {
                Err(BarrierError::TimedOut { missing: self.barrier.missing(self.rank, attempt) })
            }
        }
    }
}

impl Drop for Party<'_> {
    fn drop(&mut self) {
        let raw = self.barrier.raw;
        if raw.members.is_mine() {
            let failed = std::thread::panicking();
            raw.leave(self.rank, if failed { Absence::Failed } else { Absence::Left });
        }
    }
}

/// What [`Party::wait`] returns, as in `std::sync`.
///
/// ```
/// # let members = ndshm_testkit::members!();
/// let barrier = members.layout().barrier(1)?;
/// let met = barrier.join(0)?.wait()?;
/// if met.is_leader() {
///     // what one of all has to do, once a phase
/// }
/// # assert!(met.is_leader());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BarrierWaitResult {
    leader: bool,
}

impl BarrierWaitResult {
    /// `true` for exactly one party of each phase; for none where the one that ended it died in that
    /// moment, or [departed](Party::depart).
    ///
    /// ```
    /// # let members = ndshm_testkit::members!();
    /// let barrier = members.layout().barrier(1)?;
    /// assert!(barrier.join(0)?.wait()?.is_leader());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn is_leader(&self) -> bool {
        self.leader
    }
}
