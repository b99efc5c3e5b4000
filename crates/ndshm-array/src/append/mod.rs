//! Arrays that grow: rows are appended, by any number of processes, up to a capacity.

mod area;
mod create;
mod error;
mod handle;
mod length;

use std::fmt;
use std::ops::Range;
use std::path::Path;
use std::time::{Duration, Instant};

use ndarray::{ArrayRef, Axis, Dimension, Ix1, Ix2, Ix3, Slice};
use ndshm_buffer::{PersistError, RemoveError};
use ndshm_sync::NotAcquired;

pub(crate) use area::AppendArea;
pub use error::{AppendError, LengthError};
pub use handle::AppendHandle;
use length::Length;

use crate::array::SharedArray;
use crate::element::Element;

/// How long a waiter sleeps before it looks by itself: an appender that dies between its two last steps wakes nobody.
const SLICE: Duration = Duration::from_millis(40);

/// A shared array that grows along its first axis: any number of processes append rows, up to a capacity.
///
/// The rows that are there are an ordinary array at every moment: [`current`](Self::current) gives it, another program opens the name as
/// a [`SharedArray`], NumPy loads the file, and each sees the rows that are there then. Rows that are there stay where they
/// are, and no append waits for those who read them, or the other way round.
///
/// An [append](Self::append) is all or nothing: an appender that is killed has appended its rows, or none of them, and
/// there is nothing to mend. The memory for the whole capacity is reserved when the array is made.
///
/// In row-major order only. A handle, as `SharedArray` is: [`Clone`] gives another to the same memory; serialising it,
/// or its name, brings it to another process.
///
/// ```
/// use ndarray::arr2;
/// use ndshm_array::AppendArray2;
///
/// let log = AppendArray2::<f64>::with_capacity((1000, 3))?; // room for 1000 rows of 3
/// assert_eq!(log.append(&arr2(&[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]))?, 0..2);
/// std::thread::scope(|s| {
///     for x in [7.0, 8.0] {
///         let log = &log; // another process would have a handle of its own
///         s.spawn(move || log.append(&arr2(&[[x; 3]])).unwrap());
///     }
/// });
/// let rows = log.current()?; // the array of what is there now
/// assert_eq!((rows.dim(), rows.read()?.sum()), ((4, 3), 66.0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct AppendArray<T, D> {
    /// # Invariants
    ///
    /// 1. Of as many rows as there is room for, in C order; those behind the number in the header are referred to by the
    ///    holder of the lock of appenders alone.
    /// 2. Has the area that appenders need.
    inner: SharedArray<T, D>,
    length: Length,
}

/// An [`AppendArray`] of one dimension.
///
/// ```
/// let log = ndshm_array::AppendArray1::<f64>::with_capacity(1000)?;
/// assert_eq!(log.append(&ndarray::arr1(&[0.5, 1.5]))?, 0..2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub type AppendArray1<T> = AppendArray<T, Ix1>;
/// An [`AppendArray`] of two dimensions: a table that grows.
///
/// ```
/// let log = ndshm_array::AppendArray2::<f64>::with_capacity((1000, 3))?;
/// assert_eq!(log.append(&ndarray::arr2(&[[1.0, 2.0, 3.0]]))?, 0..1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub type AppendArray2<T> = AppendArray<T, Ix2>;
/// An [`AppendArray`] of three dimensions: images, one after another.
///
/// ```
/// let frames = ndshm_array::AppendArray3::<u8>::with_capacity((100, 4, 6))?;
/// assert_eq!(frames.append(&ndarray::Array3::zeros((2, 4, 6)))?, 0..2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub type AppendArray3<T> = AppendArray<T, Ix3>;

