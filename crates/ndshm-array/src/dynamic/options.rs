//! How a dynamic array is made or opened.

use std::path::{Path, PathBuf};

use ndshm_buffer::{BufferOptions, Prefault, RemoveError, SharedBuffer};

use super::DynArray;
use crate::error::{CreateError, LoadError, OpenError};
use crate::geometry::bytes_of;
use crate::npy::{Dtype, NpyFile, NpyHeader, Order};
use crate::segment::Segment;

/// How to make or open a [`DynArray`]: from [`DynArray::options`]. As [`ArrayOptions`](crate::ArrayOptions), where each is
/// told more of.
///
/// ```
/// use ndshm_array::{dynamic::DynArray, npy::{Dtype, Order}};
///
/// # let dir = tempfile::tempdir()?;
/// let options = DynArray::options().dir(dir.path());
/// let a = options.clone().name("heat").zeros(Dtype::F64, &[4], Order::C)?;
/// // SAFETY: all who write to it do so through ndshm.
/// let reader = unsafe { options.read_only(true).open("heat")? };
/// assert!(reader.is_read_only());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct DynOptions {
    name: Option<String>,
    buffer: BufferOptions,
}

impl DynOptions {
    pub(super) fn new() -> Self {
        Self { name: None, buffer: SharedBuffer::options() }
    }

