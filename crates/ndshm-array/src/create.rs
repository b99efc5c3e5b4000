//! How an array comes to be, by the shortest way; [`ArrayOptions`] has the others.

use ndarray::{ArrayRef, Dimension, Ix1, ShapeBuilder};
use num_traits::One;

use crate::array::SharedArray;
use crate::element::Element;
use crate::error::{CreateError, OpenError};
use crate::options::ArrayOptions;

/// The bound stands on each function: where it stands on the whole, a type that is no element is called unsuitable and
/// nothing is said of what to use instead.
impl<T, D: Dimension> SharedArray<T, D> {
    /// An anonymous array of zeros: for workers that are handed it. `shape` is ndarray's: `(2, 3)`
    /// in C order, `(2, 3).f()` in Fortran order.
    ///
    /// The memory is reserved whole: too little of it is an error here, not a fault later. Beside
    /// the elements it takes less than 64 KiB, for header, members and claims.
    ///
    /// # Errors
    ///
    /// [`CreateError`]: the size overflows, or there is no room.
    ///
    /// ```
    /// use ndshm_array::SharedArray2;
    ///
    /// let a = SharedArray2::<f64>::zeros((4, 3))?;
    /// assert_eq!((a.dim(), a.read()?.sum()), ((4, 3), 0.0));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn zeros(shape: impl ShapeBuilder<Dim = D>) -> Result<Self, CreateError>
    where
        T: Element,
    {
        Self::options().zeros(shape)
    }

    /// An anonymous array filled with `element`.
    ///
    /// # Errors
    ///
    /// As [`zeros`](Self::zeros).
    ///
    /// ```
    /// use ndshm_array::SharedArray1;
    ///
    /// let a = SharedArray1::from_elem(5, 7_u16)?;
    /// assert_eq!(a.read()?.sum(), 35);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn from_elem(shape: impl ShapeBuilder<Dim = D>, element: T) -> Result<Self, CreateError>
    where
        T: Element,
    {
        Self::options().from_elem(shape, element)
    }

    /// An anonymous array of ones.
    ///
    /// # Errors
    ///
    /// As [`zeros`](Self::zeros).
    ///
    /// ```
    /// use ndshm_array::SharedArray2;
    ///
    /// let a = SharedArray2::<f64>::ones((4, 3))?;
    /// assert_eq!(a.read()?.sum(), 12.0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn ones(shape: impl ShapeBuilder<Dim = D>) -> Result<Self, CreateError>
    where
        T: Element + One,
    {
        Self::options().ones(shape)
    }

    /// An anonymous array of what `f` makes of each index.
    ///
    /// # Errors
    ///
    /// As [`zeros`](Self::zeros).
    ///
    /// # Panics
    ///
    /// Where `f` does.
    ///
    /// ```
    /// use ndshm_array::SharedArray2;
    ///
    /// let identity = SharedArray2::from_shape_fn((3, 3), |(i, j)| f64::from(u8::from(i == j)))?;
    /// assert_eq!(identity.read()?.sum(), 3.0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn from_shape_fn(
        shape: impl ShapeBuilder<Dim = D>,
        f: impl FnMut(D::Pattern) -> T,
    ) -> Result<Self, CreateError>
    where
        T: Element,
    {
        Self::options().from_shape_fn(shape, f)
    }

    /// An anonymous copy of an ordinary array, in the same order.
    ///
    /// ```
    /// use ndshm_array::SharedArray;
    /// let a = SharedArray::from_array(&ndarray::arr2(&[[1_i32, 2], [3, 4]]))?;
    /// assert_eq!(a.read()?.sum(), 10);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`zeros`](Self::zeros).
    pub fn from_array(array: &ArrayRef<T, D>) -> Result<Self, CreateError>
    where
        T: Element,
    {
        Self::options().from_array(array)
    }

    /// How to make or open an array otherwise: with a name, in a directory, read-only.
    ///
    /// ```
    /// use ndshm_array::SharedArray2;
    /// # let name = format!("doc.options.{}", std::process::id());
    /// let a = SharedArray2::<f32>::options().name(&name).zeros((2, 2))?;
    /// assert!(a.path().unwrap().exists()); // numpy.load reads it there
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn options() -> ArrayOptions<T, D>
    where
        T: Element,
    {
        ArrayOptions::new()
    }

    /// Opens the array of that name, to read and write. A second open in one process gives another
    /// handle to the same mapping.
    ///
    /// # Errors
    ///
    /// [`OpenError`]: there is none, it may not be opened, or it holds something else: another
    /// element type, number of dimensions, kind or version.
    ///
    /// # Safety
    ///
    /// The one visible place of this promise: whoever else writes to the array while this process
    /// has it open does so through ndshm (claims, or the raw tier as it demands). NumPy on the
    /// live file, for one, does not ask for claims.
    ///
    /// ```
    /// use ndshm_array::SharedArray1;
    ///
    /// # let name = format!("doc.open.{}", std::process::id());
    /// let made = SharedArray1::<f64>::options().name(&name).zeros(4)?;
    /// // In another program, which is given the name:
    /// // SAFETY: all who write to it do so through ndshm.
    /// let opened = unsafe { SharedArray1::<f64>::open(&name)? };
    /// opened.write()?.fill(1.0);
    /// assert_eq!(made.read()?.sum(), 4.0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub unsafe fn open(name: &str) -> Result<Self, OpenError>
    where
        T: Element,
    {
        // SAFETY: the caller's promise, handed on.
        unsafe { Self::options().open(name) }
    }
}

impl<T: Element> SharedArray<T, Ix1> {
    /// An anonymous array of what an iterator gives, gathered in private memory first.
    ///
    /// # Errors
    ///
    /// As [`zeros`](Self::zeros).
    ///
    /// ```
    /// use ndshm_array::SharedArray1;
    ///
    /// let a = SharedArray1::from_iter((1..4).map(f64::from))?;
    /// assert_eq!(a.read()?, ndarray::arr1(&[1.0, 2.0, 3.0]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[allow(clippy::should_implement_trait, reason = "ndarray's name; making one can fail")]
    pub fn from_iter(elements: impl IntoIterator<Item = T>) -> Result<Self, CreateError> {
        Self::options().from_iter(elements)
    }
}
