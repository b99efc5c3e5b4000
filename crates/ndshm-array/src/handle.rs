//! How an array comes to another process.

use std::marker::PhantomData;

use ndarray::{Dimension, IxDyn};
use ndshm_buffer::{BufferHandle, passing};
use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::array::SharedArray;
use crate::element::Element;
use crate::error::OpenError;
use crate::npy::{HEADER_LEN, HeaderError, NpyHeader, Order};
use crate::options::attach;
use crate::segment::Segment;

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
            descr: T::DTYPE.descr().to_owned(),
            shape: array.shape().to_vec(),
            array: PhantomData,
        }
    }

    /// Lengths along the axes.
    #[must_use]
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Opens the array.
    ///
    /// # Errors
    ///
    /// [`OpenError`]: it is gone, may not be opened, is another instance, or holds something else.
    ///
    /// # Safety
    ///
    /// As [`SharedArray::open`].
    pub unsafe fn open(&self) -> Result<SharedArray<T, D>, OpenError> {
        self.open_trusted()
    }

    fn open_trusted(&self) -> Result<SharedArray<T, D>, OpenError> {
        let array = attach::<T, D>(self.buffer.open()?)?;
        if array.segment().instance() != self.instance || array.shape() != self.shape {
            let segment = array.path().map_or_else(
                || "the anonymous array".to_owned(),
                |path| path.display().to_string(),
            );
            return Err(OpenError::Replaced { segment });
        }
        Ok(array)
    }
}

/// Writes the handle. Inside `ndshm_buffer::passing::collect`, as a launcher of workers does, it
/// fails while the calling thread holds a claim of the array: the workers would wait for it.
impl<T: Element, D: Dimension> Serialize for SharedArray<T, D> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let held =
            |(table, members): (&crate::claim::ClaimTable, &_)| table.held_by_this_thread(members);
        if passing::is_collecting() && self.segment().claims().is_some_and(held) {
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
        if !passing::is_adopting() {
            return Err(A::Error::custom(passing::explain(
                "a shared array is opened by deserialising only where a worker starts; elsewhere \
                 deserialise an ArrayHandle and call its unsafe open()",
            )));
        }
        handle.open_trusted().map_err(|e| A::Error::custom(passing::explain(e)))
    }
}

/// Checks the header of an array's segment, once; nothing of it is read again.
pub(crate) fn check_header<T: Element, D: Dimension>(
    segment: &Segment,
    label: &str,
) -> Result<(D, Order), OpenError> {
    let label = || label.to_owned();
    let bad = |source| OpenError::Header { segment: label(), source };
    let mut bytes = [0; HEADER_LEN];
    let read = segment.buffer().read_at(0, &mut bytes);
    read.map_err(|_| bad(HeaderError::Truncated))?;
    let (header, data_offset) = NpyHeader::decode(&bytes[..]).map_err(bad)?;
    let found = header.dtype().map_err(bad)?;
    if found != T::DTYPE {
        return Err(OpenError::Dtype { segment: label(), found, expected: T::DTYPE });
    }
    let places = segment.places();
    if data_offset != places.data_offset || header.data_bytes().is_none_or(|n| n > places.data_len)
    {
        return Err(bad(HeaderError::Truncated));
    }
    let dim = D::from_dimension(&IxDyn(&header.shape)).ok_or_else(|| OpenError::Dimensions {
        segment: label(),
        found: header.shape.clone(),
        expected: D::NDIM.unwrap_or_default(),
    })?;
    Ok((dim, header.order))
}
