//! How an array is made or opened.

use std::marker::PhantomData;
use std::path::PathBuf;
use std::sync::Arc;

use ndarray::{Array1, ArrayRef, ArrayViewMut, Dimension, IntoDimension, Ix1, ShapeBuilder};
use ndshm_buffer::{BufferOptions, Prefault, RemoveError, SharedBuffer};
use num_traits::One;

use crate::array::SharedArray;
use crate::element::Element;
use crate::error::{CreateError, OpenError};
use crate::format::Places;
use crate::geometry::{bytes_of, split};
use crate::npy::{NpyHeader, Order};
use crate::segment::{Segment, label};

/// How to make or open a [`SharedArray`]: from [`SharedArray::options`].
///
/// Without a name what is made is anonymous: reached by the processes that are handed it, gone
/// with the last of them.
///
/// ```
/// use ndshm_array::SharedArray1;
/// # let name = format!("doc.ArrayOptions.{}", std::process::id());
///
/// let a = SharedArray1::<u16>::options().name(&name).from_elem(5, 7)?;
/// // SAFETY: only this program has the name.
/// let b = unsafe { SharedArray1::<u16>::open(&name)? };
/// b.write()?.fill(8);
/// assert_eq!(a.read()?.sum(), 40);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct ArrayOptions<T, D> {
    name: Option<String>,
    buffer: BufferOptions,
    shape: Option<D>,
    array: PhantomData<fn() -> T>,
}

impl<T: Element, D: Dimension> ArrayOptions<T, D> {
    pub(crate) fn new() -> Self {
        Self { name: None, buffer: SharedBuffer::options(), shape: None, array: PhantomData }
    }

