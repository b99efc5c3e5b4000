//! Moving parts of one division of an array to another, whatever the two are.

use std::ops::Range;
use std::time::Duration;

use super::place::Place;
use crate::error::Result;
use crate::grid::overlap;
use crate::sys::Comm;

/// Who has which part of an array, by rank and by indices of the whole.
pub(super) type Holders = Vec<(usize, Vec<Range<usize>>)>;

/// The part that this rank has, and where.
#[derive(Debug)]
pub(super) struct Memory {
    pub(super) base: *mut u8,
    /// Of the memory, in C order.
    pub(super) shape: Vec<usize>,
    /// Which indices of the whole it has,
    pub(super) part: Vec<Range<usize>>,
    /// and along each axis the place of the first of them.
    pub(super) margin: Vec<usize>,
}

impl Memory {
    /// Where in the memory that part of the whole is.
    fn place(&self, size: usize, part: &[Range<usize>]) -> Result<Place> {
        let axes = part.iter().zip(&self.part).zip(&self.margin);
        let local = axes.map(|((part, mine), margin)| {
            part.start - mine.start + margin..part.end - mine.start + margin
        });
        Place::of(size, &self.shape, &local.collect::<Vec<_>>())
    }
}

/// The messages of a move at this rank: all that can fail before anything is sent.
pub(super) struct Messages {
    /// With whom, and where it lies.
    receives: Vec<(usize, Place)>,
    sends: Vec<(usize, Place)>,
    into: *mut u8,
    from: *mut u8,
}

impl Messages {
    /// Those that move all that is in both, from those who have it in the one division to those in the other. Each rank gives what it
    /// has itself in either. The elements have `size` bytes.
    ///
    /// # Errors
    ///
    /// [`Error::TooLong`](crate::Error::TooLong). Ranks have to settle that before anybody posts.
    pub(super) fn new(
        size: usize,
        (has, from): (&Holders, Option<&Memory>),
        (wants, to): (&Holders, Option<&Memory>),
    ) -> Result<Self> {
        let places = |with: &Holders, memory: Option<&Memory>| -> Result<Vec<(usize, Place)>> {
            let Some(memory) = memory else { return Ok(Vec::new()) };
            let both =
                with.iter().filter_map(|(rank, part)| Some((*rank, overlap(part, &memory.part)?)));
            both.map(|(rank, part)| Ok((rank, memory.place(size, &part)?))).collect()
        };
        let base = |memory: Option<&Memory>| memory.map_or(std::ptr::null_mut(), |m| m.base);
        let (receives, sends) = (places(has, to)?, places(wants, from)?);
        Ok(Self { receives, sends, into: base(to), from: base(from) })
    }

    /// Sends and receives them, under a tag that no other operation has.
    ///
    /// # Safety
    ///
    /// Until it has returned, or for ever where it fails, `keep` keeps what is sent from readable and unchanged, and what is received
    /// into writable and otherwise unused, wherever it is moved to.
    pub(super) unsafe fn exchange<K>(
        &self,
        comm: &Comm,
        tag: usize,
        keep: K,
        timeout: Duration,
    ) -> Result<K> {
        let mut flight = comm.flight(keep, timeout);
        for (rank, place) in &self.receives {
            let into = place.lent_mut(self.into);
            // SAFETY: the caller's promise; within the memory, and apart from other parts of the division.
            flight.add(unsafe { comm.receive(into, *rank, tag) });
        }
        for (rank, place) in &self.sends {
            let from = place.lent(self.from);
            // SAFETY: the caller's promise; within the memory.
            flight.add(unsafe { comm.send(from, *rank, tag) });
        }
        Ok(flight.land()?.0)
    }
}
