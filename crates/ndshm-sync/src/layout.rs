//! Where in a region things lie: one after another, in the order in which they are asked for.

use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::member::Members;

/// Nobody is no party.
pub(crate) const fn check_parties(parties: usize) -> Result<(), LayoutError> {
    if parties == 0 { Err(LayoutError::Parties { parties }) } else { Ok(()) }
}

/// Hands out the locks and barriers of a region, each at an address of its own.
///
/// There is one sequence per membership, however often [`Members::layout`] is called: nothing
/// that it has handed out is ever handed out again. Every process has to ask for the same things
/// in the same order; kind and size are written beside each, and a process that asks for
/// something else at that place gets [`LayoutError::Differs`]. (The size, not the type: a `u64` and an
/// `f64` look alike.)
///
/// Plain data of one's own has its place behind the region, in the same file: see [`Region`](crate::Region).
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

    pub(crate) const fn members(&self) -> &'m Members<'m> {
        self.members
    }

    /// Takes the place of `count` cells of a type that is aligned to 64.
    pub(crate) fn take<T>(&mut self, count: usize) -> Result<NonNull<T>, LayoutError> {
        // More would depend on where each process has mapped the region, and on what came before.
        const { assert!(align_of::<T>() == 64, "a shared value may be aligned to 64 bytes at most") };
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

/// What a layout hands out, as it stands in the low byte of a [`Place`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    Mutex = b'm',
    Barrier = b'b',
    RwLock = b'r',
    SeqLock = b'q',
    Condvar = b'c',
    Semaphore = b'p',
    ReportingSemaphore = b'P',
    SignalSemaphore = b'n',
    Event = b'e',
    AutoEvent = b'E',
    Latch = b'l',
    Once = b'1',
    OnceCell = b'o',
}

impl Kind {
    const ALL: [Self; 13] = [
        Self::Mutex,
        Self::Barrier,
        Self::RwLock,
        Self::SeqLock,
        Self::Condvar,
        Self::Semaphore,
        Self::ReportingSemaphore,
        Self::SignalSemaphore,
        Self::Event,
        Self::AutoEvent,
        Self::Latch,
        Self::Once,
        Self::OnceCell,
    ];

    /// What lies there, in words.
    fn of(self, size: u64) -> String {
        match self {
            Self::Mutex => format!("a mutex around {size} bytes"),
            Self::Barrier => format!("a barrier for {size} parties"),
            Self::RwLock => {
                let (size, readers) = Place::split(size);
                format!("a reader-writer lock with {readers} cells around {size} bytes")
            }
            Self::SeqLock => format!("a sequence lock around {size} bytes"),
            Self::Condvar => "a condvar".to_owned(),
            Self::Semaphore => format!("a semaphore of {size} permits"),
            Self::ReportingSemaphore => {
                format!("a semaphore of {size} permits that reports deaths")
            }
            Self::SignalSemaphore => format!("a signal semaphore that began with {size}"),
            Self::Event => "an event that stays set".to_owned(),
            Self::AutoEvent => "an event that resets itself".to_owned(),
            Self::Latch => format!("a latch for {size} parties"),
            Self::Once => "something done once".to_owned(),
            Self::OnceCell => format!("a once cell of {size} bytes"),
        }
    }
}

/// The first word of everything that a layout hands out: what it is. Zero while nobody has asked.
#[repr(transparent)]
#[derive(Debug)]
pub(crate) struct Place(AtomicU64);

impl Place {
    /// The first value has been written.
    const READY: u64 = 1 << 63;

    /// Kind in the low byte, size above it.
    pub(crate) fn describe(kind: Kind, size: usize) -> u64 {
        (size as u64) << 8 | kind as u64
    }

    /// The same, where a second number of up to 15 bits has to agree.
    pub(crate) fn describe_two(kind: Kind, size: usize, count: usize) -> u64 {
        Self::describe(kind, size) | (count as u64) << (8 + Self::COUNT_SHIFT)
    }

    const COUNT_SHIFT: u32 = 40;

    fn split(size: u64) -> (u64, u64) {
        (size & ((1 << Self::COUNT_SHIFT) - 1), size >> Self::COUNT_SHIFT)
    }

    /// Whoever comes first decides; who comes later must want the same.
    pub(crate) fn settle(&self, wanted: u64) -> Result<(), LayoutError> {
        // Relaxed: a constant, which guards nothing else.
        match self.0.compare_exchange(0, wanted, Ordering::Relaxed, Ordering::Relaxed) {
            Err(found) if found & !Self::READY != wanted => {
                Err(LayoutError::Differs { found: found & !Self::READY, wanted })
            }
            _ => Ok(()),
        }
    }

    /// Whether what lies here has its first value.
    #[inline]
    pub(crate) fn is_ready(&self) -> bool {
        // Acquire pairs with the Release below: with the mark comes the value.
        self.0.load(Ordering::Acquire) & Self::READY != 0
    }

    /// What lies here has its first value now.
    pub(crate) fn set_ready(&self) {
        self.0.fetch_or(Self::READY, Ordering::Release);
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
    /// A barrier or a latch needs at least one party.
    #[error("a barrier or latch for {parties} parties cannot be made: ask for at least one")]
    Parties {
        /// How many were asked for.
        parties: usize,
    },
    /// A semaphore needs at least one permit, and looks at each.
    #[error("a semaphore of {permits} permits cannot be made: ask for 1 to {most}")]
    Permits {
        /// How many were asked for.
        permits: usize,
        /// How many there may be.
        most: usize,
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
    let kind = Kind::ALL.into_iter().find(|&kind| kind as u8 == place.to_le_bytes()[0]);
    kind.map_or_else(|| format!("something unknown ({place:#x})"), |kind| kind.of(place >> 8))
}
