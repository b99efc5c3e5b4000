//! How an array to append to is made or opened.

use ndarray::{Array, ArrayRef, Dimension, ShapeBuilder};

use super::AppendArray;
use super::area::AppendArea;
use super::length::{Length, MOST_ROWS};
use crate::array::SharedArray;
use crate::element::Element;
use crate::error::{CreateError, OpenError};
use crate::format::append_offset;
use crate::geometry::{bytes_of, split};
use crate::npy::{HEADER_LEN, NpyHeader, Order};
use crate::options::ArrayOptions;
use crate::segment::label;

impl<T, D: Dimension> AppendArray<T, D> {
    /// An anonymous array of no rows, with room for as many as the first axis of `shape` says: `(1000, 3)` for 1000 rows of 3.
    ///
    /// The memory for all of them is reserved: too little of it is an error here, not a fault later.
    ///
    /// # Errors
    ///
    /// [`CreateError`]: `Append` where there is no first axis, the order is column-major, or it is for more than 99,999,999
    /// rows; else as for [`SharedArray::zeros`].
    ///
    /// ```
    /// use ndshm_array::AppendArray2;
    ///
    /// let log = AppendArray2::<f64>::with_capacity((1000, 3))?;
    /// assert_eq!((log.nrows()?, log.capacity()), (0, 1000));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn with_capacity(shape: impl ShapeBuilder<Dim = D>) -> Result<Self, CreateError>
    where
        T: Element,
    {
        Self::options().with_capacity(shape)
    }

    /// How to make or open one otherwise: with a name, in a directory, read-only. To be ended with
    /// [`with_capacity`](ArrayOptions::with_capacity) or [`open_append`](ArrayOptions::open_append).
    ///
    /// ```
    /// use ndshm_array::AppendArray2;
    /// # let name = format!("doc.append.options.{}", std::process::id());
    /// let log = AppendArray2::<f32>::options().name(&name).with_capacity((1000, 2))?;
    /// assert!(log.path().unwrap().exists()); // numpy.load reads it there
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn options() -> ArrayOptions<T, D>
    where
        T: Element,
    {
        ArrayOptions::new()
    }

    /// Opens the array of that name, to append and read.
    ///
    /// # Errors
    ///
    /// [`OpenError`]: `Append` where it is one that is not appended to; else as for [`SharedArray::open`].
    ///
    /// # Safety
    ///
    /// As [`SharedArray::open`].
    ///
    /// ```
    /// use ndarray::arr1;
    /// use ndshm_array::AppendArray1;
    ///
    /// # let name = format!("doc.append.open.{}", std::process::id());
    /// let made = AppendArray1::<f64>::options().name(&name).with_capacity(1000)?;
    /// // In another program, which is given the name:
    /// // SAFETY: all who write to it do so through ndshm.
    /// let opened = unsafe { AppendArray1::<f64>::open(&name)? };
    /// opened.append(&arr1(&[0.5]))?;
    /// assert_eq!(made.nrows()?, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub unsafe fn open(name: &str) -> Result<Self, OpenError>
    where
        T: Element,
    {
        // SAFETY: the caller's promise, handed on.
        unsafe { Self::options().open_append(name) }
    }
}

impl<T: Element, D: Dimension> AppendArray<T, D> {
    /// The array as one to append to, if it is.
    pub(super) fn of(array: &SharedArray<T, D>) -> Result<Self, OpenError> {
        let buffer = array.segment().buffer();
        let refused = |why| Err(OpenError::Append { segment: label(buffer), why });
        let Some(capacity) = Self::capacity_of(array) else {
            return refused("it was made without a capacity; open it as a SharedArray");
        };
        let mut shape = array.shape().to_vec();
        let possible = shape.first_mut().is_some_and(|rows| {
            let there = std::mem::replace(rows, capacity);
            (there..=MOST_ROWS).contains(&capacity) && array.order() == Order::C
        });
        let data_len = array.segment().places().data_len;
        if !possible || !bytes_of(size_of::<T>(), &shape).is_ok_and(|needed| needed <= data_len) {
            return refused("the capacity that it names is not possible; make it anew");
        }
        let inner = array.with_rows(shape[0]);
        let header = NpyHeader { dtype: T::DTYPE.clone(), order: Order::C, shape };
        let (Some(field), Ok(mut expected)) = (header.slowest_axis_field(), header.encode()) else {
            return refused("it has more rows than can be appended");
        };
        let mut found = [0; HEADER_LEN];
        let read = buffer.read_at(0, &mut found);
        // All but the number, which may change meanwhile, is as it was written when the array was made.
        expected[field.clone()].fill(0);
        found[field.clone()].fill(0);
        if read.is_err() || expected != found {
            return refused("another program wrote its header anew; make it anew");
        }
        let length = Length { offset: field.start, capacity: inner.nrows() };
        Ok(Self { inner, length })
    }

    /// What the segment says of the capacity, whatever it is; `None` where rows are not appended to that array.
    fn capacity_of(array: &SharedArray<T, D>) -> Option<usize> {
        let capacity = array.segment().append_area(array.ndim())?.capacity()?;
        Some(usize::try_from(capacity).unwrap_or(usize::MAX))
    }

    /// Whether rows may be appended to that array.
    pub(crate) fn is_made_of(array: &SharedArray<T, D>) -> bool {
        Self::capacity_of(array).is_some()
    }
}

