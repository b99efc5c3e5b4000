//! How an array comes to another process.

use std::marker::PhantomData;

use ndarray::Dimension;
use ndshm_buffer::{BufferHandle, SharedBuffer, passing};
use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::append::AppendArray;
use crate::array::SharedArray;
use crate::element::Element;
use crate::error::OpenError;
use crate::segment::label;

/// An inert description of an array: where it is, which instance, of what type and shape.
/// Serialising brings it to another process; opening it there is the `unsafe` step.
///
/// ```
/// use ndshm_array::{ArrayHandle, SharedArray2};
///
/// let a = SharedArray2::<f64>::from_elem((2, 3), 0.5)?;
/// let text = postcard::to_stdvec(&a.handle())?;
/// // ... in another process of the same user, while this one has the array:
/// let handle: ArrayHandle<f64, ndarray::Ix2> = postcard::from_bytes(&text)?;
/// // SAFETY: whoever writes to the array does so through ndshm.
/// let b = unsafe { handle.open()? };
/// assert_eq!(b.read()?.sum(), 3.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct ArrayHandle<T, D> {
    buffer: BufferHandle,
    instance: [u8; 16],
    descr: String,
    shape: Vec<usize>,
    #[serde(skip)]
    array: PhantomData<fn() -> (T, D)>,
}

impl<T: Element, D: Dimension> ArrayHandle<T, D> {
    pub(crate) fn of(array: &SharedArray<T, D>) -> Self {
        Self {
            buffer: array.segment().buffer().handle(),
            instance: array.segment().instance(),
            descr: T::DTYPE.descr().into_owned(),
            shape: array.shape().to_vec(),
            array: PhantomData,
        }
    }

    /// Lengths along the axes. Opens nothing.
    ///
    /// ```
    /// # use ndshm_array::SharedArray2;
    /// let handle = SharedArray2::<f64>::zeros((2, 3))?.handle();
    /// assert_eq!(handle.shape(), [2, 3]);
    /// # Ok::<(), ndshm_array::CreateError>(())
    /// ```
    #[must_use]
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Opens the array: an anonymous one while the process that made the handle has it, one with a
    /// name while it has that.
    ///
    /// # Errors
    ///
    /// [`OpenError`]: it is gone, may not be opened, is another instance, or holds something else.
    ///
    /// # Safety
    ///
    /// As [`SharedArray::open`].
    ///
    /// ```
    /// use ndshm_array::SharedArray1;
    ///
    /// let a = SharedArray1::<f64>::zeros(4)?;
    /// let handle = a.handle();
    /// // SAFETY: all who write to the array do so through ndshm.
    /// unsafe { handle.open()? }.write()?.fill(1.0);
    /// assert_eq!(a.read()?.sum(), 4.0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub unsafe fn open(&self) -> Result<SharedArray<T, D>, OpenError> {
        // SAFETY: the caller's promise, handed on.
        let array = unsafe { self.open_instance()? };
        match (&*self.shape, array.shape()) {
            (mine, found) if mine == found => Ok(array),
            // Rows were appended since: the handle is of those that were there.
            ([rows, row @ ..], [found, same @ ..])
                if rows < found && row == same && AppendArray::is_made_of(&array) =>
            {
                Ok(array.with_rows(*rows))
            }
            _ => Err(OpenError::Replaced { segment: label(array.segment().buffer()) }),
        }
    }
}

impl<T: Element, D: Dimension> ArrayHandle<T, D> {
    /// Opens that instance, whatever its shape is now.
    ///
    /// # Safety
    ///
    /// As [`SharedArray::open`].
    pub(crate) unsafe fn open_instance(&self) -> Result<SharedArray<T, D>, OpenError> {
        // SAFETY: the caller's promise; what this crate does with a segment is what its kind demands.
        let buffer = unsafe { SharedBuffer::options().open_handle_typed(&self.buffer) }?;
        let array = SharedArray::attach(buffer)?;
        if array.segment().instance() != self.instance {
            return Err(OpenError::Replaced { segment: label(array.segment().buffer()) });
        }
        Ok(array)
    }

    /// Whether whoever started this process vouches for it.
    pub(crate) fn is_adopted(&self) -> bool {
        self.buffer.is_adopted()
    }
}

/// Writes the handle. Inside `ndshm_buffer::passing::collect`, as a launcher of workers does, it
/// fails while the calling thread holds a claim of the array: the workers would wait for it.
impl<T: Element, D: Dimension> Serialize for SharedArray<T, D> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let claims = self.segment().claims(self.shape());
        if passing::is_collecting()
            && claims.is_some_and(|(table, members)| table.held_by_this_thread(members))
        {
            return Err(S::Error::custom(passing::explain(
                "this thread holds a claim on an array that it passes to workers, who would wait \
                 for it: drop the guard first",
            )));
        }
        self.handle().serialize(serializer)
    }
}

/// Opens the array: in the start-up of a worker, whose parent vouches for it. Elsewhere this is an
/// error: deserialise an [`ArrayHandle`] and open that.
impl<'de, T: Element, D: Dimension> Deserialize<'de> for SharedArray<T, D> {
    fn deserialize<A: Deserializer<'de>>(deserializer: A) -> Result<Self, A::Error> {
        let handle = ArrayHandle::<T, D>::deserialize(deserializer)?;
        if !handle.is_adopted() {
            return Err(A::Error::custom(passing::explain(
                "a shared array is opened by deserialising only where a worker starts; elsewhere \
                 deserialise an ArrayHandle and call its unsafe open()",
            )));
        }
        // SAFETY: it came through `passing::adopt`, whose caller vouches for it.
        unsafe { handle.open() }.map_err(|e| A::Error::custom(passing::explain(e)))
    }
}
