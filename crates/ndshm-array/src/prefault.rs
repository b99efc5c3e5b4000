//! The memory of an array, before it is used.

use std::ops::RangeBounds;

use ndarray::Dimension;
use ndshm_buffer::{Prefault, Prefaulted};

use crate::array::SharedArray;
use crate::claim::resolve;
use crate::element::Element;
use crate::error::PrefaultError;
use crate::npy::Order;
use crate::segment::Segment;

impl<T: Element, D: Dimension> SharedArray<T, D> {
    /// What making the array got by [`ArrayOptions::prefault`](crate::ArrayOptions::prefault), in bytes of its file. All
    /// of one that was opened counts as reserved.
    ///
    /// ```
    /// use ndshm_array::{Prefault, SharedArray2};
    ///
    /// let a = SharedArray2::<f64>::options().prefault(Prefault::huge()).zeros((1024, 1024))?;
    /// println!("{}", a.prefaulted()); // 8388608 bytes in huge pages, 49152 bytes in small pages
    /// # Ok::<(), ndshm_array::CreateError>(())
    /// ```
    #[must_use]
    pub fn prefaulted(&self) -> Prefaulted {
        self.segment().buffer().prefaulted()
    }

    /// Fills the page tables of this process for a range of rows: a worker's band, before it is timed. No element
    /// changes, and no claim is needed: others may write meanwhile.
    ///
    /// Pages stay in the size in which the array was made. The rows of a column-major array of more than one dimension
    /// are scattered: there all rows are prefaulted, whichever are asked for. For what is counted see
    /// [`SharedBuffer::prefault`](ndshm_buffer::SharedBuffer::prefault).
    ///
    /// # Errors
    ///
    /// [`PrefaultError`]: there are no such rows, or another program has truncated the file.
    ///
    /// # Panics
    ///
    /// Where the [progress](Prefault::progress) callback does.
    ///
    /// ```
    /// use ndshm_array::{Prefault, SharedArray2};
    ///
    /// let a = SharedArray2::<f64>::options().prefault(Prefault::huge()).zeros((1024, 1024))?;
    /// // In a worker, of two:
    /// let got = a.prefault(..512, &Prefault::huge())?;
    /// assert_eq!(got.huge + got.small, 512 * 1024 * 8);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn prefault(
        &self,
        rows: impl RangeBounds<usize>,
        prefault: &Prefault,
    ) -> Result<Prefaulted, PrefaultError> {
        self.segment().prefault_rows(self.shape(), self.order(), &rows, prefault)
    }
}

impl Segment {
    /// Has the memory of these rows of an array of that shape got.
    pub(crate) fn prefault_rows(
        &self,
        shape: &[usize],
        order: Order,
        rows: &impl RangeBounds<usize>,
        prefault: &Prefault,
    ) -> Result<Prefaulted, PrefaultError> {
        let nrows = shape.first().copied().unwrap_or(1);
        let rows = resolve(rows, nrows);
        if rows.start > rows.end || rows.end > nrows {
            return Err(PrefaultError::OutOfBounds { rows, nrows });
        }
        // Where they lie in the file.
        let places = self.places();
        let scattered = order == Order::F && shape.len() > 1;
        let within = match (rows.is_empty(), scattered) {
            (true, _) => 0..0,
            (false, true) => 0..places.data_len,
            (false, false) => {
                let row = places.data_len / nrows;
                rows.start * row..rows.end * row
            }
        };
        let bytes = places.data_offset + within.start..places.data_offset + within.end;
        Ok(self.buffer().prefault(bytes, prefault)?)
    }
}
