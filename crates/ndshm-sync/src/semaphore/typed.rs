//! The handles that a process works with.

use std::ptr::NonNull;
use std::slice;
use std::time::{Duration, Instant};

use super::error::{AcquireError, Reclaimed};
use super::permit::SemaphorePermit;
use super::raw::{RawSemaphore, Taken};
use crate::atomic::AtomicU64;
use crate::inspect::{Holder, Inspection, debug_as_inspected};
use crate::layout::{Kind, Layout, LayoutError, Place};
use crate::member::{MemberId, Members};
use crate::park::Sleepers;
use crate::wait::{Deadline, Spin};

/// The head of a semaphore in shared memory, followed by a word for each permit. Valid when zeroed.
///
/// # Layout
///
/// | offset | size | what |
/// |---|---|---|
/// | 0 | 8 | what lies here, with the number of permits and what becomes of those of the dead; written once by [`Layout`](crate::Layout) |
/// | 8 | 4 | odd while somebody sleeps, or slept and has not been missed yet; counts; the futex |
/// | 12 | 52 | zero |
/// | 64 | 8 x permits | who holds each: slot in bits 0-15, generation in bits 32-63; 0 for a free one |
///
/// The whole is a multiple of 64 bytes. Eight permits share a cache line: those who contend for the
/// last of them contend for its word anyway, and one that finds all held has read them sooner.
///
/// ```
/// use ndshm_sync::SemaphoreCell;
///
/// assert_eq!((size_of::<SemaphoreCell>(), align_of::<SemaphoreCell>()), (64, 64));
/// ```
#[repr(C, align(64))]
#[derive(Debug)]
pub struct SemaphoreCell {
    place: Place,
    sleepers: Sleepers,
    reserved: [u32; 13],
}

/// Permits in a line behind the head.
const IN_LINE: usize = 8;

/// What becomes of the permit of a member that died. Every process has to say the same.
///
/// ```
/// use ndshm_sync::{LayoutError, Members, OnDeath};
///
/// # let members = ndshm_testkit::members!();
/// members.layout().semaphore(2, OnDeath::Return)?;
/// let other = Members::join(members.region())?; // another process, say
/// let differs = other.layout().semaphore(2, OnDeath::Report);
/// assert!(matches!(differs, Err(LayoutError::Differs { .. })));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OnDeath {
    /// It comes back as if it had been released: for what the kernel cleans up after the dead.
    Return,
    /// It comes inside [`AcquireError::Reclaimed`], which says who died: for what its next user has to
    /// clean up. That is told once, to the first that takes it, and only when no other permit is free.
    Report,
}

impl OnDeath {
    const fn kind(self) -> Kind {
        match self {
            Self::Return => Kind::Semaphore,
            Self::Report => Kind::ReportingSemaphore,
        }
    }
}

/// This process's handle on a semaphore in shared memory: so many may do something at once, across
/// processes and threads. Each permit has an owner, so none is lost with a process.
///
/// - **Death.** The permit of a member that died goes to the next that finds none free, silently or
///   inside an error, as the semaphore's [`OnDeath`] says. As long as there are free ones it stays where it
///   is, and nobody is told. Where that next one dies before it returns, its own death is the one to be told.
/// - **Waiting.** Spins for at most a tenth of a millisecond, then sleeps, and looks every 40 ms
///   whether those who hold permits still live: a system call each. A stopped member (SIGSTOP) keeps
///   its permits. Signals do not cut a wait short. Waiters are not served in order.
/// - **Cost.** A load for each permit that others hold, and one compare-and-swap; a release is one
///   store, and a system call where somebody sleeps.
/// - **Forgetting** a permit keeps it until this membership is dropped, or its process ends; that
///   counts as a death.
///
/// For permits that one process gives and another takes, see
/// [`SignalSemaphore`](crate::SignalSemaphore).
///
/// ```
/// use ndshm_sync::OnDeath;
///
/// # let members = ndshm_testkit::members!();
/// let readers = members.layout().semaphore(4, OnDeath::Return)?; // at most four at once
/// let permit = readers.acquire()?;
/// assert_eq!(readers.available(), 3);
/// drop(permit);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy)]
pub struct Semaphore<'m> {
    raw: RawSemaphore<'m>,
    on_death: OnDeath,
}

