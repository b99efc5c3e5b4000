//! How readers and a writer meet.

use super::cells::{ReaderCell, ReaderSeat};
use super::lane;
use crate::atomic::fence_after_rmw;
use crate::member::Members;
use crate::mutex::{Acquired, NotAcquired, RawMutex, Seen};
use crate::park::{Look, Sleepers};
use crate::wait::{Deadline, Spin};

/// What all readers look at, and only writers and sleepers change. The cells lie behind it.
#[repr(C, align(64))]
#[derive(Debug)]
pub(super) struct Head {
    /// The writers' lock.
    pub(super) writer: RawMutex,
    /// Readers that wait until no writer has the lock.
    readers: Sleepers,
    /// Who waits for a cell to come free: a writer, for all of them; a reader that found none.
    gone: Sleepers,
    reserved: [u64; 4],
}

/// Why a reader did not come in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shut {
    /// A writer has the lock, or waits for it.
    Writer,
    /// Others sit in all cells.
    Full,
}

type Read = (Acquired, ReaderSeat);

impl Head {
    pub(super) const fn new() -> Self {
        Self {
            writer: RawMutex::new(),
            readers: Sleepers::new(),
            gone: Sleepers::new(),
            reserved: [0; 4],
        }
    }

    /// `None` where it takes waiting.
    #[inline]
    pub(super) fn read_fast(
        &self,
        cells: &[ReaderCell],
        members: &Members<'_>,
    ) -> Result<Option<Read>, NotAcquired> {
        if !members.is_mine() {
            return Err(NotAcquired::Forked);
        }
        Ok(self.enter(cells, members).ok())
    }

    pub(super) fn read_slowly(
        &self,
        cells: &[ReaderCell],
        members: &Members<'_>,
        mut spin: Spin,
        deadline: Deadline,
    ) -> Result<Read, NotAcquired> {
        let mut reason = Shut::Writer;
        loop {
            let sleepers = match reason {
                Shut::Writer => &self.readers,
                Shut::Full => &self.gone,
            };
            let came = sleepers.wait(members, &mut spin, deadline, |look| {
                match self.enter_looking(cells, members, look) {
                    Ok(read) => Some(Ok(read)),
                    Err(shut) if shut == reason => None,
                    Err(other) => Some(Err(other)),
                }
            });
            reason = match came {
                Some(Ok(read)) => return Ok(read),
                Some(Err(other)) => other,
                None if reason == Shut::Full => return Err(NotAcquired::Held(cells[0].owner())),
                None => return Err(NotAcquired::Held(self.writer.owner())),
            };
        }
    }

    /// As [`enter`](Self::enter); looking thoroughly, past the dead too.
    fn enter_looking(
        &self,
        cells: &[ReaderCell],
        members: &Members<'_>,
        look: Look,
    ) -> Result<Read, Shut> {
        self.enter(cells, members).or_else(|shut| {
            let mended = match shut {
                _ if look == Look::Quick => false,
                Shut::Full => cells.iter().any(|cell| cell.is_empty(look, members)),
                Shut::Writer => self.writer.free_from_the_dead(members),
            };
            if !mended {
                return Err(shut);
            }
            self.wake(members, shut);
            self.enter(cells, members)
        })
    }

    /// Wakes those who wait for what is no longer so.
    fn wake(&self, members: &Members<'_>, shut: Shut) {
        match shut {
            Shut::Writer => self.readers.wake_all(members),
            Shut::Full => self.gone.wake_all(members),
        }
    }

    /// Comes in, if there is neither a writer nor a full house.
    #[inline]
    fn enter(&self, cells: &[ReaderCell], members: &Members<'_>) -> Result<Read, Shut> {
        // A look first, so that those who come while a writer waits do not hold it up.
        if self.writer.seen() == Seen::Locked {
            return Err(Shut::Writer);
        }
        let seat = take_cell(cells, members).ok_or(Shut::Full)?;
        // Dekker, with the same in `write`: the cell is taken before the writers' lock is looked at.
        fence_after_rmw();
        match self.writer.seen() {
            Seen::Free => Ok((Acquired::Clean, seat)),
            // The name is not changed while this reader is in: that takes a writer that was.
            Seen::Poisoned => Ok((Acquired::Poisoned(self.writer.culprit(members)), seat)),
            Seen::Locked => {
                self.leave(&cells[seat.0], members);
                Err(Shut::Writer)
            }
        }
    }

