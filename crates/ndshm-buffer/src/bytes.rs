//! Getting at the bytes of a buffer: copies and atomics, sound with any peer, and plain slices at the caller's word.

use std::slice;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use crate::buffer::SharedBuffer;
use crate::copy;
use crate::error::{MissingError, RangeError, ReadError, WriteError};

/// A copy is made in parts of so many bytes: a guarded one is given up at the next.
const PART: usize = 64 << 10;

impl SharedBuffer {
    /// Copies bytes out, whoever is writing them.
    ///
    /// Each byte is one that stood there during the call, and aligned machine words (`usize`) are not torn; the copy as a whole is
    /// consistent only where the writers keep still.
    ///
    /// # Errors
    ///
    /// [`ReadError`] where the copy would reach beyond the end, and nothing is copied then; or where a
    /// [guarded](crate::BufferOptions::guarded) buffer has lost a part of its file.
    ///
    /// ```
    /// # use ndshm_buffer::SharedBuffer;
    /// let mut bytes = [1; 4];
    /// SharedBuffer::anonymous(64)?.read_at(60, &mut bytes)?;
    /// assert_eq!(bytes, [0; 4]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn read_at(&self, offset: usize, bytes: &mut [u8]) -> Result<(), ReadError> {
        self.copy(|goes_on| {
            let from = self.part(offset, bytes.len())?.chunks(PART);
            let parts = from.zip(bytes.chunks_mut(PART)).take_while(|_| goes_on());
            parts.for_each(|(from, to)| copy::load(from, to));
            Ok(())
        })
    }

    /// Copies bytes in, whoever is reading or writing them.
    ///
    /// Aligned machine words (`usize`) are stored whole. The stores are relaxed: to tell a peer that they are complete, use a lock
    /// or a release store to [`atomic_u64`](Self::atomic_u64).
    ///
    /// # Errors
    ///
    /// [`WriteError`] where the bytes do not fit or the buffer is read-only, and nothing is copied then; or where a
    /// [guarded](crate::BufferOptions::guarded) buffer has lost a part of its file.
    ///
    /// ```
    /// # use ndshm_buffer::SharedBuffer;
    /// let buffer = SharedBuffer::anonymous(64)?;
    /// buffer.write_at(60, &[1, 2, 3, 4])?;
    /// assert!(buffer.write_at(61, &[1, 2, 3, 4]).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn write_at(&self, offset: usize, bytes: &[u8]) -> Result<(), WriteError> {
        self.copy(|goes_on| {
            let to = self.part(offset, bytes.len())?;
            if self.is_read_only() {
                return Err(WriteError::ReadOnly { segment: self.describe() });
            }
            let parts = to.chunks(PART).zip(bytes.chunks(PART)).take_while(|_| goes_on());
            parts.for_each(|(to, from)| copy::store(to, from));
            Ok(())
        })
    }

    /// Runs a copy, which asks before each part whether to go on; guarded, where this buffer is.
    fn copy<E: From<MissingError>>(
        &self,
        copy: impl FnOnce(&dyn Fn() -> bool) -> Result<(), E>,
    ) -> Result<(), E> {
        let Some(region) = self.guarded_region() else { return copy(&|| true) };
        match self.mapping().watched(region, |watch| copy(&|| !watch.damaged())) {
            (copied, false) => copied,
            (_, true) => Err(MissingError { segment: self.describe() }.into()),
        }
    }

    fn part(&self, offset: usize, len: usize) -> Result<&[AtomicU8], RangeError> {
        let beyond = RangeError { offset, len, size: self.len() };
        let end = offset.checked_add(len).ok_or(beyond)?;
        self.cells().get(offset..end).ok_or(beyond)
    }

    /// Eight bytes as one atomic number, which any process may change: a sequence number, a flag, a clock. `None` where
    /// `offset` is not a multiple of 8, beyond the end, or the buffer is read-only.
    ///
    /// ```
    /// # use ndshm_buffer::SharedBuffer;
    /// use std::sync::atomic::Ordering;
    ///
    /// let buffer = SharedBuffer::anonymous(64)?;
    /// buffer.write_at(8, b"a frame")?;
    /// // Release: whoever loads the 1 (acquire) finds the frame.
    /// buffer.atomic_u64(0).expect("aligned and writable").store(1, Ordering::Release);
    /// assert_eq!(buffer.load_u64(0), Some(1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn atomic_u64(&self, offset: usize) -> Option<&AtomicU64> {
        if self.is_read_only() { None } else { self.word(offset) }
    }

    /// Loads eight bytes at once, from a read-only buffer too. Acquire: what their writer wrote before it stored them
    /// (release) is seen by what follows. `None` where `offset` is not a multiple of 8 or beyond the end.
    ///
    /// ```
    /// # use ndshm_buffer::SharedBuffer;
    /// let buffer = SharedBuffer::anonymous(64)?;
    /// assert_eq!((buffer.load_u64(56), buffer.load_u64(57)), (Some(0), None));
    /// # Ok::<(), ndshm_buffer::CreateError>(())
    /// ```
    #[must_use]
    pub fn load_u64(&self, offset: usize) -> Option<u64> {
        Some(self.word(offset)?.load(Ordering::Acquire))
    }

    fn word(&self, offset: usize) -> Option<&AtomicU64> {
        // Where a word is narrower, such a load may be made of a store, which read-only pages do not allow.
        if self.is_read_only() && usize::BITS < u64::BITS {
            return None;
        }
        let cells = self.part(offset, size_of::<AtomicU64>()).ok()?;
        let word = cells.as_ptr().cast::<AtomicU64>();
        if !word.is_aligned() {
            return None;
        }
        // SAFETY: aligned, and the eight bytes of `cells`, which are mapped as long as `self` is borrowed; every value
        // of them is valid, and both types let others change them (see `copy` on accesses of two sizes).
        Some(unsafe { &*word })
    }

    /// The bytes as atomics, which any process may change; `None` where the buffer is read-only.
    ///
    /// ```
    /// # use ndshm_buffer::SharedBuffer;
    /// use std::sync::atomic::Ordering;
    ///
    /// let buffer = SharedBuffer::anonymous(64)?;
    /// let flag = &buffer.atomics().expect("writable")[0];
    /// assert_eq!(flag.swap(1, Ordering::AcqRel), 0);
    /// # Ok::<(), ndshm_buffer::CreateError>(())
    /// ```
    pub fn atomics(&self) -> Option<&[AtomicU8]> {
        (!self.is_read_only()).then(|| self.cells())
    }

    /// The bytes as a plain slice.
    ///
    /// # Safety
    ///
    /// As long as the slice lives, nobody may change the bytes: no thread of this process and no other process, by
    /// whatever means.
    ///
    /// ```
    /// # use ndshm_buffer::SharedBuffer;
    /// let buffer = SharedBuffer::anonymous(64)?;
    /// // SAFETY: no one else has this segment.
    /// let bytes = unsafe { buffer.as_slice() };
    /// assert!(bytes.iter().all(|&byte| byte == 0));
    /// # Ok::<(), ndshm_buffer::CreateError>(())
    /// ```
    pub unsafe fn as_slice(&self) -> &[u8] {
        // SAFETY: `len` bytes, at most isize::MAX, are mapped at `base` while `self` borrows the mapping (invariants 1
        // and 2 of `Region`); the caller vouches that nobody changes them.
        unsafe { slice::from_raw_parts(self.as_ptr(), self.len()) }
    }

    /// The bytes as a plain mutable slice.
    ///
    /// # Safety
    ///
    /// The buffer must not be [read-only](Self::is_read_only). As long as the slice lives, nobody else may read or
    /// change the bytes: no thread of this process, through this buffer or a clone or otherwise, and no other process.
    ///
    /// ```
    /// # use ndshm_buffer::SharedBuffer;
    /// let buffer = SharedBuffer::anonymous(64)?;
    /// // SAFETY: no one else has this segment, and it was created for writing.
    /// unsafe { buffer.as_mut_slice() }.fill(7);
    /// # Ok::<(), ndshm_buffer::CreateError>(())
    /// ```
    #[allow(
        clippy::mut_from_ref,
        reason = "shared memory has no owner whose `&mut` could stand for it: the caller vouches"
    )]
    pub unsafe fn as_mut_slice(&self) -> &mut [u8] {
        // SAFETY: as in `as_slice`; the caller vouches that the pages are writable and that the slice is the only way
        // by which anyone gets at them.
        unsafe { slice::from_raw_parts_mut(self.as_ptr(), self.len()) }
    }
}