debug_as_inspected!([] Semaphore<'_>);

/// How a permit was asked for.
type Got<'m> = Result<SemaphorePermit<'m>, AcquireError<SemaphorePermit<'m>>>;

impl<'m> Semaphore<'m> {
    /// How many permits a semaphore may have.
    ///
    /// ```
    /// assert_eq!(ndshm_sync::Semaphore::MOST, 65_536);
    /// ```
    pub const MOST: usize = 1 << 16;

    /// The semaphore at `cell`, for this membership.
    ///
    /// [`Layout::semaphore`](crate::Layout::semaphore) finds the place, and is safe. This is for memory
    /// that is laid out otherwise.
    ///
    /// # Errors
    ///
    /// [`LayoutError::Permits`], [`LayoutError::Differs`] where something else lies there.
    ///
    /// # Safety
    ///
    /// `cell` is followed by `permits` words of 8 bytes, aligned to 64, mapped shared for `'m`, all
    /// zero before their first use; every process uses them through this function, with a
    /// membership of the same table as `members`.
    ///
    /// ```
    /// # use std::os::fd::AsFd;
    /// use ndshm_sync::{Members, OnDeath, Region, Semaphore};
    ///
    /// # let (base, file) = ndshm_testkit::map_memfd(1 << 16);
    /// # // SAFETY: fresh zeroed memory, used for nothing else.
    /// # let region = unsafe { Region::new(base, 1 << 16, file.as_fd()) };
    /// let members = Members::join(region)?;
    /// // SAFETY: the region goes on behind the table.
    /// let cell = unsafe { base.add(Members::SIZE) }.cast();
    /// // SAFETY: aligned to 64, mapped as long as `members` lives, zero; nothing else is there.
    /// let slots = unsafe { Semaphore::at(cell, 3, OnDeath::Return, &members) }?;
    /// assert_eq!(slots.available(), 3);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub unsafe fn at(
        cell: NonNull<SemaphoreCell>,
        permits: usize,
        on_death: OnDeath,
        members: &'m Members<'m>,
    ) -> Result<Self, LayoutError> {
        check(permits)?;
        // SAFETY: the first permit's word follows the head (caller's promise).
        let first = unsafe { cell.add(1) }.cast::<AtomicU64>();
        // SAFETY: aligned and mapped for `'m` (caller's promise); made of atomics.
        let head: &'m SemaphoreCell = unsafe { cell.as_ref() };
        head.place.settle(Place::describe(on_death.kind(), permits))?;
        // SAFETY: `permits` words from there on (caller's promise), atomics.
        let permits = unsafe { slice::from_raw_parts(first.as_ptr(), permits) };
        Ok(Self { raw: RawSemaphore { permits, sleepers: &head.sleepers, members }, on_death })
    }

    /// Takes a permit, and waits for one as long as those who hold them live. One compare-and-swap
    /// where one is free.
    ///
    /// # Errors
    ///
    /// [`AcquireError::Reclaimed`] with the permit inside, [`AcquireError::Forked`].
    ///
    /// ```
    /// # use ndshm_sync::OnDeath;
    /// # let members = ndshm_testkit::members!();
    /// let slots = members.layout().semaphore(2, OnDeath::Return)?;
    /// let _permit = slots.acquire()?; // until it is dropped
    /// assert_eq!(slots.available(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline]
    pub fn acquire(&self) -> Got<'m> {
        self.acquire_until(|| Deadline::Never)
    }

    /// Takes a permit that no living member holds, and does not wait. One compare-and-swap where one is
    /// free; where none is, a system call for each other member that holds some.
    ///
    /// # Errors
    ///
    /// [`AcquireError::WouldBlock`], [`AcquireError::Reclaimed`] with the permit inside,
    /// [`AcquireError::Forked`].
    ///
    /// ```
    /// # use ndshm_sync::{AcquireError, OnDeath};
    /// # let members = ndshm_testkit::members!();
    /// let slots = members.layout().semaphore(1, OnDeath::Return)?;
    /// let permit = slots.try_acquire()?;
    /// assert!(matches!(slots.try_acquire(), Err(AcquireError::WouldBlock { permits: 1 })));
    /// # drop(permit);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_acquire(&self) -> Got<'m> {
        match self.fast()? {
            Some(permit) => Ok(permit),
            None => {
                self.finish(self.raw.wait(&mut Spin::none(), Deadline::Passed)).map_err(|e| match e
                {
                    AcquireError::TimedOut { permits } => AcquireError::WouldBlock { permits },
                    e => e,
                })
            }
        }
    }

    /// Takes a permit, or gives up after `timeout` on the monotonic clock; a zero `timeout` tries for
    /// as long as the spinning lasts, one too long for the clock is for ever.
    ///
    /// # Errors
    ///
    /// [`AcquireError::TimedOut`], [`AcquireError::Reclaimed`] with the permit inside,
    /// [`AcquireError::Forked`].
    ///
    /// ```
    /// # use ndshm_sync::{AcquireError, OnDeath};
    /// use std::time::Duration;
    ///
    /// # let members = ndshm_testkit::members!();
    /// let slots = members.layout().semaphore(1, OnDeath::Return)?;
    /// let permit = slots.acquire()?;
    /// let second = slots.acquire_timeout(Duration::from_millis(2));
    /// assert!(matches!(second, Err(AcquireError::TimedOut { .. })));
    /// # drop(permit);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline]
    pub fn acquire_timeout(&self, timeout: Duration) -> Got<'m> {
        self.acquire_until(|| Deadline::after(timeout))
    }

    /// As [`acquire_timeout`](Self::acquire_timeout), until a moment on the monotonic clock.
    ///
    /// # Errors
    ///
    /// As [`acquire_timeout`](Self::acquire_timeout).
    ///
    /// ```
    /// # use ndshm_sync::OnDeath;
    /// use std::time::{Duration, Instant};
    ///
    /// # let members = ndshm_testkit::members!();
    /// let slots = members.layout().semaphore(2, OnDeath::Return)?;
    /// let deadline = Instant::now() + Duration::from_secs(1); // for both together
    /// let two = [slots.acquire_deadline(deadline)?, slots.acquire_deadline(deadline)?];
    /// # drop(two);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline]
    pub fn acquire_deadline(&self, deadline: Instant) -> Got<'m> {
        self.acquire_until(|| Deadline::At(deadline))
    }

    /// How many permits there are.
    ///
    /// ```
    /// # use ndshm_sync::OnDeath;
    /// # let members = ndshm_testkit::members!();
    /// assert_eq!(members.layout().semaphore(5, OnDeath::Return)?.permits(), 5);
    /// # Ok::<(), ndshm_sync::LayoutError>(())
    /// ```
    #[must_use]
    pub const fn permits(&self) -> usize {
        self.raw.permits.len()
    }

    /// How many permits no living member holds at this moment: so many could be had without waiting. A
    /// system call for each other member that holds some.
    ///
    /// ```
    /// # use ndshm_sync::{Members, OnDeath};
    /// # let members = ndshm_testkit::members!();
    /// let slots = members.layout().semaphore(3, OnDeath::Return)?;
    /// let other = Members::join(members.region())?; // another process, say
    /// std::mem::forget(other.layout().semaphore(3, OnDeath::Return)?.acquire());
    /// assert_eq!(slots.available(), 2);
    /// drop(other); // it leaves, or dies, with the permit
    /// assert_eq!(slots.available(), 3);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn available(&self) -> usize {
        let living: usize = self.holders().iter().map(|(h, n)| if h.alive { *n } else { 0 }).sum();
        self.permits() - living
    }

    /// What the semaphore is doing at this moment: how many permits nobody holds, who holds the others,
    /// whether anybody sleeps. A system call for each other member that holds some.
    ///
    /// ```
    /// # use ndshm_sync::OnDeath;
    /// # let members = ndshm_testkit::members!();
    /// let slots = members.layout().semaphore(2, OnDeath::Return)?;
    /// assert_eq!(slots.inspect().to_string(), "semaphore: 2 of 2 permits free");
    /// # Ok::<(), ndshm_sync::LayoutError>(())
    /// ```
    #[must_use]
    pub fn inspect(&self) -> Inspection {
        let all = self.permits();
        let free = all - self.raw.owners().count().min(all);
        let holders = self.holders();
        let by = if holders.is_empty() { "" } else { "; others held" };
        Inspection {
            kind: "semaphore",
            state: format!("{free} of {all} permits free{by}"),
            holders: holders.into_iter().map(|(holder, _)| holder).collect(),
            sleepers: self.raw.sleepers.any(),
            poisoned_by: None,
        }
    }

    /// Each member that holds permits, and how many.
    fn holders(&self) -> Vec<(Holder, usize)> {
        let mut owners: Vec<MemberId> = self.raw.owners().flatten().collect();
        owners.sort_unstable_by_key(|id| id.to_bits());
        let runs = owners.chunk_by(|a, b| a == b);
        runs.map(|run| (Holder::of(run[0], self.raw.members), run.len())).collect()
    }

    #[inline]
    fn acquire_until(&self, deadline: impl FnOnce() -> Deadline) -> Got<'m> {
        match self.fast()? {
            Some(permit) => Ok(permit),
            None => self.finish(self.raw.wait(&mut Spin::for_lock(), deadline())),
        }
    }

    #[inline]
    fn fast(&self) -> Result<Option<SemaphorePermit<'m>>, AcquireError<SemaphorePermit<'m>>> {
        if !self.raw.members.is_mine() {
            return Err(AcquireError::Forked);
        }
        Ok(self.raw.take_free().map(|taken| self.permit(taken.permit)))
    }

    fn finish(&self, taken: Option<Taken>) -> Got<'m> {
        match taken {
            Some(Taken { permit, from: Some(dead) }) if self.on_death == OnDeath::Report => {
                let (permit, member) = (self.permit(permit), self.raw.members.describe(dead));
                Err(AcquireError::Reclaimed(Reclaimed { permit, member }))
            }
            Some(Taken { permit, .. }) => Ok(self.permit(permit)),
            None => Err(AcquireError::TimedOut { permits: self.permits() }),
        }
    }

    const fn permit(&self, index: usize) -> SemaphorePermit<'m> {
        SemaphorePermit { raw: self.raw, index }
    }
}

