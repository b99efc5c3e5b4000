//! Getting at the bytes of a buffer: copies and atomics, sound with any peer, and plain slices at the caller's word.

use std::slice;
use std::sync::atomic::AtomicU8;

use crate::buffer::SharedBuffer;
use crate::copy;
use crate::error::{RangeError, WriteError};

impl SharedBuffer {
    /// Copies bytes out, whoever is writing them.
    ///
    /// Each byte is one that stood there during the call, and aligned machine words (`usize`) are not torn; the copy as a whole is
    /// consistent only where the writers keep still.
    ///
    /// # Errors
    ///
    /// [`RangeError`] where the copy would reach beyond the end; nothing is copied then.
    ///
    /// ```
    /// # use ndshm_buffer::SharedBuffer;
    /// let mut bytes = [1; 4];
    /// SharedBuffer::anonymous(64)?.read_at(60, &mut bytes)?;
    /// assert_eq!(bytes, [0; 4]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn read_at(&self, offset: usize, bytes: &mut [u8]) -> Result<(), RangeError> {
        copy::load(self.part(offset, bytes.len())?, bytes);
        Ok(())
    }

    /// Copies bytes in, whoever is reading or writing them.
    ///
    /// Aligned machine words (`usize`) are stored whole. The stores are relaxed: to tell a peer that they are complete, use a lock
    /// or a release store to an atomic.
    ///
    /// # Errors
    ///
    /// [`WriteError`] where the bytes do not fit or the buffer is read-only; nothing is copied then.
    ///
    /// ```
    /// # use ndshm_buffer::SharedBuffer;
    /// let buffer = SharedBuffer::anonymous(64)?;
    /// buffer.write_at(60, &[1, 2, 3, 4])?;
    /// assert!(buffer.write_at(61, &[1, 2, 3, 4]).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn write_at(&self, offset: usize, bytes: &[u8]) -> Result<(), WriteError> {
        let to = self.part(offset, bytes.len())?;
        if self.is_read_only() {
            return Err(WriteError::ReadOnly { segment: self.describe() });
        }
        copy::store(to, bytes);
        Ok(())
    }

    fn part(&self, offset: usize, len: usize) -> Result<&[AtomicU8], RangeError> {
        let beyond = RangeError { offset, len, size: self.len() };
        let end = offset.checked_add(len).ok_or(beyond)?;
        self.cells().get(offset..end).ok_or(beyond)
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
