//! How an array is made or opened.

use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ndarray::{Array, ArrayRef, Dimension, ShapeBuilder};
use ndshm_buffer::{BufferOptions, SharedBuffer};

use crate::array::SharedArray;
use crate::element::Element;
use crate::error::{CreateError, LoadError, OpenError};
use crate::format::{FOOTER_LEN, Footer, Kind, Places};
use crate::handle::check_header;
use crate::npy::{NpyFile, NpyHeader, Order};
use crate::segment::{AttachError, Segment};

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
    array: PhantomData<fn() -> (T, D)>,
}

impl<T: Element, D: Dimension> ArrayOptions<T, D> {
    pub(crate) fn new() -> Self {
        Self { name: None, buffer: SharedBuffer::options(), array: PhantomData }
    }

    /// Makes what is made under a name: `[A-Za-z0-9._-]`, at most 200 of them. The file is
    /// `ndshm.NAME` in the directory.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// The directory of names, on a memory file system: else `NDSHM_DIR`, or /dev/shm.
    #[must_use]
    pub fn dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.buffer = self.buffer.dir(dir);
        self
    }

    /// Keeps the name when the array that was made is dropped.
    #[must_use]
    pub fn persist(mut self, persist: bool) -> Self {
        self.buffer = self.buffer.persist(persist);
        self
    }

    /// Opens read-only, by the page tables. A claim is written into the segment, so what is left
    /// is the raw tier.
    #[must_use]
    pub fn read_only(mut self, read_only: bool) -> Self {
        self.buffer = self.buffer.read_only(read_only);
        self
    }

    /// An array of zeros.
    ///
    /// # Errors
    ///
    /// [`CreateError`].
    pub fn zeros(
        &self,
        shape: impl ShapeBuilder<Dim = D>,
    ) -> Result<SharedArray<T, D>, CreateError> {
        let (dim, order) = split::<T, D>(shape)?;
        self.make(dim, order, |_| Ok::<(), CreateError>(()))
    }

    /// An array filled with `element`.
    ///
    /// # Errors
    ///
    /// [`CreateError`].
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

    /// A copy of an ordinary array, in the same order; in C order where it has neither.
    ///
    /// # Errors
    ///
    /// [`CreateError`].
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

    /// A copy of an `.npy` file of the same element type and number of dimensions, in the file's
    /// order.
    ///
    /// # Errors
    ///
    /// [`LoadError`]: the file cannot be read or holds something else, or the array cannot be made.
    pub fn load(&self, path: impl AsRef<Path>) -> Result<SharedArray<T, D>, LoadError> {
        let mut file = NpyFile::open(path)?;
        let found = file.dtype();
        if found != T::DTYPE {
            let path = file.path().to_owned();
            return Err(LoadError::Dtype { path, found, expected: T::DTYPE });
        }
        self.load_with(&mut file, |file, data| file.read_into(T::DTYPE.descr(), data))
    }

    fn load_with(
        &self,
        file: &mut NpyFile,
        read: impl FnOnce(&mut NpyFile, &mut [T]) -> Result<(), crate::npy::NpyError>,
    ) -> Result<SharedArray<T, D>, LoadError> {
        let shape = ndarray::IxDyn(&file.header().shape);
        let dim = D::from_dimension(&shape).ok_or_else(|| LoadError::Dimensions {
            path: file.path().to_owned(),
            found: file.header().shape.clone(),
            expected: D::NDIM.unwrap_or_default(),
        })?;
        let order = file.header().order;
        self.make(dim, order, |data| Ok(read(file, data)?))
    }

    /// Opens the array of that name.
    ///
    /// # Errors
    ///
    /// [`OpenError`].
    ///
    /// # Safety
    ///
    /// As [`SharedArray::open`].
    pub unsafe fn open(&self, name: &str) -> Result<SharedArray<T, D>, OpenError> {
        attach(self.buffer.open(name)?)
    }

    /// Makes the segment, has `init` fill the data before anybody else can see it, attaches.
    fn make<E: From<CreateError>>(
        &self,
        dim: D,
        order: Order,
        init: impl FnOnce(&mut [T]) -> Result<(), E>,
    ) -> Result<SharedArray<T, D>, E> {
        let size = bytes_of::<T>(dim.slice())?;
        let header =
            NpyHeader { descr: T::DTYPE.descr().to_owned(), order, shape: dim.slice().to_vec() };
        let header = header.encode().map_err(CreateError::from)?;
        let segment = create(self.name.as_deref(), &self.buffer, Kind::Array, size, |file, at| {
            file[..header.len()].copy_from_slice(&header);
            init(bytemuck::cast_slice_mut(&mut file[at.data_offset..][..at.data_len]))
        })?;
        Ok(SharedArray::from_parts(segment, dim, order))
    }
}