const fn check(permits: usize) -> Result<(), LayoutError> {
    if permits == 0 || permits > Semaphore::MOST {
        return Err(LayoutError::Permits { permits, most: Semaphore::MOST });
    }
    Ok(())
}

impl<'m> Layout<'m> {
    /// The next thing of the region is a semaphore of `permits` permits. It takes 64 bytes, and 64 more
    /// for every 8 permits. Does not wait.
    ///
    /// # Errors
    ///
    /// [`LayoutError::Permits`] for none or more than [`Semaphore::MOST`]; [`LayoutError::Full`],
    /// [`LayoutError::Differs`], [`LayoutError::Forked`].
    ///
    /// ```
    /// use ndshm_sync::{LayoutError, OnDeath};
    ///
    /// # let members = ndshm_testkit::members!();
    /// let mut layout = members.layout();
    /// let slots = layout.semaphore(4, OnDeath::Return)?;
    /// assert_eq!(slots.permits(), 4);
    /// let none = layout.semaphore(0, OnDeath::Return);
    /// assert!(matches!(none, Err(LayoutError::Permits { permits: 0, .. })));
    /// # Ok::<(), ndshm_sync::LayoutError>(())
    /// ```
    pub fn semaphore(
        &mut self,
        permits: usize,
        on_death: OnDeath,
    ) -> Result<Semaphore<'m>, LayoutError> {
        check(permits)?;
        let cell: NonNull<SemaphoreCell> = self.take(1 + permits.div_ceil(IN_LINE))?;
        // SAFETY: `take` found room for the head and the words, aligned, mapped for longer than `'m`
        // (region invariant 1), used by all in the same way, as members of the region's one table
        // (region invariant 2).
        unsafe { Semaphore::at(cell, permits, on_death, self.members()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::mem::offset_of;

    #[test]
    fn the_layout_is_as_documented() {
        assert_eq!(offset_of!(SemaphoreCell, place), 0);
        assert_eq!(offset_of!(SemaphoreCell, sleepers), 8);
        assert_eq!((size_of::<SemaphoreCell>(), align_of::<SemaphoreCell>()), (64, 64));
        assert_eq!(IN_LINE * size_of::<AtomicU64>(), size_of::<SemaphoreCell>());
    }

    #[test]
    fn a_permit_may_go_to_another_thread() {
        const fn is_send<T: Send + Sync>() {}
        is_send::<SemaphorePermit<'_>>();
        is_send::<Semaphore<'_>>();
    }
}