    #[inline]
    fn leave(&self, cell: &ReaderCell, members: &Members<'_>) {
        if cell.leave(members.me()) {
            self.gone.wake_all(members);
        }
    }

    /// # Safety
    ///
    /// This membership has a share in `cell`, and its holder refers no longer to what is guarded.
    #[inline]
    pub(super) unsafe fn read_unlock(&self, cell: &ReaderCell, members: &Members<'_>) {
        if members.is_mine() {
            self.leave(cell, members);
        }
    }

    pub(super) fn write(
        &self,
        cells: &[ReaderCell],
        members: &Members<'_>,
        mut spin: Spin,
        deadline: Deadline,
    ) -> Result<Acquired, NotAcquired> {
        let got = self.writer.lock_outside(members, &mut spin, deadline)?;
        // Dekker, with the same in `enter`: the lock is taken before the cells are looked at. A cell
        // that was empty once stays so, but for readers that see the lock and leave again.
        fence_after_rmw();
        let empty = |cell: &ReaderCell| cell.is_empty(Look::Quick, members);
        if cells.iter().all(empty) || self.drain(cells, members, &mut spin, deadline) {
            // SAFETY: locked outside, above.
            unsafe { self.writer.enter() };
            return Ok(got);
        }
        let reader = cells.iter().find_map(ReaderCell::owner);
        // SAFETY: locked above; what it guards was not referred to.
        unsafe { self.write_unlock(members) };
        Err(NotAcquired::Held(reader))
    }

    /// Waits for all readers to go; whether they did.
    #[cold]
    fn drain(
        &self,
        cells: &[ReaderCell],
        members: &Members<'_>,
        spin: &mut Spin,
        deadline: Deadline,
    ) -> bool {
        let mut left = cells;
        let gone = self.gone.wait(members, spin, deadline, |look| {
            while let Some((cell, others)) = left.split_first() {
                if !cell.is_empty(look, members) {
                    return None;
                }
                left = others;
            }
            Some(())
        });
        gone.is_some()
    }

    /// # Safety
    ///
    /// This membership holds the writers' lock, and what is guarded is no longer referred to.
    #[inline]
    pub(super) unsafe fn write_unlock(&self, members: &Members<'_>) {
        if !members.is_mine() {
            return;
        }
        // SAFETY: as the caller promises.
        unsafe { self.writer.unlock(members) };
        self.readers.wake_all(members);
    }

    pub(super) fn has_sleepers(&self) -> bool {
        self.writer.has_sleepers() || self.readers.any() || self.gone.any()
    }
}

/// A share in a cell: the one that this thread had last, or is first to look for.
#[inline]
fn take_cell(cells: &[ReaderCell], members: &Members<'_>) -> Option<ReaderSeat> {
    // Members differ by slot and threads by lane, so most find a line that nobody else touches.
    let me = members.me();
    let lane = lane::mine();
    let first = lane.wrapping_add(me.slot().into()) as usize % cells.len();
    if cells[first].take_empty(me) {
        return Some(ReaderSeat(first));
    }
    take_any_cell(cells, members, lane, first)
}

#[cold]
fn take_any_cell(
    cells: &[ReaderCell],
    members: &Members<'_>,
    lane: u32,
    first: usize,
) -> Option<ReaderSeat> {
    let (before, from_first) = cells.split_at(first);
    let mut round = from_first.iter().chain(before);
    let further = round.position(|cell| cell.take(members.me()))?;
    if further > 0 {
        lane::keep(lane.wrapping_add(u32::try_from(further).unwrap_or(0)));
    }
    Some(ReaderSeat((first + further) % cells.len()))
}
