//! The array.

use std::fmt;
use std::marker::PhantomData;
use std::path::Path;
use std::sync::Arc;

use ndarray::{Array, Dimension, Ix2};
use ndshm_buffer::{PersistError, RemoveError, SharedBuffer};

use crate::claims::ClaimResult;
use crate::element::Element;
use crate::error::OpenError;
use crate::format::Kind;
use crate::geometry;
use crate::handle::ArrayHandle;
use crate::npy::Order;
use crate::segment::{Segment, label};

/// An N-dimensional array of `T` in memory that several processes share.
///
/// A handle: [`Clone`] gives another to the same memory, in this process; serialising it, or its
/// name, brings it to another process. The elements are reached through claims:
///
/// - [`read`](Self::read) and [`write`](Self::write) claim the whole array, and wait for others;
/// - [`claim`](Self::claim) and [`claim_mut`](Self::claim_mut) claim a range of rows (indices along
///   the first axis), and refuse rows that others have: disjoint ones are written in parallel;
/// - [`view`](Self::view) and its kin are the raw tier: `unsafe`, unchecked.
///
/// A claim is checked across processes and threads, against a table in the segment (some tens of
/// nanoseconds, more with many claims outstanding). The rows of a claimant that died come back
/// inside [`ClaimError::Poisoned`](crate::ClaimError::Poisoned), which says who and which rows.
///
/// Whole-array names are ndarray's: `shape`, `ndim`, `len`; aliases [`SharedArray1`](crate::SharedArray1) to
/// [`SharedArray6`](crate::SharedArray6) and [`SharedArrayD`](crate::SharedArrayD) spare the dimension type.
///
/// ```
/// use ndshm_array::SharedArray2;
///
/// let a = SharedArray2::<f64>::zeros((4, 3))?;
/// {
///     let mut top = a.claim_mut(..2)?;
///     let mut bottom = a.claim_mut(2..)?; // disjoint: both at once
///     top.fill(1.0);
///     bottom.fill(2.0);
///     assert!(a.claim(1..3).is_err()); // overlaps both
/// }
/// assert_eq!(a.read()?.sum(), 18.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct SharedArray<T, D> {
    segment: Arc<Segment>,
    /// # Invariants
    ///
    /// 1. `dim`, laid out in `order`, fits the data of `segment`: checked once, at creation or
    ///    attach.
    dim: D,
    order: Order,
    elements: PhantomData<fn() -> T>,
}

impl<T: Element, D: Dimension> SharedArray<T, D> {
    /// Checks what the segment in `buffer` holds, and attaches.
    pub(crate) fn attach(buffer: SharedBuffer) -> Result<Self, OpenError> {
        let label = label(&buffer);
        let segment = Segment::attach(buffer, Kind::Array).map_err(|e| e.of(label.clone()))?;
        let (dim, order) = geometry::of_segment::<T, D>(&segment, &label)?;
        Ok(Self::from_parts(segment, dim, order))
    }

    pub(crate) const fn from_parts(segment: Arc<Segment>, dim: D, order: Order) -> Self {
        Self { segment, dim, order, elements: PhantomData }
    }

    /// The same array as one of so many rows; for the caller to know that they fit the data, and that the order is C.
    pub(crate) fn with_rows(&self, rows: usize) -> Self {
        let mut dim = self.dim.clone();
        dim[0] = rows;
        Self::from_parts(Arc::clone(&self.segment), dim, self.order)
    }

    pub(crate) fn segment(&self) -> &Segment {
        &self.segment
    }

    pub(crate) fn shared_segment(&self) -> Arc<Segment> {
        Arc::clone(&self.segment)
    }

    /// Lengths along the axes.
    ///
    /// ```
    /// # use ndshm_array::SharedArray2;
    /// let a = SharedArray2::<f64>::zeros((2, 3))?;
    /// assert_eq!(a.shape(), [2, 3]);
    /// # Ok::<(), ndshm_array::CreateError>(())
    /// ```
    #[must_use]
    pub fn shape(&self) -> &[usize] {
        self.dim.slice()
    }

    /// The shape in ndarray's form: `(rows, columns)` for a matrix.
    ///
    /// ```
    /// # use ndshm_array::SharedArray2;
    /// let a = SharedArray2::<f64>::zeros((2, 3))?;
    /// let (rows, columns) = a.dim();
    /// assert_eq!((rows, columns), (2, 3));
    /// # Ok::<(), ndshm_array::CreateError>(())
    /// ```
    #[must_use]
    pub fn dim(&self) -> D::Pattern {
        self.dim.clone().into_pattern()
    }

