//! A dynamic array's description, to send.

use ndshm_buffer::{BufferHandle, SharedBuffer};
use serde::{Deserialize, Serialize};

use super::DynArray;
use crate::error::OpenError;
use crate::segment::label;

/// An inert description of a [`DynArray`]: where it is, and which instance. As [`ArrayHandle`](crate::ArrayHandle), without the types.
///
/// ```
/// use ndshm_array::{SharedArray1, dynamic::{DynArray, DynHandle}};
///
/// let a = DynArray::from(SharedArray1::<u16>::zeros(3)?);
/// let bytes = postcard::to_stdvec(&a.handle())?;
/// // ... in another process of the same user, while this one has the array:
/// let handle: DynHandle = postcard::from_bytes(&bytes)?;
/// // SAFETY: whoever writes to the array does so through ndshm.
/// let same = unsafe { handle.open()? };
/// assert_eq!(same.dtype(), a.dtype());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DynHandle {
    buffer: BufferHandle,
    instance: [u8; 16],
    shape: Vec<usize>,
}

impl DynHandle {
    pub(super) fn of(array: &DynArray) -> Self {
        Self {
            buffer: array.segment().buffer().handle(),
            instance: array.segment().instance(),
            shape: array.shape().to_vec(),
        }
    }

    /// Opens the array: an anonymous one while the process that made the handle has it, one with a
    /// name while it has that. Of one to which rows were appended since, those that there were.
    ///
    /// # Errors
    ///
    /// [`OpenError`]: it is gone, may not be opened, or is another instance.
    ///
    /// # Safety
    ///
    /// As [`SharedArray::open`](crate::SharedArray::open).
    ///
    /// ```
    /// # use ndshm_array::{SharedArray1, dynamic::DynArray};
    /// let handle = DynArray::from(SharedArray1::<u16>::zeros(3)?).handle();
    /// // SAFETY: nobody else has the array.
    /// assert!(unsafe { handle.open() }.is_err()); // the array is gone
    /// # Ok::<(), ndshm_array::CreateError>(())
    /// ```
    pub unsafe fn open(&self) -> Result<DynArray, OpenError> {
        // SAFETY: the caller's promise; what this crate does with a segment is what its kind demands.
        let buffer = unsafe { SharedBuffer::options().open_handle_typed(&self.buffer) }?;
        let array = DynArray::attach(buffer)?;
        let same = array.segment().instance() == self.instance;
        match (&*self.shape, array.shape()) {
            (mine, found) if same && mine == found => Ok(array),
            ([rows, row @ ..], [found, more @ ..])
                if same && rows < found && row == more && array.grows() =>
            {
                Ok(array.with_rows(*rows))
            }
            _ => Err(OpenError::Replaced { segment: label(array.segment().buffer()) }),
        }
    }
}
