//! Who takes part in a segment, holds something of it and waits.

use ndshm_sync::{Holder, Inspection, Members, RawMutex, Roster};

use super::error::InspectError;
use super::file::{Contents, SegmentFile};
use crate::claim::{self, Mode, Part, Seen, TableCopy};
use crate::format::{CLAIMS_OFFSET, Kind};

/// What was going on in a segment when it was asked: out of date at once.
///
/// ```
/// use ndshm_array::{SharedArray1, inspect::SegmentFile};
///
/// # let dir = tempfile::tempdir()?;
/// let a = SharedArray1::<f64>::options().dir(dir.path()).name("a").zeros(10)?;
/// let report = SegmentFile::open(a.path().unwrap())?.report()?;
/// assert_eq!(report.members[0].member.pid, Some(std::process::id()));
/// assert_eq!(report.lock.unwrap().to_string(), "mutex: free"); // of the table of claims
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// Who joined, the living and the dead that are still known.
    pub members: Vec<Holder>,
    /// An array's lock of the table of claims; the mutex of a value.
    pub lock: Option<Inspection>,
    /// An array's claims and poisoned parts.
    pub claims: Vec<ClaimReport>,
    /// Whether anybody sleeps until a claim is released, or slept and has not been missed yet.
    pub waiters: bool,
    /// How many claims were released so far, wrapping.
    pub releases: u32,
    /// The value under a mutex.
    pub value: Option<ValueReport>,
}

/// A part that somebody has claimed, waits for, or left half-changed.
///
/// ```
/// use ndshm_array::{SharedArray1, inspect::SegmentFile};
///
/// # let dir = tempfile::tempdir()?;
/// let a = SharedArray1::<f64>::options().dir(dir.path()).name("a").zeros(10)?;
/// # ndshm_testkit::panic_holding(|| a.claim_mut(3..5));
/// let claims = SegmentFile::open(a.path().unwrap())?.report()?.claims;
/// assert_eq!((claims[0].part.row_range(), claims[0].poisoned, claims[0].panicked), (3..5, true, true));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClaimReport {
    /// The part.
    pub part: Part,
    /// What for.
    pub mode: Mode,
    /// It is not had yet: others have it, or waited for it before.
    pub waiting: bool,
    /// Nobody has them: whoever did died or panicked, and nobody has mended that.
    pub poisoned: bool,
    /// It panicked; otherwise it died.
    pub panicked: bool,
    /// Who has them, or left them so. A claim of the dead is poison that nobody has met yet.
    pub by: Holder,
}

/// The value under a mutex, as far as its bytes tell.
///
/// ```
/// # let value = ndshm_array::inspect::ValueReport::default();
/// assert!(!value.initialised); // nobody has written a first value
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ValueReport {
    /// Its bytes.
    pub size: u64,
    /// Whether the first value was written.
    pub initialised: bool,
}

/// How often a table that changes under the reader is read anew.
const ATTEMPTS: usize = 4;

impl SegmentFile {
    /// Who takes part, holds, waits, at this moment; empty for `.npy` files and raw bytes. Reads some 100
    /// KiB, and asks the kernel after each member.
    ///
    /// # Errors
    ///
    /// [`InspectError::Read`]: somebody truncated the file, or its table of members is of another
    /// version.
    ///
    /// ```
    /// use ndshm_array::{Mode, SharedArray1, inspect::SegmentFile};
    ///
    /// # let dir = tempfile::tempdir()?;
    /// let a = SharedArray1::<f64>::options().dir(dir.path()).name("a").zeros(10)?;
    /// let file = SegmentFile::open(a.path().unwrap())?;
    /// let (read, write) = (a.claim(..2)?, a.claim_mut(5..)?);
    /// let modes: Vec<_> = file.report()?.claims.iter().map(|claim| claim.mode).collect();
    /// assert_eq!(modes, [Mode::Shared, Mode::Exclusive]);
    /// # drop((read, write));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn report(&self) -> Result<Report, InspectError> {
        let Some((kind, places)) = self.segment else { return Ok(Report::default()) };
        let control = places.control_offset as u64;
        let bad = |e| self.read_error(e);
        match kind {
            Kind::Array => {
                let Contents::Array(array) = self.contents() else { return Ok(Report::default()) };
                let axes = array.shape.len();
                let table = self.claim_table(control + CLAIMS_OFFSET as u64, axes)?;
                // After the claims: who made them was a member before.
                let roster = Roster::read(&self.file, control).map_err(bad)?;
                let mut claims = Vec::new();
                for seen in table.seen(&array.shape) {
                    claims.push((seen, roster.holder(seen.by).map_err(bad)?));
                }
                if claims.iter().any(|(seen, by)| !by.alive && !seen.poisoned) {
                    // One that is dead may have let go before, and after the look.
                    let now =
                        self.claim_table(control + CLAIMS_OFFSET as u64, axes)?.seen(&array.shape);
                    let stands =
                        |then: &Seen| now.iter().any(|n| n.by == then.by && n.part == then.part);
                    claims.retain(|(seen, by)| by.alive || seen.poisoned || stands(seen));
                }
                let claims = claims.into_iter().map(|(seen, by)| ClaimReport {
                    part: seen.part.into(),
                    mode: seen.mode,
                    waiting: seen.waiting,
                    poisoned: seen.poisoned,
                    panicked: seen.panicked,
                    by,
                });
                Ok(Report {
                    claims: claims.collect(),
                    members: roster.members().map_err(bad)?,
                    lock: Some(roster.inspect(table.lock()).map_err(bad)?),
                    waiters: table.has_waiters(),
                    releases: table.releases(),
                    value: None,
                })
            }
            Kind::Mutex => {
                let mut cell = [0; 8 + size_of::<RawMutex>()];
                self.read_at(&mut cell, control + Members::SIZE as u64)?;
                let roster = Roster::read(&self.file, control).map_err(bad)?;
                let (place, lock) = cell.split_at(8);
                // SAFETY: as many bytes as a lock has, in private memory; it is made of atomics, valid
                // for any of them.
                let lock = unsafe { std::ptr::read_unaligned(lock.as_ptr().cast::<RawMutex>()) };
                let lock = roster.inspect(&lock).map_err(bad)?;
                Ok(Report {
                    members: roster.members().map_err(bad)?,
                    waiters: lock.sleepers,
                    lock: Some(lock),
                    claims: Vec::new(),
                    releases: 0,
                    value: Some(ValueReport::of(place)),
                })
            }
        }
    }

    /// A copy of the table of claims: one that did not change while it was read, if that can be had.
    fn claim_table(&self, at: u64, axes: usize) -> Result<TableCopy, InspectError> {
        let mut bytes = vec![0; claim::table_len(axes)];
        let mut again = bytes.clone();
        self.read_at(&mut bytes, at)?;
        for _ in 0..ATTEMPTS {
            self.read_at(&mut again, at)?;
            if bytes == again {
                break;
            }
            std::mem::swap(&mut bytes, &mut again);
        }
        Ok(TableCopy::new(&bytes, axes).expect("as many bytes as a table has"))
    }
}

impl ValueReport {
    /// The first word of the cell: what lies here in the low byte, its size above, and in the top bit
    /// whether the first value was written.
    fn of(place: &[u8]) -> Self {
        let word = place.iter().rev().fold(0_u64, |word, &byte| word << 8 | u64::from(byte));
        Self { size: (word & !(1 << 63)) >> 8, initialised: word >> 63 != 0 }
    }
}