    /// Gives a name to what is made: 1 to 200 of `[A-Za-z0-9._-]`. The file is `ndshm.NAME` in the
    /// directory. The name goes with the array that was made, unless it is
    /// [persisted](Self::persist).
    ///
    /// ```
    /// use ndshm_array::{CreateError, SharedArray1};
    ///
    /// # let name = format!("doc.options.name.{}", std::process::id());
    /// let options = SharedArray1::<f64>::options().name(&name);
    /// let a = options.zeros(4)?;
    /// assert!(options.zeros(4).is_err()); // the name is taken
    /// drop(a);
    /// options.zeros(4)?;
    /// # Ok::<(), ndshm_array::CreateError>(())
    /// ```
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// The directory of names, for making and opening; it should lie on a memory file system. Without
    /// this it is `NDSHM_DIR`, or /dev/shm where that is not set.
    ///
    /// ```
    /// use ndshm_array::SharedArray1;
    ///
    /// # let dir = tempfile::tempdir()?;
    /// # let dir = dir.path();
    /// let a = SharedArray1::<f64>::options().dir(dir).name("heat").zeros(4)?;
    /// assert_eq!(a.path().unwrap(), dir.join("ndshm.heat"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.buffer = self.buffer.dir(dir);
        self
    }

    /// Keeps the name when the array that was made is dropped. An anonymous one has none to keep.
    ///
    /// ```
    /// use ndshm_array::SharedArray1;
    ///
    /// # let dir = tempfile::tempdir()?;
    /// let options = SharedArray1::<f64>::options().dir(dir.path());
    /// drop(options.clone().name("heat").persist(true).zeros(4)?);
    /// // SAFETY: all who write to it do so through ndshm.
    /// let a = unsafe { options.open("heat")? }; // it was still there
    /// a.unlink()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn persist(mut self, persist: bool) -> Self {
        self.buffer = self.buffer.persist(persist);
        self
    }

    /// Opens read-only, by the page tables; to make an array so is an error. A claim is written into
    /// the segment, so what is left is the raw tier.
    ///
    /// ```
    /// use ndshm_array::{ClaimError, SharedArray1};
    ///
    /// # let name = format!("doc.options.read_only.{}", std::process::id());
    /// let a = SharedArray1::<f64>::options().name(&name).from_elem(4, 0.5)?;
    /// // SAFETY: all who write to it do so through ndshm.
    /// let reader = unsafe { SharedArray1::<f64>::options().read_only(true).open(&name)? };
    /// assert!(matches!(reader.read(), Err(ClaimError::ReadOnly)));
    /// // SAFETY: nobody writes now.
    /// assert_eq!(unsafe { reader.view() }.sum(), 2.0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn read_only(mut self, read_only: bool) -> Self {
        self.buffer = self.buffer.read_only(read_only);
        self
    }

    /// Makes a named array that others than its owner may open: permission bits for reading and writing, as in 0660.
    /// Without this it is 0600. Others open it with [`foreign_owner`](Self::foreign_owner).
    ///
    /// The rest is as for [`BufferOptions::mode`]: the umask takes bits away, anonymous arrays keep 0600. To claim takes
    /// writing, so who may only read has [`snapshot`](SharedArray::snapshot) and the raw tier.
    ///
    /// ```
    /// use ndshm_array::SharedArray1;
    ///
    /// # let name = format!("doc.options.mode.{}", std::process::id());
    /// let a = SharedArray1::<f64>::options().name(&name).mode(0o660).zeros(4)?;
    /// # use std::os::unix::fs::MetadataExt;
    /// assert_eq!(a.path().unwrap().metadata()?.mode() & 0o600, 0o600);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn mode(mut self, mode: u32) -> Self {
        self.buffer = self.buffer.mode(mode);
        self
    }

    /// Makes a named array that belongs to that group, by number; for [`mode`](Self::mode)s with bits for it. As
    /// [`BufferOptions::group`].
    ///
    /// ```
    /// use ndshm_array::SharedArray1;
    ///
    /// # use std::os::unix::fs::MetadataExt;
    /// # let name = format!("doc.options.group.{}", std::process::id());
    /// # let group = std::fs::metadata("/proc/self")?.gid();
    /// let options = SharedArray1::<f64>::options().name(&name).mode(0o660).group(group);
    /// assert_eq!(options.zeros(4)?.path().unwrap().metadata()?.gid(), group);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn group(mut self, group: u32) -> Self {
        self.buffer = self.buffer.group(group);
        self
    }

    /// Opens, and removes, an array that belongs to another user. Its owner may write to it and truncate it at any time.
    ///
    /// ```
    /// use ndshm_array::SharedArray1;
    ///
    /// let options = SharedArray1::<f64>::options().foreign_owner(true);
    /// // SAFETY: all who write to it do so through ndshm.
    /// assert!(unsafe { options.open("nobody-made-this") }.is_err());
    /// ```
    #[must_use]
    pub fn foreign_owner(mut self, accept: bool) -> Self {
        self.buffer = self.buffer.foreign_owner(accept);
        self
    }

    /// Has the memory got before anyone uses it: in huge pages, by several threads, on chosen memory nodes. For big
    /// arrays; opening takes no notice of it, see [`SharedArray::prefault`].
    ///
    /// ```
    /// use ndshm_array::{Prefault, SharedArray2};
    ///
    /// let options = SharedArray2::<f64>::options().prefault(Prefault::huge().threads(2));
    /// let a = options.from_elem((1024, 1024), 0.5)?;
    /// assert_eq!(a.prefaulted().reserved, 0);
    /// # Ok::<(), ndshm_array::CreateError>(())
    /// ```
    #[must_use]
    pub fn prefault(mut self, prefault: Prefault) -> Self {
        self.buffer = self.buffer.prefault(prefault);
        self
    }

    /// An array of zeros. `shape` and what it costs are as for [`SharedArray::zeros`].
    ///
    /// # Errors
    ///
    /// [`CreateError`]: the size overflows, there is no room, the name is taken or not valid.
    ///
    /// ```
    /// use ndshm_array::SharedArray2;
    ///
    /// # let name = format!("doc.options.zeros.{}", std::process::id());
    /// let a = SharedArray2::<f64>::options().name(&name).zeros((2, 3))?;
    /// assert_eq!(a.dim(), (2, 3));
    /// # Ok::<(), ndshm_array::CreateError>(())
    /// ```
    pub fn zeros(
        &self,
        shape: impl ShapeBuilder<Dim = D>,
    ) -> Result<SharedArray<T, D>, CreateError> {
        let (dim, order) = split::<T, D>(shape)?;
        self.make(dim, order, |_| Ok::<(), CreateError>(()))
    }

    /// An array filled with `element`; nobody sees it before it is.
    ///
    /// # Errors
    ///
    /// As [`zeros`](Self::zeros).
    ///
    /// ```
    /// use ndshm_array::SharedArray1;
    ///
    /// # let name = format!("doc.options.from_elem.{}", std::process::id());
    /// let a = SharedArray1::options().name(&name).from_elem(5, 7_u16)?;
    /// assert_eq!(a.read()?.sum(), 35);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[allow(clippy::wrong_self_convention, reason = "ndarray's name")]
    pub fn from_elem(
        &self,
        shape: impl ShapeBuilder<Dim = D>,
        element: T,
    ) -> Result<SharedArray<T, D>, CreateError> {
        let (dim, order) = split::<T, D>(shape)?;
        self.make(dim, order, |data| {
            data.fill(element);
            Ok::<(), CreateError>(())
        })
    }

    /// An array of ones; nobody sees it before it is.
    ///
    /// # Errors
    ///
    /// As [`zeros`](Self::zeros).
    ///
    /// ```
    /// use ndshm_array::SharedArray1;
    ///
    /// # let name = format!("doc.options.ones.{}", std::process::id());
    /// let a = SharedArray1::<f32>::options().name(&name).ones(5)?;
    /// assert_eq!(a.read()?.sum(), 5.0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn ones(&self, shape: impl ShapeBuilder<Dim = D>) -> Result<SharedArray<T, D>, CreateError>
    where
        T: One,
    {
        self.from_elem(shape, T::one())
    }

    /// An array of what `f` makes of each index, asked in the order of the indices; nobody sees it before it is complete.
    ///
    /// # Errors
    ///
    /// As [`zeros`](Self::zeros).
    ///
    /// # Panics
    ///
    /// Where `f` does; nothing is left then.
    ///
    /// ```
    /// use ndshm_array::SharedArray2;
    ///
    /// # let name = format!("doc.options.from_shape_fn.{}", std::process::id());
    /// let options = SharedArray2::<u32>::options().name(&name);
    /// let a = options.from_shape_fn((2, 3), |(i, j)| (10 * i + j) as u32)?;
    /// assert_eq!(a.read()?, ndarray::arr2(&[[0, 1, 2], [10, 11, 12]]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[allow(clippy::wrong_self_convention, reason = "ndarray's name")]
    pub fn from_shape_fn(
        &self,
        shape: impl ShapeBuilder<Dim = D>,
        mut f: impl FnMut(D::Pattern) -> T,
    ) -> Result<SharedArray<T, D>, CreateError> {
        let (dim, order) = split::<T, D>(shape)?;
        let shape = dim.clone().set_f(order == Order::F);
        self.make(dim, order, |data| {
            let mut elements = ArrayViewMut::from_shape(shape, data).expect("as many as it has");
            elements.indexed_iter_mut().for_each(|(index, element)| *element = f(index));
            Ok::<(), CreateError>(())
        })
    }

    /// A copy of an ordinary array, in the same order; in C order where it has neither. Nobody sees
    /// it before it is complete.
    ///
    /// # Errors
    ///
    /// As [`zeros`](Self::zeros).
    ///
    /// ```
    /// use ndshm_array::SharedArray;
    ///
    /// # let name = format!("doc.options.from_array.{}", std::process::id());
    /// let a = SharedArray::options().name(&name).from_array(&ndarray::arr1(&[1, 2, 3]))?;
    /// assert_eq!(a.read()?.sum(), 6);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[allow(clippy::wrong_self_convention, reason = "ndarray's name")]
    pub fn from_array(&self, array: &ArrayRef<T, D>) -> Result<SharedArray<T, D>, CreateError> {
        let fortran = !array.is_standard_layout() && array.t().is_standard_layout();
        let order = if fortran { Order::F } else { Order::C };
        self.make(array.raw_dim(), order, |data| {
            let elements = if fortran { array.t().into_dyn() } else { array.view().into_dyn() };
            data.iter_mut().zip(&elements).for_each(|(to, from)| *to = *from);
            Ok::<(), CreateError>(())
        })
    }

    /// Has [`open`](Self::open) refuse an array of another shape.
    ///
    /// ```
    /// use ndshm_array::{OpenError, SharedArray2};
    ///
    /// # let dir = tempfile::tempdir()?;
    /// let options = SharedArray2::<f64>::options().dir(dir.path());
    /// let a = options.clone().name("heat").zeros((4, 3))?;
    /// // SAFETY: all who write to it do so through ndshm.
    /// let other = unsafe { options.expect_shape((3, 4)).open("heat") };
    /// assert!(matches!(other, Err(OpenError::Shape { .. })));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn expect_shape(mut self, shape: impl IntoDimension<Dim = D>) -> Self {
        self.shape = Some(shape.into_dimension());
        self
    }

    /// Removes that name, whoever made the array and whether it was persisted or not: what a killed
    /// creator left, for one. Who has the array keeps it.
    ///
    /// # Errors
    ///
    /// There is no such name, or what it leads to is refused.
    ///
    /// ```
    /// use ndshm_array::SharedArray2;
    ///
    /// # let dir = tempfile::tempdir()?;
    /// let options = SharedArray2::<f64>::options().dir(dir.path());
    /// let a = options.clone().name("heat").zeros((4, 3))?;
    /// options.remove("heat")?;
    /// assert!(!a.path().unwrap().exists());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn remove(&self, name: &str) -> Result<(), RemoveError> {
        self.buffer.remove(name)
    }

    /// Opens the array of that name, in the [directory](Self::dir) and the [mode](Self::read_only) that
    /// these options say; the rest of them plays no part.
    ///
    /// # Errors
    ///
    /// As [`SharedArray::open`].
    ///
    /// # Safety
    ///
    /// As [`SharedArray::open`].
    ///
    /// ```
    /// use ndshm_array::SharedArray1;
    ///
    /// # let dir = tempfile::tempdir()?;
    /// let options = SharedArray1::<f64>::options().dir(dir.path());
    /// let a = options.clone().name("heat").from_elem(4, 0.5)?;
    /// // SAFETY: all who write to it do so through ndshm.
    /// let same = unsafe { options.open("heat")? };
    /// assert_eq!(same.read()?.sum(), 2.0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub unsafe fn open(&self, name: &str) -> Result<SharedArray<T, D>, OpenError> {
        // SAFETY: the caller's promise, handed on.
        let array = unsafe { self.attach(name) }?;
        self.expected(array)
    }

    /// Opens it, whatever its shape.
    ///
    /// # Safety
    ///
    /// As [`SharedArray::open`].
    pub(crate) unsafe fn attach(&self, name: &str) -> Result<SharedArray<T, D>, OpenError> {
        // SAFETY: the caller's promise; what this crate does with a segment is what its kind demands.
        let buffer = unsafe { self.buffer.open_typed(name) }?;
        SharedArray::attach(buffer)
    }

    /// The array, if it is of the shape that these options expect.
    pub(crate) fn expected(
        &self,
        array: SharedArray<T, D>,
    ) -> Result<SharedArray<T, D>, OpenError> {
        match &self.shape {
            Some(expected) if array.shape() != expected.slice() => Err(OpenError::Shape {
                segment: label(array.segment().buffer()),
                found: array.shape().to_vec(),
                expected: expected.slice().to_vec(),
            }),
            _ => Ok(array),
        }
    }

    /// Makes the segment, has `init` fill the data before anybody else can see it, attaches.
    pub(crate) fn make<E: From<CreateError>>(
        &self,
        dim: D,
        order: Order,
        init: impl FnOnce(&mut [T]) -> Result<(), E>,
    ) -> Result<SharedArray<T, D>, E> {
        let size = bytes_of(size_of::<T>(), dim.slice())?;
        let segment = self.make_segment(size, dim.slice(), order, |file, at| {
            init(bytemuck::cast_slice_mut(&mut file[at.data_offset..][..at.data_len]))
        })?;
        Ok(SharedArray::from_parts(segment, dim, order))
    }

    /// A segment with `size` bytes of data, whose header says that shape; `init` fills the rest before anybody else can see it.
    pub(crate) fn make_segment<E: From<CreateError>>(
        &self,
        size: usize,
        shape: &[usize],
        order: Order,
        init: impl FnOnce(&mut [u8], &Places) -> Result<(), E>,
    ) -> Result<Arc<Segment>, E> {
        let header = NpyHeader { dtype: T::DTYPE.clone(), order, shape: shape.to_vec() };
        Segment::of_array(self.name.as_deref(), &self.buffer, &header, size, init)
    }
}

impl<T: Element> ArrayOptions<T, Ix1> {
    /// An array of what an iterator gives, gathered in private memory first.
    ///
    /// # Errors
    ///
    /// As [`zeros`](Self::zeros).
    ///
    /// ```
    /// use ndshm_array::SharedArray1;
    ///
    /// # let name = format!("doc.options.from_iter.{}", std::process::id());
    /// let a = SharedArray1::options().name(&name).from_iter((1..4).map(f64::from))?;
    /// assert_eq!(a.read()?.sum(), 6.0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[allow(clippy::wrong_self_convention, reason = "ndarray's name")]
    pub fn from_iter(
        &self,
        elements: impl IntoIterator<Item = T>,
    ) -> Result<SharedArray<T, Ix1>, CreateError> {
        self.from_array(&Array1::from_iter(elements))
    }
}