    /// Gives a name to what is made.
    ///
    /// ```
    /// # use ndshm_array::{dynamic::DynArray, npy::{Dtype, Order}};
    /// # let name = format!("doc.dynamic.name.{}", std::process::id());
    /// let a = DynArray::options().name(&name).zeros(Dtype::F64, &[4], Order::C)?;
    /// assert_eq!(a.name(), Some(&*name));
    /// # Ok::<(), ndshm_array::CreateError>(())
    /// ```
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// The directory of names.
    ///
    /// ```
    /// # use ndshm_array::{dynamic::DynArray, npy::{Dtype, Order}};
    /// # let dir = tempfile::tempdir()?;
    /// let a = DynArray::options().dir(dir.path()).name("a").zeros(Dtype::F64, &[4], Order::C)?;
    /// assert_eq!(a.path(), Some(&*dir.path().join("ndshm.a")));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.buffer = self.buffer.dir(dir);
        self
    }

    /// Keeps the name when the array that was made is dropped.
    ///
    /// ```
    /// # use ndshm_array::{dynamic::DynArray, npy::{Dtype, Order}};
    /// # let dir = tempfile::tempdir()?;
    /// let options = DynArray::options().dir(dir.path());
    /// drop(options.clone().name("a").persist(true).zeros(Dtype::F64, &[4], Order::C)?);
    /// options.remove("a")?; // it was still there
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn persist(mut self, persist: bool) -> Self {
        self.buffer = self.buffer.persist(persist);
        self
    }

    /// Opens read-only, by the page tables.
    ///
    /// ```
    /// # use ndshm_array::{dynamic::DynArray, npy::{Dtype, Order}};
    /// let made = DynArray::options().read_only(true).zeros(Dtype::F64, &[4], Order::C);
    /// assert!(made.is_err()); // to make one so is an error
    /// ```
    #[must_use]
    pub fn read_only(mut self, read_only: bool) -> Self {
        self.buffer = self.buffer.read_only(read_only);
        self
    }

    /// Has the memory got before anyone uses it.
    ///
    /// ```
    /// # use ndshm_array::{Prefault, dynamic::DynArray, npy::{Dtype, Order}};
    /// let options = DynArray::options().prefault(Prefault::pages());
    /// assert_eq!(options.zeros(Dtype::F64, &[4096], Order::C)?.prefaulted().reserved, 0);
    /// # Ok::<(), ndshm_array::CreateError>(())
    /// ```
    #[must_use]
    pub fn prefault(mut self, prefault: Prefault) -> Self {
        self.buffer = self.buffer.prefault(prefault);
        self
    }

    /// An array of zeros.
    ///
    /// # Errors
    ///
    /// [`CreateError`].
    ///
    /// ```
    /// # use ndshm_array::{dynamic::DynArray, npy::{Dtype, Order}};
    /// let a = DynArray::options().zeros(Dtype::C64, &[4, 3], Order::F)?;
    /// assert_eq!(a.strides(), [8, 32]);
    /// # Ok::<(), ndshm_array::CreateError>(())
    /// ```
    pub fn zeros(
        &self,
        dtype: Dtype,
        shape: &[usize],
        order: Order,
    ) -> Result<DynArray, CreateError> {
        self.make(dtype, shape, order, |_| Ok(()))
    }

    /// An array whose bytes `fill` writes, in the order of the elements in memory; nobody sees it before it is done.
    ///
    /// # Errors
    ///
    /// [`CreateError`], of this or of `fill`.
    ///
    /// ```
    /// # use ndshm_array::{dynamic::DynArray, npy::{Dtype, Order}};
    /// let a = DynArray::options().make(Dtype::U8, &[4], Order::C, |bytes| {
    ///     bytes.fill(7);
    ///     Ok::<(), ndshm_array::CreateError>(())
    /// })?;
    /// # Ok::<(), ndshm_array::CreateError>(())
    /// ```
    pub fn make<E: From<CreateError>>(
        &self,
        dtype: Dtype,
        shape: &[usize],
        order: Order,
        fill: impl FnOnce(&mut [u8]) -> Result<(), E>,
    ) -> Result<DynArray, E> {
        let size = bytes_of(dtype.size(), shape)?;
        let header = NpyHeader { dtype, order, shape: shape.to_vec() };
        let segment =
            Segment::of_array(self.name.as_deref(), &self.buffer, &header, size, |file, at| {
                fill(&mut file[at.data_offset..][..size])
            })?;
        Ok(DynArray::from_parts(segment, header))
    }

    /// An array with the contents of an `.npy` file, of whatever type it is.
    ///
    /// # Errors
    ///
    /// [`LoadError`].
    ///
    /// ```
    /// # use ndshm_array::{SharedArray1, dynamic::DynArray};
    /// # let dir = tempfile::tempdir()?;
    /// # let path = dir.path().join("a.npy");
    /// SharedArray1::from_iter([7_u16, 8])?.save(&path)?;
    /// assert_eq!(DynArray::options().load(&path)?.dtype().name(), "uint16");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn load(&self, path: impl AsRef<Path>) -> Result<DynArray, LoadError> {
        let mut file = NpyFile::open(path)?;
        let NpyHeader { dtype, order, shape } = file.header().clone();
        self.make(dtype, &shape, order, |bytes| Ok(file.read_bytes(bytes, |_| ())?))
    }

    /// Opens the array of that name, of whatever type it is.
    ///
    /// # Errors
    ///
    /// [`OpenError`].
    ///
    /// # Safety
    ///
    /// As [`SharedArray::open`](crate::SharedArray::open).
    ///
    /// ```
    /// # use ndshm_array::{SharedArray1, dynamic::DynArray};
    /// # let name = format!("doc.dynamic.open.{}", std::process::id());
    /// let a = SharedArray1::<f32>::options().name(&name).zeros(5)?;
    /// // SAFETY: all who write to it do so through ndshm.
    /// assert_eq!(unsafe { DynArray::options().open(&name)? }.shape(), [5]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub unsafe fn open(&self, name: &str) -> Result<DynArray, OpenError> {
        // SAFETY: the caller's promise; what this crate does with a segment is what its kind demands.
        let buffer = unsafe { self.buffer.open_typed(name) }?;
        DynArray::attach(buffer)
    }

    /// Removes that name, whoever made the array.
    ///
    /// # Errors
    ///
    /// There is no such name, or what it leads to is refused.
    ///
    /// ```
    /// # use ndshm_array::dynamic::DynArray;
    /// assert!(DynArray::options().remove("doc.dynamic.remove.nothing").is_err());
    /// ```
    pub fn remove(&self, name: &str) -> Result<(), RemoveError> {
        self.buffer.remove(name)
    }
}
