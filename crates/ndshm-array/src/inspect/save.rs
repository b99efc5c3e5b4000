//! An array of whatever type, had whole: under a claim on all of it.

use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

use ndshm_buffer::SharedBuffer;

use super::error::WholeError;
use super::file::{Contents, SegmentFile};
use crate::claim::{Claim, Mode, Patience, PoisonedPart, Selection};
use crate::error::SaveError;
use crate::format::Kind;
use crate::npy::{NpyHeader, write_npy_with};
use crate::segment::{Segment, label};

/// Bytes copied at once, and between two reports of progress.
const PIECE: usize = 4 << 20;

impl SegmentFile {
    /// Joins the array for as long as `f` runs, with a shared claim on all of it: nobody who follows the
    /// protocol writes to it meanwhile. Waits for writers, at most `timeout`. `f` is told what is poisoned.
    ///
    /// # Errors
    ///
    /// [`WholeError`]: it is no live array, may not be joined, or others wrote to it for all that time.
    ///
    /// ```
    /// use std::time::Duration;
    /// use ndshm_array::{SharedArray1, inspect::SegmentFile};
    ///
    /// # let dir = tempfile::tempdir()?;
    /// let a = SharedArray1::<f64>::options().dir(dir.path()).name("a").zeros(10)?;
    /// let file = SegmentFile::open(a.path().unwrap())?;
    /// let refused = file.whole(Duration::from_secs(1), |poisoned| {
    ///     assert!(poisoned.is_empty());
    ///     a.claim_mut(..1).is_err()
    /// })?;
    /// assert!(refused);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn whole<R>(
        &self,
        timeout: Duration,
        f: impl FnOnce(&[PoisonedPart]) -> R,
    ) -> Result<R, WholeError> {
        let no_claims =
            || WholeError::NoClaims { path: self.path.clone(), holds: self.contents().name() };
        let (dir, name) = self.place().ok_or_else(no_claims)?;
        let Contents::Array(array) = self.contents() else { return Err(no_claims()) };
        // SAFETY: of this segment only the tables of members and of claims are touched, through their own
        // types, which are made of atomics.
        let buffer = unsafe { SharedBuffer::options().dir(dir).open_typed(name) };
        let buffer = buffer.map_err(crate::error::OpenError::from)?;
        let label = label(&buffer);
        let segment = Segment::attach(buffer, Kind::Array).map_err(|e| e.of(label.clone()))?;
        if Some(segment.instance()) != self.instance() {
            return Err(crate::error::OpenError::Replaced { segment: label }.into());
        }
        let (table, members) = segment.claims(&array.shape).ok_or_else(no_claims)?;
        let (wants, mut at) = ([(Selection::whole(&array.shape), Mode::Shared)], [0]);
        let claimed = table.claim(members, &wants, &mut at, Patience::timeout(timeout));
        let poison = claimed.map_err(|e| WholeError::Claim(e.explain(&wants, members)))?;
        let claim = Claim::new(&segment, &array.shape, at[0], Mode::Shared);
        let parts: Vec<_> = poison.iter().map(|poison| poison.explain(members)).collect();
        let result = f(&parts);
        drop(claim);
        Ok(result)
    }

    /// Writes the array to an `.npy` file, whole or not at all, and tells how many bytes of it are written.
    ///
    /// It takes no claim: within [`whole`](Self::whole) the copy is consistent, outside of it as consistent
    /// as the writers let it be.
    ///
    /// # Errors
    ///
    /// [`SaveError`]: there is no array, or the file cannot be written.
    ///
    /// ```
    /// use std::time::Duration;
    /// use ndshm_array::{SharedArray2, inspect::SegmentFile};
    ///
    /// # let dir = tempfile::tempdir()?;
    /// let a = SharedArray2::<f64>::options().dir(dir.path()).name("a").from_elem((2, 3), 0.5)?;
    /// let file = SegmentFile::open(a.path().unwrap())?;
    /// let copy = dir.path().join("a.npy");
    /// file.whole(Duration::from_secs(1), |_| file.save(&copy, |_done| ()))??;
    /// assert_eq!(SharedArray2::<f64>::load(&copy)?.read()?.sum(), 3.0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn save(
        &self,
        to: impl AsRef<Path>,
        mut progress: impl FnMut(u64),
    ) -> Result<(), SaveError> {
        let Contents::Array(array) = self.contents() else {
            return Err(SaveError::NoArray { holds: self.contents().name() });
        };
        let header = NpyHeader {
            dtype: array.dtype.clone(),
            order: array.order,
            shape: array.shape.clone(),
        };
        write_npy_with(to.as_ref(), &header, |out| {
            let (mut piece, mut done) = (vec![0; PIECE], 0);
            while done < array.data_len {
                let left = usize::try_from(array.data_len - done).unwrap_or(PIECE);
                let piece = &mut piece[..left.min(PIECE)];
                let at = array.data_offset + done;
                let read = self.file.read_exact_at(piece, at);
                read.map_err(|e| io::Error::other(self.read_error(e)))?;
                out.write_all(piece)?;
                done += piece.len() as u64;
                progress(done);
            }
            Ok(())
        })?;
        Ok(())
    }

    /// Directory and name, where the file is called as a named segment is.
    fn place(&self) -> Option<(&Path, &str)> {
        let name = self.path.file_name()?.to_str()?.strip_prefix("ndshm.")?;
        let dir = self.path.parent()?;
        Some((if dir.as_os_str().is_empty() { Path::new(".") } else { dir }, name))
    }
}