impl<T: Element, D: Dimension> ArrayOptions<T, D> {
    /// An array of no rows to [append to](AppendArray), with room for as many as the first axis of `shape` says.
    ///
    /// # Errors
    ///
    /// As [`AppendArray::with_capacity`]; the name is taken or not valid.
    ///
    /// ```
    /// use ndshm_array::AppendArray2;
    ///
    /// # let name = format!("doc.options.with_capacity.{}", std::process::id());
    /// let log = AppendArray2::<f64>::options().name(&name).with_capacity((1000, 3))?;
    /// assert_eq!((log.capacity(), log.row_shape()), (1000, &[3][..]));
    /// # Ok::<(), ndshm_array::CreateError>(())
    /// ```
    pub fn with_capacity(
        &self,
        shape: impl ShapeBuilder<Dim = D>,
    ) -> Result<AppendArray<T, D>, CreateError> {
        let (dim, order) = split::<T, D>(shape)?;
        if order == Order::F {
            let (shape, why) = (dim.slice().to_vec(), "only row-major arrays are; leave out .f()");
            return Err(CreateError::Append { shape, why });
        }
        let mut none = dim.clone();
        none.slice_mut().iter_mut().take(1).for_each(|rows| *rows = 0);
        if none.ndim() == 0 {
            let why = "it has no axis; give it one";
            return Err(CreateError::Append { shape: Vec::new(), why });
        }
        self.with_capacity_from(dim[0], &Array::from_shape_fn(none, |_| T::zeroed()))
    }

    /// An array to [append to](AppendArray) that begins with a copy of these rows and has room for `capacity` in all. Nobody
    /// sees it before they are there.
    ///
    /// # Errors
    ///
    /// As [`with_capacity`](Self::with_capacity); `Append` also where there are more rows than that.
    ///
    /// ```
    /// use ndarray::arr2;
    /// use ndshm_array::AppendArray2;
    ///
    /// # let name = format!("doc.options.with_capacity_from.{}", std::process::id());
    /// let log = AppendArray2::options().name(&name).with_capacity_from(1000, &arr2(&[[1, 2, 3]]))?;
    /// assert_eq!(log.append(&arr2(&[[4, 5, 6]]))?, 1..2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn with_capacity_from(
        &self,
        capacity: usize,
        rows: &ArrayRef<T, D>,
    ) -> Result<AppendArray<T, D>, CreateError> {
        let mut room = rows.raw_dim();
        let why = match room.slice_mut().first_mut() {
            None => Some("it has no axis; give it one"),
            Some(there) if *there > capacity => Some("there are more rows than that already"),
            Some(_) if capacity > MOST_ROWS => {
                Some("its header has room for 99999999 rows at most")
            }
            Some(there) => {
                *there = capacity;
                None
            }
        };
        if let Some(why) = why {
            let shape = [capacity].into_iter().chain(rows.shape().iter().skip(1).copied());
            return Err(CreateError::Append { shape: shape.collect(), why });
        }
        let (size, there) = (bytes_of(size_of::<T>(), room.slice())?, rows.raw_dim());
        let segment = self.make_segment(size, there.slice(), Order::C, |file, at| {
            let area = at.control_offset + append_offset(there.ndim());
            let head = AppendArea::head(capacity);
            file[area..][..head.len()].copy_from_slice(&head);
            let data = bytemuck::cast_slice_mut(&mut file[at.data_offset..][..at.data_len]);
            data.iter_mut().zip(rows.view().into_dyn()).for_each(|(to, from)| *to = *from);
            Ok::<(), CreateError>(())
        })?;
        let array = SharedArray::from_parts(segment, there, Order::C);
        AppendArray::of(&array).map_err(|e| CreateError::System(std::io::Error::other(e)))
    }

    /// Opens the array of that name to append to it, in the directory and the mode that these options say. A shape that
    /// they [expect](Self::expect_shape) is that with the capacity.
    ///
    /// # Errors
    ///
    /// As [`AppendArray::open`].
    ///
    /// # Safety
    ///
    /// As [`SharedArray::open`].
    ///
    /// ```
    /// use ndarray::arr1;
    /// use ndshm_array::{AppendArray1, OpenError};
    ///
    /// # let dir = tempfile::tempdir()?;
    /// let options = AppendArray1::<f64>::options().dir(dir.path());
    /// let log = options.clone().name("log").with_capacity(1000)?;
    /// // SAFETY: all who write to it do so through ndshm.
    /// let reader = unsafe { options.clone().read_only(true).open_append("log")? };
    /// log.append(&arr1(&[0.5]))?;
    /// assert_eq!(reader.nrows()?, 1);
    ///
    /// let fixed = options.clone().name("fixed").zeros(4)?;
    /// // SAFETY: as above.
    /// let refused = unsafe { options.open_append("fixed") };
    /// assert!(matches!(refused, Err(OpenError::Append { .. })));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub unsafe fn open_append(&self, name: &str) -> Result<AppendArray<T, D>, OpenError> {
        // SAFETY: the caller's promise, handed on.
        let array = AppendArray::of(&unsafe { self.attach(name) }?)?;
        let inner = self.expected(array.inner)?;
        Ok(AppendArray { inner, ..array })
    }
}