    /// The shape as a dimension.
    ///
    /// ```
    /// # use ndshm_array::SharedArray2;
    /// let a = SharedArray2::<f64>::zeros((2, 3))?;
    /// let private = ndarray::Array::<f64, _>::zeros(a.raw_dim()); // of the same shape
    /// assert_eq!(private.dim(), a.dim());
    /// # Ok::<(), ndshm_array::CreateError>(())
    /// ```
    #[must_use]
    pub fn raw_dim(&self) -> D {
        self.dim.clone()
    }

    /// The number of dimensions.
    ///
    /// ```
    /// # use ndshm_array::SharedArray2;
    /// let a = SharedArray2::<f64>::zeros((2, 3))?;
    /// assert_eq!(a.ndim(), 2);
    /// # Ok::<(), ndshm_array::CreateError>(())
    /// ```
    #[must_use]
    pub fn ndim(&self) -> usize {
        self.dim.ndim()
    }

    /// The number of elements.
    ///
    /// ```
    /// # use ndshm_array::SharedArray2;
    /// let a = SharedArray2::<f64>::zeros((2, 3))?;
    /// assert_eq!(a.len(), 6);
    /// # Ok::<(), ndshm_array::CreateError>(())
    /// ```
    #[must_use]
    pub fn len(&self) -> usize {
        self.dim.size()
    }

    /// Whether there are no elements.
    ///
    /// ```
    /// # use ndshm_array::SharedArray2;
    /// assert!(SharedArray2::<f64>::zeros((0, 3))?.is_empty());
    /// # Ok::<(), ndshm_array::CreateError>(())
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The length along the first axis: what claims divide. 1 for an array of no dimensions.
    ///
    /// ```
    /// # use ndshm_array::SharedArray2;
    /// let a = SharedArray2::<f64>::zeros((2, 3))?;
    /// assert_eq!(a.nrows(), 2);
    /// assert!(a.claim(..3).is_err()); // there are rows 0 and 1
    /// # Ok::<(), ndshm_array::CreateError>(())
    /// ```
    #[must_use]
    pub fn nrows(&self) -> usize {
        self.shape().first().copied().unwrap_or(1)
    }

    /// Row-major or column-major.
    ///
    /// ```
    /// # use ndshm_array::SharedArray2;
    /// use ndarray::ShapeBuilder;
    /// use ndshm_array::npy::Order;
    ///
    /// assert_eq!(SharedArray2::<f64>::zeros((2, 3))?.order(), Order::C);
    /// assert_eq!(SharedArray2::<f64>::zeros((2, 3).f())?.order(), Order::F);
    /// # Ok::<(), ndshm_array::CreateError>(())
    /// ```
    #[must_use]
    pub const fn order(&self) -> Order {
        self.order
    }

