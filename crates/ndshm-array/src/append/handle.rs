//! How an array to append to comes to another process.

use ndarray::Dimension;
use ndshm_buffer::passing;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::AppendArray;
use crate::element::Element;
use crate::error::OpenError;
use crate::handle::ArrayHandle;

/// An inert description of an [`AppendArray`], as [`ArrayHandle`] is of a `SharedArray`: serialising brings it to another
/// process; opening it there is the `unsafe` step.
///
/// ```
/// use ndarray::{Ix1, arr1};
/// use ndshm_array::{AppendArray1, AppendHandle};
///
/// let log = AppendArray1::<f64>::with_capacity(1000)?;
/// let text = postcard::to_stdvec(&log.handle())?;
/// // ... in another process of the same user, while this one has the array:
/// let handle: AppendHandle<f64, Ix1> = postcard::from_bytes(&text)?;
/// // SAFETY: whoever writes to the array does so through ndshm.
/// let same = unsafe { handle.open()? };
/// same.append(&arr1(&[0.5]))?;
/// assert_eq!(log.nrows()?, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct AppendHandle<T, D>(ArrayHandle<T, D>);

impl<T: Element, D: Dimension> AppendHandle<T, D> {
    /// Opens the array: an anonymous one while the process that made the handle has it, one with a name while it has
    /// that.
    ///
    /// # Errors
    ///
    /// [`OpenError`]: it is gone, may not be opened, is another instance, or holds something else.
    ///
    /// # Safety
    ///
    /// As [`SharedArray::open`](crate::SharedArray::open).
    ///
    /// ```
    /// use ndshm_array::AppendArray1;
    ///
    /// let log = AppendArray1::<f64>::with_capacity(1000)?;
    /// // SAFETY: all who write to the array do so through ndshm.
    /// let same = unsafe { log.handle().open()? };
    /// assert_eq!(same.capacity(), 1000);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub unsafe fn open(&self) -> Result<AppendArray<T, D>, OpenError> {
        // SAFETY: the caller's promise, handed on.
        AppendArray::of(&unsafe { self.0.open_instance() }?)
    }
}

impl<T: Element, D: Dimension> AppendArray<T, D> {
    /// An inert description that another process can open: serialise it. It keeps nothing alive.
    ///
    /// ```
    /// let log = ndshm_array::AppendArray1::<f64>::with_capacity(1000)?;
    /// let handle = log.handle(); // another process would get it serialised
    /// # drop(handle);
    /// # Ok::<(), ndshm_array::CreateError>(())
    /// ```
    #[must_use]
    pub fn handle(&self) -> AppendHandle<T, D> {
        AppendHandle(self.inner.handle())
    }
}

/// Writes the handle, as a [`SharedArray`](crate::SharedArray) does.
impl<T: Element, D: Dimension> Serialize for AppendArray<T, D> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.inner.serialize(serializer)
    }
}

/// Opens the array: in the start-up of a worker, whose parent vouches for it. Elsewhere this is an error: deserialise an
/// [`AppendHandle`] and open that.
impl<'de, T: Element, D: Dimension> Deserialize<'de> for AppendArray<T, D> {
    fn deserialize<A: Deserializer<'de>>(deserializer: A) -> Result<Self, A::Error> {
        let handle = ArrayHandle::<T, D>::deserialize(deserializer)?;
        if !handle.is_adopted() {
            return Err(A::Error::custom(passing::explain(
                "an array is opened by deserialising only where a worker starts; elsewhere \
                 deserialise an AppendHandle and call its unsafe open()",
            )));
        }
        // SAFETY: it came through `passing::adopt`, whose caller vouches for it.
        unsafe { AppendHandle(handle).open() }.map_err(|e| A::Error::custom(passing::explain(e)))
    }
}
