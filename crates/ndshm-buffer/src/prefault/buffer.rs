//! Of a buffer that is there.

use std::ops::{Bound, Range, RangeBounds};

use super::{Failure, Job, Prefault, Prefaulted};
use crate::buffer::SharedBuffer;
use crate::error::{PrefaultError, RangeError};
use crate::lacking;
use crate::sys;

impl SharedBuffer {
    /// What its creation got by [`BufferOptions::prefault`](crate::BufferOptions::prefault). Of a buffer that was
    /// opened: all reserved, whatever its creator did; what this process has of it is for [`prefault`](Self::prefault) to say.
    ///
    /// ```
    /// # use ndshm_buffer::SharedBuffer;
    /// assert_eq!(SharedBuffer::anonymous(100)?.prefaulted().reserved, 100);
    /// # Ok::<(), ndshm_buffer::CreateError>(())
    /// ```
    pub fn prefaulted(&self) -> Prefaulted {
        self.got()
    }

    /// Fills the page tables of *this* process for a part of the segment: what it opened, before it is timed; a worker's
    /// band, by the worker. Nobody's bytes change, whoever uses them meanwhile.
    ///
    /// Pages stay as their creator got them, on the memory node where they are, and a huge one takes some microseconds
    /// instead of 512 page faults; so [`Prefault::huge`] does here what [`Prefault::pages`] does, and
    /// [`Prefault::none`] nothing. How many are huge is told by Linux since 6.7; before, all count as small.
    ///
    /// # Errors
    ///
    /// [`PrefaultError`]: the part reaches beyond the end, another program has truncated the file, or the segment is of the
    /// portable backend.
    ///
    /// # Panics
    ///
    /// Where the [progress](Prefault::progress) callback does.
    ///
    /// ```
    /// use ndshm_buffer::{Prefault, SharedBuffer};
    ///
    /// # let name = format!("doc-prefault-{}", std::process::id());
    /// let created = SharedBuffer::options().prefault(Prefault::huge()).create(&name, 8 << 20)?;
    /// let opened = SharedBuffer::options().read_only(true).open(&name)?; // in any process
    /// let got = opened.prefault(..4 << 20, &Prefault::huge())?;
    /// assert_eq!(got.huge + got.small, 4 << 20);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn prefault(
        &self,
        part: impl RangeBounds<usize>,
        prefault: &Prefault,
    ) -> Result<Prefaulted, PrefaultError> {
        let part = self.resolve(&part)?;
        if prefault.is_none() {
            return Ok(Prefaulted::reserved(part.len()));
        }
        let segment = || self.describe();
        let native = self.mapping().native();
        let region = native.ok_or_else(|| lacking::PREFAULT.of(&segment()))?;
        let writable = !self.is_read_only();
        let done = Job { region, writable, reserve: None, prefault }.run(part.clone());
        let got = done.map_err(|Failure { step, source }| PrefaultError::System {
            segment: segment(),
            step,
            source,
        })?;
        Ok(got.of_which_huge(sys::bytes_in_huge_pages(region, &part)))
    }

    fn resolve(&self, part: &impl RangeBounds<usize>) -> Result<Range<usize>, RangeError> {
        let size = self.len();
        let start = match part.start_bound() {
            Bound::Included(&start) => start,
            Bound::Excluded(&before) => before.saturating_add(1),
            Bound::Unbounded => 0,
        };
        let end = match part.end_bound() {
            Bound::Included(&last) => last.saturating_add(1),
            Bound::Excluded(&end) => end,
            Bound::Unbounded => size,
        };
        let len = end.saturating_sub(start);
        if start > end || end > size {
            return Err(RangeError { offset: start, len, size });
        }
        Ok(start..end)
    }
}
