//! Moving parts of one division of an array to another, whatever the two are.

use std::ops::Range;
use std::time::Duration;

use super::place::Place;
use crate::error::Result;
use crate::grid::overlap;
use crate::sys::{Comm, Flight};

/// All messages of a move are told apart by who sends and who receives.
const TAG: usize = 0;

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

/// Moves all that is in both, from those who have it in the one division to those in the other. Each rank gives what it
/// has itself in either. The elements have `size` bytes.
///
/// # Safety
///
/// Until it has returned, or for ever where it fails, `keep` keeps `from` readable and unchanged, and `to` writable and
/// otherwise unused, wherever it is moved to. All ranks call it, with the same `has` and `wants`.
pub(super) unsafe fn transfer<K>(
    comm: &Comm,
    size: usize,
    (has, from): (&Holders, Option<&Memory>),
    (wants, to): (&Holders, Option<&Memory>),
    keep: K,
    timeout: Duration,
) -> Result<K> {
    let mut flight = Flight::new(keep, timeout);
    if let Some(to) = to {
        for (rank, part) in has {
            let Some(part) = overlap(part, &to.part) else { continue };
            let posted = to.place(size, &part).and_then(|place| {
                let into = place.lent_mut(to.base)?;
                // SAFETY: the caller's promise; within the memory, and apart from other parts of the division.
                unsafe { comm.receive(into, *rank, TAG) }
            });
            flight.add(posted);
        }
    }
    if let Some(from) = from {
        for (rank, part) in wants {
            let Some(part) = overlap(part, &from.part) else { continue };
            let posted = from.place(size, &part).and_then(|place| {
                let lent = place.lent(from.base)?;
                // SAFETY: the caller's promise; within the memory.
                unsafe { comm.send(lent, *rank, TAG) }
            });
            flight.add(posted);
        }
    }
    Ok(flight.land()?.0)
}
