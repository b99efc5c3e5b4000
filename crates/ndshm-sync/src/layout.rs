//! Where in a region things lie: one after another, in the order in which they are asked for.

use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};

use bytemuck::Pod;

use crate::barrier::{Barrier, BarrierCell};
use crate::member::Members;
use crate::mutex::{Mutex, MutexCell};

/// Hands out the locks and barriers of a region, each at an address of its own.
///
/// There is one sequence per membership, however often [`Members::layout`] is called: nothing
/// that it has handed out is ever handed out again. Every process has to ask for the same things
/// in the same order; kind and size are written beside each, and a process that asks for
/// something else at that place gets [`LayoutError::Differs`].
///
/// ```
/// # use std::os::fd::AsFd;
/// # use ndshm_sync::{Members, Region};
/// # let (base, file) = ndshm_testkit::map_memfd(1 << 16);
/// # // SAFETY: fresh zeroed memory, used for nothing else.
/// # let region = unsafe { Region::new(base, 1 << 16, file.as_fd()) };
/// let members = Members::join(region)?;
/// let mut layout = members.layout();
/// let hits = layout.mutex(0_u64)?;
/// let best = layout.mutex([f64::INFINITY, 0.0])?;
/// let start = layout.barrier(4)?;
/// # let _ = (hits, best, start);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Layout<'m> {
    members: &'m Members<'m>,
}

impl<'m> Layout<'m> {
    pub(crate) const fn new(members: &'m Members<'m>) -> Self {
        Self { members }
    }

    /// The next thing of the region is a mutex around a `T`. Whoever asks first has `initial`
    /// written there; for a moment others wait for that.
    ///
    /// It takes `size_of::<MutexCell<T>>()` bytes: 64 for a `T` of up to 32.
    ///
    /// # Errors
    ///
    /// [`LayoutError::Full`], [`LayoutError::Differs`], [`LayoutError::Forked`].
    ///
    /// ```
    /// # let members = ndshm_testkit::members!();
    /// let mut layout = members.layout();
    /// let best = layout.mutex([f64::INFINITY, 0.0])?;
    /// let hits = layout.mutex(0_u64)?; // a place of its own
    /// *hits.lock()? += 1;
    /// assert_eq!(*best.lock()?, [f64::INFINITY, 0.0]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn mutex<T: Pod + Send>(&mut self, initial: T) -> Result<Mutex<'m, T>, LayoutError> {
        let cell: NonNull<MutexCell<T>> = self.take(1)?;
        // SAFETY: in bounds and aligned (`take`), mapped for longer than `'m` (region invariant 1),
        // used by all in the same way, as members of the region's one table (region invariant 2).
        unsafe { Mutex::at(cell, initial, self.members) }
    }

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
        let cells = parties
            .checked_add(1)
            .filter(|_| parties >= 1)
            .ok_or(LayoutError::Parties { parties })?;
        let cell: NonNull<BarrierCell> = self.take(cells)?;
        // SAFETY: `take` found room for the head and a cell for each party, aligned, mapped for
        // longer than `'m` (region invariant 1), valid for any bytes, and shared only in the same
        // way (region invariant 2); all who use the region are members of its one table.
        let barrier = unsafe { Barrier::new(cell, parties, self.members) };
        barrier.place().settle(Place::describe(b'b', parties))?;
        Ok(barrier)
    }

    /// Takes the place of `count` cells of a type that is aligned to 64.
    fn take<T>(&mut self, count: usize) -> Result<NonNull<T>, LayoutError> {
        if !self.members.is_mine() {
            return Err(LayoutError::Forked);
        }
        let region = self.members.region();
        let full = |need| LayoutError::Full { need, len: region.len() };
        let size = size_of::<T>().checked_mul(count).ok_or_else(|| full(usize::MAX))?;
        let cursor = self.members.cursor();
        let mut offset = cursor.load(Ordering::Relaxed);
        loop {
            let end = offset.checked_add(size).ok_or_else(|| full(usize::MAX))?;
            if end > region.len() {
                return Err(full(end));
            }
            // Relaxed: each place is handed out once, and that is all the cursor says.
            match cursor.compare_exchange_weak(offset, end, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return region.at(offset).ok_or_else(|| full(end)),
                Err(now) => offset = now,
            }
        }
    }
}

/// The first word of everything that a layout hands out: what it is. Zero while nobody has asked.
#[repr(transparent)]
#[derive(Debug)]
pub(crate) struct Place(AtomicU64);

impl Place {
    /// Kind in the low byte, size above it.
    pub(crate) fn describe(kind: u8, size: usize) -> u64 {
        (size as u64) << 8 | u64::from(kind)
    }

    /// Whoever comes first decides; who comes later must want the same.
    pub(crate) fn settle(&self, wanted: u64) -> Result<(), LayoutError> {
        // Relaxed: a constant, which guards nothing else.
        match self.0.compare_exchange(0, wanted, Ordering::Relaxed, Ordering::Relaxed) {
            Err(found) if found != wanted => Err(LayoutError::Differs { found, wanted }),
            _ => Ok(()),
        }
    }
}

/// Why a region has no place for what was asked.
///
/// After [`Differs`](Self::Differs) the place counts as handed out all the same; after the others
/// nothing was taken.
///
/// ```
/// use ndshm_sync::LayoutError;
///
/// # let members = ndshm_testkit::members!(); // of 64 KiB
/// let too_much = members.layout().barrier(10_000);
/// assert!(matches!(too_much, Err(LayoutError::Full { .. })));
///
/// // Another process (here: another member) that wants something else at the same place:
/// members.layout().mutex(0_u32)?;
/// let other = ndshm_sync::Members::join(members.region())?;
/// assert!(matches!(other.layout().mutex(0_u64), Err(LayoutError::Differs { .. })));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LayoutError {
    /// The region is too short.
    #[error("the region is too short: it has {len} bytes, and this would end at byte {need}")]
    Full {
        /// Where it would end.
        need: usize,
        /// Length of the region in bytes.
        len: usize,
    },
    /// Another process asked for something else at this place.
    #[error(
        "another process has laid this region out differently: it has {} where {} was asked for; \
         ask for the same things in the same order", what(*found), what(*wanted)
    )]
    Differs {
        /// What is there: kind in the low byte, size above it.
        found: u64,
        /// What was asked for.
        wanted: u64,
    },
    /// A barrier needs at least one party.
    #[error("a barrier for {parties} parties cannot be made")]
    Parties {
        /// How many were asked for.
        parties: usize,
    },
    /// This process was forked from the one that joined.
    #[error(
        "this process was forked from a member of the region and is not one itself: join anew in \
         the child"
    )]
    Forked,
}

/// What the first word of a place says, in words.
fn what(place: u64) -> String {
    let size = place >> 8;
    match place.to_le_bytes()[0] {
        b'm' => format!("a mutex around {size} bytes"),
        b'b' => format!("a barrier for {size} parties"),
        _ => format!("something unknown ({place:#x})"),
    }
}