    /// The name, unless it is anonymous.
    ///
    /// ```
    /// # use ndshm_array::SharedArray1;
    /// # let name = format!("doc.name.{}", std::process::id());
    /// let a = SharedArray1::<f64>::options().name(&name).zeros(4)?;
    /// assert_eq!(a.name(), Some(&*name));
    /// assert_eq!(SharedArray1::<f64>::zeros(4)?.name(), None);
    /// # Ok::<(), ndshm_array::CreateError>(())
    /// ```
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.segment.buffer().name()
    }

    /// Where the file is, unless it is anonymous; `numpy.load(path, mmap_mode="r")` reads it.
    ///
    /// ```
    /// # use ndshm_array::SharedArray1;
    /// # let name = format!("doc.path.{}", std::process::id());
    /// let a = SharedArray1::<f64>::options().name(&name).zeros(4)?;
    /// let file = a.path().and_then(|path| path.file_name());
    /// assert_eq!(file.unwrap().to_str(), Some(&*format!("ndshm.{name}")));
    /// # Ok::<(), ndshm_array::CreateError>(())
    /// ```
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.segment.buffer().path()
    }

    /// Whether it was opened read-only. Such an array takes no claims: read it through
    /// [`view`](Self::view).
    ///
    /// ```
    /// # use ndshm_array::SharedArray1;
    /// # let name = format!("doc.is_read_only.{}", std::process::id());
    /// let a = SharedArray1::<f64>::options().name(&name).zeros(4)?;
    /// let options = SharedArray1::<f64>::options().read_only(true);
    /// // SAFETY: all who write to it do so through ndshm.
    /// let reader = unsafe { options.open(&name)? };
    /// assert!(reader.is_read_only() && !a.is_read_only());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        self.segment.buffer().is_read_only()
    }

    /// A copy in private memory, an ordinary ndarray `Array`, in the array's order. Under a shared claim on all of it, so
    /// waits for writers as [`read`](Self::read); [`snapshot`](Self::snapshot) has a time limit, and works on what was opened
    /// read-only.
    ///
    /// Not what [`ToOwned`] would do: another handle to the same memory is what [`Clone`] gives.
    ///
    /// # Errors
    ///
    /// [`ClaimError`](crate::ClaimError), of which `Poisoned` has the copy inside.
    ///
    /// ```
    /// # use ndshm_array::SharedArray2;
    /// let a = SharedArray2::<f64>::zeros((2, 3))?;
    /// let mut private = a.to_owned()?;
    /// private += 1.0;
    /// assert_eq!((private.sum(), a.read()?.sum()), (6.0, 0.0));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn to_owned(&self) -> ClaimResult<Array<T, D>> {
        self.read().map(|guard| guard.to_owned()).map_err(|e| e.map(|guard| guard.to_owned()))
    }

    /// An inert description that another process can open: serialise it. It keeps nothing alive.
    ///
    /// ```
    /// # use ndshm_array::SharedArray2;
    /// let a = SharedArray2::<f64>::zeros((2, 3))?;
    /// let handle = a.handle(); // another process would get it serialised
    /// // SAFETY: all who write to the array do so through ndshm.
    /// let same = unsafe { handle.open()? };
    /// same.write()?.fill(1.0);
    /// assert_eq!(a.read()?.sum(), 6.0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn handle(&self) -> ArrayHandle<T, D> {
        ArrayHandle::of(self)
    }

    /// Keeps the name when the process that made the array is done with it. Remove it with
    /// [`unlink`](Self::unlink), or `rm`.
    ///
    /// # Errors
    ///
    /// The array is anonymous, its name is gone already, or it belongs to another user.
    ///
    /// ```
    /// # use ndshm_array::SharedArray1;
    /// # let dir = tempfile::tempdir()?;
    /// let options = SharedArray1::<f64>::options().dir(dir.path());
    /// let a = options.clone().name("heat").zeros(4)?;
    /// a.persist()?;
    /// drop(a);
    /// // SAFETY: all who write to it do so through ndshm.
    /// let a = unsafe { options.open("heat")? }; // it was still there
    /// a.unlink()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn persist(&self) -> Result<(), PersistError> {
        self.segment.buffer().persist()
    }

    /// Removes the name now; those who have the array keep it. `false` where the name is gone,
    /// leads to another array, or never was.
    ///
    /// # Errors
    ///
    /// [`RemoveError`](ndshm_buffer::RemoveError): the file or its directory does not let this
    /// process.
    ///
    /// ```
    /// # use ndshm_array::SharedArray1;
    /// # let name = format!("doc.unlink.{}", std::process::id());
    /// let a = SharedArray1::<f64>::options().name(&name).zeros(4)?;
    /// assert!(a.unlink()?);
    /// assert!(!a.unlink()?); // gone already
    /// a.write()?.fill(1.0); // and still here
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn unlink(&self) -> Result<bool, RemoveError> {
        self.segment.buffer().unlink()
    }
}

impl<T: Element> SharedArray<T, Ix2> {
    /// The number of columns.
    ///
    /// ```
    /// # use ndshm_array::SharedArray2;
    /// let a = SharedArray2::<f64>::zeros((2, 3))?;
    /// assert_eq!((a.nrows(), a.ncols()), (2, 3));
    /// # Ok::<(), ndshm_array::CreateError>(())
    /// ```
    #[must_use]
    pub fn ncols(&self) -> usize {
        self.dim[1]
    }
}

/// Another handle to the same memory, in this process.
impl<T, D: Clone> Clone for SharedArray<T, D> {
    fn clone(&self) -> Self {
        Self {
            segment: Arc::clone(&self.segment),
            dim: self.dim.clone(),
            order: self.order,
            elements: PhantomData,
        }
    }
}

/// Shape, element type and name, and no data: that would take a claim.
impl<T: Element, D: Dimension> fmt::Debug for SharedArray<T, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedArray")
            .field("dtype", &format_args!("{}", T::DTYPE))
            .field("shape", &self.shape())
            .field("order", &self.order)
            .field("name", &self.name())
            .finish_non_exhaustive()
    }
}