impl<T: Element, D: Dimension> AppendArray<T, D> {
    /// Appends rows, and says which they are now. Waits for other appenders as long as they live; never for readers.
    ///
    /// All of them at once, in their order: nobody ever sees a part of them. What others append comes before or after.
    /// Wakes those who [wait](Self::wait_longer). Costs a lock, the copy, and a system call only where somebody sleeps; so
    /// many rows at once are cheaper than one by one.
    ///
    /// # Errors
    ///
    /// [`AppendError`]: `Full`, `Shape`, `Length`, `ReadOnly`, `Forked`. Nothing was appended then.
    ///
    /// ```
    /// use ndarray::{arr1, arr2};
    /// use ndshm_array::{AppendArray2, AppendError};
    ///
    /// let log = AppendArray2::<f64>::with_capacity((1000, 3))?;
    /// assert_eq!(log.append(&arr2(&[[1.0; 3], [2.0; 3]]))?, 0..2);
    /// assert!(matches!(log.append(&arr2(&[[1.0; 4]])), Err(AppendError::Shape { .. })));
    /// assert_eq!(log.nrows()?, 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn append(&self, rows: &ArrayRef<T, D>) -> Result<Range<usize>, AppendError> {
        self.append_within(rows, None)
    }

    /// As [`append`](Self::append), but waits for other appenders at most `timeout`, on the monotonic clock; a zero one looks
    /// once.
    ///
    /// # Errors
    ///
    /// As [`append`](Self::append), and `Busy` when the time is up.
    ///
    /// ```
    /// use std::time::Duration;
    /// use ndarray::arr1;
    /// use ndshm_array::AppendArray1;
    ///
    /// let log = AppendArray1::<f64>::with_capacity(1000)?;
    /// assert_eq!(log.append_timeout(&arr1(&[0.5]), Duration::from_secs(1))?, 0..1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn append_timeout(
        &self,
        rows: &ArrayRef<T, D>,
        timeout: Duration,
    ) -> Result<Range<usize>, AppendError> {
        self.append_within(rows, Some(timeout))
    }

    fn append_within(
        &self,
        rows: &ArrayRef<T, D>,
        timeout: Option<Duration>,
    ) -> Result<Range<usize>, AppendError> {
        let segment = self.inner.segment();
        let members = segment.members().ok_or(AppendError::ReadOnly)?;
        let (row, found) = (self.row_shape(), rows.shape());
        if found.get(1..) != Some(row) {
            let found = found.get(1..).unwrap_or_default().to_vec();
            return Err(AppendError::Shape { expected: row.to_vec(), found });
        }
        let area = segment.append_area(self.inner.ndim()).expect("it is there (inner invariant 2)");
        let locked = area.lock(members, timeout).map_err(|e| match e {
            NotAcquired::Forked => AppendError::Forked,
            NotAcquired::Held(by) => AppendError::Busy { by: by.map(|by| members.describe(by)) },
        })?;
        let (there, asked, capacity) = (self.nrows()?, rows.len_of(Axis(0)), self.capacity());
        if asked > capacity - there {
            return Err(AppendError::Full { capacity, rows: there, asked });
        }
        let added = there..there + asked;
        let mut room = self.inner.raw_view();
        room.slice_axis_inplace(Axis(0), Slice::from(added.clone()));
        // SAFETY: mapped read-write, since this process is a member; behind the number in the header, and the lock is held, so
        // nobody else refers to these rows (inner invariant 1).
        unsafe { room.deref_into_view_mut() }.assign(rows);
        if asked > 0 {
            self.length.store(segment.buffer(), added.end);
        }
        drop(locked);
        if asked > 0 {
            // Only a fork is in the way of it, which the lock has ruled out.
            self.inner.publish().map_err(|_| AppendError::Forked)?;
        }
        Ok(added)
    }

    /// How many rows there are now. One load; in an array opened read-only, too.
    ///
    /// # Errors
    ///
    /// [`LengthError`]: the header was damaged.
    ///
    /// ```
    /// let log = ndshm_array::AppendArray1::<f64>::with_capacity(1000)?;
    /// log.append(&ndarray::arr1(&[0.5, 1.5]))?;
    /// assert_eq!((log.nrows()?, log.capacity()), (2, 1000));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn nrows(&self) -> Result<usize, LengthError> {
        self.length.load(self.inner.segment().buffer())
    }

    /// How many rows there is room for.
    ///
    /// ```
    /// let log = ndshm_array::AppendArray2::<f64>::with_capacity((1000, 3))?;
    /// assert_eq!(log.capacity(), 1000);
    /// # Ok::<(), ndshm_array::CreateError>(())
    /// ```
    #[must_use]
    pub const fn capacity(&self) -> usize {
        self.length.capacity
    }

    /// Lengths along all axes but the first.
    ///
    /// ```
    /// let frames = ndshm_array::AppendArray3::<u8>::with_capacity((100, 4, 6))?;
    /// assert_eq!(frames.row_shape(), [4, 6]);
    /// # Ok::<(), ndshm_array::CreateError>(())
    /// ```
    #[must_use]
    pub fn row_shape(&self) -> &[usize] {
        &self.inner.shape()[1..]
    }

    /// The array of the rows that are there now, with all that an array has: claims, snapshots, saving. It stays that long;
    /// ask again for what was appended since. Costs no system call.
    ///
    /// Claims of its rows, to write too, are of the one table that all who have the array use, and keep no appender
    /// waiting.
    ///
    /// # Errors
    ///
    /// [`LengthError`]: the header was damaged.
    ///
    /// ```
    /// use ndarray::arr1;
    /// use ndshm_array::AppendArray1;
    ///
    /// let log = AppendArray1::<f64>::with_capacity(1000)?;
    /// log.append(&arr1(&[0.5, 1.5]))?;
    /// let rows = log.current()?;
    /// let read = rows.read()?;
    /// log.append(&arr1(&[2.5]))?; // does not wait for readers
    /// assert_eq!(read.sum(), 2.0);
    /// assert_eq!(log.current()?.claim(1..)?.sum(), 4.0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn current(&self) -> Result<SharedArray<T, D>, LengthError> {
        Ok(self.inner.with_rows(self.nrows()?))
    }

    /// Waits until there are more than `rows` rows, for at most `timeout` on the monotonic clock; a zero one looks once. How
    /// many there are then, `None` when the time is up.
    ///
    /// # Errors
    ///
    /// [`AppendError`]: `Length`, `Forked`.
    ///
    /// ```
    /// use std::time::Duration;
    /// use ndarray::arr1;
    /// use ndshm_array::AppendArray1;
    ///
    /// let log = AppendArray1::<f64>::with_capacity(1000)?;
    /// std::thread::scope(|s| {
    ///     s.spawn(|| log.append(&arr1(&[0.5, 1.5])).unwrap());
    ///     assert_eq!(log.wait_longer(0, Duration::from_secs(10)).unwrap(), Some(2));
    /// });
    /// assert_eq!(log.wait_longer(2, Duration::ZERO)?, None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn wait_longer(
        &self,
        rows: usize,
        timeout: Duration,
    ) -> Result<Option<usize>, AppendError> {
        let deadline = Instant::now().checked_add(timeout);
        loop {
            // Before the look at the length: what is published after it ends the wait.
            let version = self.inner.version();
            let there = self.nrows()?;
            if there > rows {
                return Ok(Some(there));
            }
            let left = deadline
                .map_or(SLICE, |at| at.saturating_duration_since(Instant::now()).min(SLICE));
            let newer = self.inner.wait_newer(version, left).map_err(|_| AppendError::Forked)?;
            if newer.is_none() && left < SLICE {
                return Ok(Some(self.nrows()?).filter(|&there| there > rows));
            }
        }
    }

    /// The name, unless it is anonymous.
    ///
    /// ```
    /// # let name = format!("doc.append.name.{}", std::process::id());
    /// let log = ndshm_array::AppendArray1::<f64>::options().name(&name).with_capacity(1000)?;
    /// assert_eq!(log.name(), Some(&*name));
    /// # Ok::<(), ndshm_array::CreateError>(())
    /// ```
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.inner.name()
    }

    /// The file that other programs open, NumPy for one; `None` of an anonymous one.
    ///
    /// ```
    /// # let name = format!("doc.append.path.{}", std::process::id());
    /// let log = ndshm_array::AppendArray1::<f64>::options().name(&name).with_capacity(1000)?;
    /// assert!(log.path().unwrap().exists());
    /// # Ok::<(), ndshm_array::CreateError>(())
    /// ```
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.inner.path()
    }

    /// Whether it was opened read-only.
    ///
    /// ```
    /// # let name = format!("doc.append.read_only.{}", std::process::id());
    /// use ndarray::arr1;
    /// use ndshm_array::{AppendArray1, AppendError};
    ///
    /// let log = AppendArray1::<f64>::options().name(&name).with_capacity(1000)?;
    /// // SAFETY: all who write to it do so through ndshm.
    /// let reader = unsafe { AppendArray1::<f64>::options().read_only(true).open_append(&name)? };
    /// assert!(reader.is_read_only());
    /// assert!(matches!(reader.append(&arr1(&[0.5])), Err(AppendError::ReadOnly)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        self.inner.is_read_only()
    }

    /// Keeps the name when the process that made the array is done with it, as [`SharedArray::persist`].
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// ```
    /// # let dir = tempfile::tempdir()?;
    /// let options = ndshm_array::AppendArray1::<f64>::options().dir(dir.path());
    /// let log = options.clone().name("log").with_capacity(1000)?;
    /// log.persist()?;
    /// drop(log);
    /// options.remove("log")?; // it was still there
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn persist(&self) -> Result<(), PersistError> {
        self.inner.persist()
    }

    /// Removes the name now, as [`SharedArray::unlink`].
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// ```
    /// # let name = format!("doc.append.unlink.{}", std::process::id());
    /// let log = ndshm_array::AppendArray1::<f64>::options().name(&name).with_capacity(1000)?;
    /// assert!(log.unlink()?);
    /// log.append(&ndarray::arr1(&[0.5]))?; // who has it keeps it
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn unlink(&self) -> Result<bool, RemoveError> {
        self.inner.unlink()
    }
}

/// Another handle to the same memory, in this process.
impl<T, D: Clone> Clone for AppendArray<T, D> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), length: self.length }
    }
}

/// Element type, capacity, rows and name, and no data.
impl<T: Element, D: Dimension> fmt::Debug for AppendArray<T, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AppendArray")
            .field("dtype", &format_args!("{}", T::DTYPE))
            .field("capacity", &self.capacity())
            .field("rows", &self.nrows().ok())
            .field("row_shape", &self.row_shape())
            .field("name", &self.name())
            .finish_non_exhaustive()
    }
}