impl<D: Dimension> ArrayOptions<f64, D> {
    /// A copy of an `.npy` file of any real numbers, each made an `f64`; integers beyond 2^53 are
    /// rounded.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load).
    pub fn load_as_f64(&self, path: impl AsRef<Path>) -> Result<SharedArray<f64, D>, LoadError> {
        self.load_with(&mut NpyFile::open(path)?, NpyFile::read_as_f64)
    }
}

/// Makes a segment whole, and attaches to it.
pub(crate) fn create<E: From<CreateError>>(
    name: Option<&str>,
    options: &BufferOptions,
    kind: Kind,
    payload: usize,
    init: impl FnOnce(&mut [u8], &Places) -> Result<(), E>,
) -> Result<Arc<Segment>, E> {
    let places = kind.places(payload).ok_or(CreateError::TooLarge { bytes: payload })?;
    let mut instance = [0; 16];
    crate::instance::fill(&mut instance).map_err(CreateError::from)?;
    let footer = Footer::new(kind, &places, instance);
    let write = |file: &mut [u8]| {
        let end = file.len() - FOOTER_LEN;
        file[end..].copy_from_slice(bytemuck::bytes_of(&footer));
        init(file, &places).map_err(Init)
    };
    let buffer = match name {
        Some(name) => options.try_create_with(name, places.file_len, write),
        None => options.try_anonymous_with(places.file_len, write),
    };
    let buffer = buffer.map_err(|Init(e)| e)?;
    let segment = Segment::attach(buffer, kind).map_err(|e| match e {
        AttachError::Format(e) => CreateError::Format(e),
        AttachError::Join(e) => CreateError::Join(e),
    });
    Ok(segment?)
}

/// What ends the making of a segment: the caller's own error, or that of the buffer made into it.
struct Init<E>(E);

impl<E: From<CreateError>> From<ndshm_buffer::CreateError> for Init<E> {
    fn from(e: ndshm_buffer::CreateError) -> Self {
        Self(CreateError::from(e).into())
    }
}

/// Checks what the segment in `buffer` holds, and attaches.
pub(crate) fn attach<T: Element, D: Dimension>(
    buffer: SharedBuffer,
) -> Result<SharedArray<T, D>, OpenError> {
    let label = match buffer.path() {
        Some(path) => path.display().to_string(),
        None => "the anonymous array".to_owned(),
    };
    let segment = Segment::attach(buffer, Kind::Array).map_err(|e| match e {
        AttachError::Format(source) => OpenError::Format { segment: label.clone(), source },
        AttachError::Join(source) => OpenError::Join { segment: label.clone(), source },
    })?;
    let (dim, order) = check_header::<T, D>(&segment, &label)?;
    Ok(SharedArray::from_parts(segment, dim, order))
}

/// Bytes of an array of that shape.
fn bytes_of<T>(shape: &[usize]) -> Result<usize, CreateError> {
    let overflow = || CreateError::Shape { shape: shape.to_vec() };
    // As ndarray demands: not even the axes that are not empty may overflow together.
    let solid = shape.iter().filter(|&&n| n != 0);
    let solid = solid.copied().try_fold(size_of::<T>(), usize::checked_mul);
    let solid = solid.filter(|&n| isize::try_from(n).is_ok()).ok_or_else(overflow)?;
    Ok(if shape.contains(&0) { 0 } else { solid })
}

/// The dimension and the order that an ndarray shape stands for.
fn split<T, D: Dimension>(shape: impl ShapeBuilder<Dim = D>) -> Result<(D, Order), CreateError> {
    let shape = shape.into_shape_with_order();
    let dim = shape.raw_dim().clone();
    bytes_of::<T>(dim.slice())?;
    // An array of nothings is the one public way to ask a `Shape` for its order.
    let probe = Array::from_shape_vec(shape, bytemuck::zeroed_vec::<()>(dim.size()));
    let c = probe.is_ok_and(|array| array.is_standard_layout());
    Ok((dim, if c { Order::C } else { Order::F }))
}
