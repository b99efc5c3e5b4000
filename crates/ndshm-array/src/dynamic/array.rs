//! The array.

use std::fmt;
use std::ops::RangeBounds;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ndarray::{Dimension, SliceInfoElem};
use ndshm_buffer::{PersistError, Prefault, Prefaulted, RemoveError, SharedBuffer};

use super::place::Place;
use super::{DynClaim, DynHandle, DynOptions};
use crate::array::SharedArray;
use crate::claim::{Mode, Patience, Selection};
use crate::claims::{ClaimResult, outside};
use crate::element::Element;
use crate::error::{OpenError, PrefaultError, SaveError};
use crate::format::Kind;
use crate::geometry;
use crate::npy::{Dtype, NpyHeader, Order, write_npy};
use crate::segment::{Segment, label};

/// An array whose element type is known only when the program runs. Clones are handles to the same memory.
///
/// ```
/// use ndshm_array::{dynamic::DynArray, npy::{Dtype, Order}};
///
/// let a = DynArray::options().zeros(Dtype::F64, &[2, 3], Order::C)?;
/// assert_eq!((a.dtype(), a.shape(), a.nbytes()), (&Dtype::F64, &[2, 3][..], 48));
/// # Ok::<(), ndshm_array::CreateError>(())
/// ```
#[derive(Clone)]
pub struct DynArray(pub(super) Arc<Inner>);

/// What claims refer to, so that it does not move.
///
/// # Invariants
///
/// 1. The elements of `header` fit into the data of `segment`.
pub(super) struct Inner {
    pub(super) segment: Arc<Segment>,
    pub(super) header: NpyHeader,
}

impl DynArray {
    /// The header is that of the segment, or of a part of its rows (invariant 1).
    pub(super) fn from_parts(segment: Arc<Segment>, header: NpyHeader) -> Self {
        Self(Arc::new(Inner { segment, header }))
    }

    pub(super) fn attach(buffer: SharedBuffer) -> Result<Self, OpenError> {
        let label = label(&buffer);
        let segment = Segment::attach(buffer, Kind::Array).map_err(|e| e.of(label.clone()))?;
        let header = geometry::header_of(&segment, &label, None)?;
        Ok(Self::from_parts(segment, header))
    }

    pub(super) fn segment(&self) -> &Segment {
        &self.0.segment
    }

    /// Whether rows are appended to it.
    pub(super) fn grows(&self) -> bool {
        let area = self.segment().append_area(self.shape().len());
        area.is_some_and(|area| area.capacity().is_some())
    }

    /// So many of its rows, the first ones.
    pub(super) fn with_rows(&self, rows: usize) -> Self {
        let mut header = self.0.header.clone();
        header.shape[0] = rows;
        Self::from_parts(Arc::clone(&self.0.segment), header)
    }

    /// How to make or open one.
    ///
    /// ```
    /// use ndshm_array::{dynamic::DynArray, npy::{Dtype, Order}};
    ///
    /// # let name = format!("doc.dynamic.options.{}", std::process::id());
    /// let made = DynArray::options().name(&name).zeros(Dtype::I32, &[5], Order::C)?;
    /// // SAFETY: all who write to it do so through ndshm.
    /// let opened = unsafe { DynArray::options().open(&name)? };
    /// assert_eq!(opened.dtype(), made.dtype());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn options() -> DynOptions {
        DynOptions::new()
    }

    /// The element type.
    ///
    /// ```
    /// # use ndshm_array::{SharedArray1, dynamic::DynArray};
    /// let a = DynArray::from(SharedArray1::<u16>::zeros(3)?);
    /// assert_eq!(a.dtype().name(), "uint16");
    /// # Ok::<(), ndshm_array::CreateError>(())
    /// ```
    #[must_use]
    pub fn dtype(&self) -> &Dtype {
        &self.0.header.dtype
    }

    /// Lengths along the axes.
    ///
    /// ```
    /// # use ndshm_array::{SharedArray2, dynamic::DynArray};
    /// let a = DynArray::from(SharedArray2::<u16>::zeros((3, 4))?);
    /// assert_eq!(a.shape(), [3, 4]);
    /// # Ok::<(), ndshm_array::CreateError>(())
    /// ```
    #[must_use]
    pub fn shape(&self) -> &[usize] {
        &self.0.header.shape
    }

    /// In which order the elements lie.
    ///
    /// ```
    /// # use ndshm_array::{SharedArray2, dynamic::DynArray, npy::Order};
    /// use ndarray::ShapeBuilder;
    ///
    /// let a = DynArray::from(SharedArray2::<u16>::zeros((3, 4).f())?);
    /// assert_eq!(a.order(), Order::F);
    /// # Ok::<(), ndshm_array::CreateError>(())
    /// ```
    #[must_use]
    pub fn order(&self) -> Order {
        self.0.header.order
    }

    /// How far apart neighbours along each axis are, in bytes.
    ///
    /// ```
    /// # use ndshm_array::{SharedArray2, dynamic::DynArray};
    /// let a = DynArray::from(SharedArray2::<u16>::zeros((3, 4))?);
    /// assert_eq!(a.strides(), [8, 2]);
    /// # Ok::<(), ndshm_array::CreateError>(())
    /// ```
    #[must_use]
    pub fn strides(&self) -> Vec<usize> {
        let mut strides = vec![0; self.shape().len()];
        let mut next = self.dtype().size();
        let mut lay = |(stride, &len): (&mut usize, &usize)| {
            *stride = next;
            // No axis is longer than memory, nor are all of them together (invariant 1), unless there is nothing.
            next = next.saturating_mul(len.max(1));
        };
        let axes = strides.iter_mut().zip(self.shape());
        match self.order() {
            Order::C => axes.rev().for_each(&mut lay),
            Order::F => axes.for_each(&mut lay),
        }
        strides
    }

    /// Bytes of all elements.
    ///
    /// ```
    /// # use ndshm_array::{SharedArray2, dynamic::DynArray};
    /// let a = DynArray::from(SharedArray2::<u16>::zeros((3, 4))?);
    /// assert_eq!(a.nbytes(), 24);
    /// # Ok::<(), ndshm_array::CreateError>(())
    /// ```
    #[must_use]
    pub fn nbytes(&self) -> usize {
        // It fits (invariant 1).
        self.0.header.data_bytes().unwrap_or_default()
    }

    /// Where the elements begin. Nothing is claimed: for code that has a protocol of its own, or reads what was opened read-only.
    /// The address is good as long as a handle or a claim of the array lives; of one that is read-only, a write there is a fault.
    ///
    /// ```
    /// # use ndshm_array::{SharedArray1, dynamic::DynArray};
    /// let a = DynArray::from(SharedArray1::from_iter([7_u16, 8])?);
    /// // SAFETY: of that type, and no other process or thread has the array.
    /// assert_eq!(unsafe { *a.as_ptr().cast::<u16>() }, 7);
    /// # Ok::<(), ndshm_array::CreateError>(())
    /// ```
    #[must_use]
    pub fn as_ptr(&self) -> *mut u8 {
        self.segment().data().as_ptr()
    }

    /// The name, if it has one.
    ///
    /// ```
    /// # use ndshm_array::{SharedArray1, dynamic::DynArray};
    /// assert_eq!(DynArray::from(SharedArray1::<u8>::zeros(1)?).name(), None);
    /// # Ok::<(), ndshm_array::CreateError>(())
    /// ```
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.segment().buffer().name()
    }

    /// The file, if it has a name.
    ///
    /// ```
    /// # use ndshm_array::{SharedArray1, dynamic::DynArray};
    /// assert_eq!(DynArray::from(SharedArray1::<u8>::zeros(1)?).path(), None);
    /// # Ok::<(), ndshm_array::CreateError>(())
    /// ```
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.segment().buffer().path()
    }

    /// Whether it was opened read-only.
    ///
    /// ```
    /// # use ndshm_array::{SharedArray1, dynamic::DynArray};
    /// assert!(!DynArray::from(SharedArray1::<u8>::zeros(1)?).is_read_only());
    /// # Ok::<(), ndshm_array::CreateError>(())
    /// ```
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        self.segment().buffer().is_read_only()
    }

    /// Whether this process opened it, rather than one that it was forked from: only then can it claim.
    ///
    /// ```
    /// # use ndshm_array::{SharedArray1, dynamic::DynArray};
    /// assert!(DynArray::from(SharedArray1::<u8>::zeros(1)?).is_mine());
    /// # Ok::<(), ndshm_array::CreateError>(())
    /// ```
    #[must_use]
    pub fn is_mine(&self) -> bool {
        self.segment().members().is_none_or(ndshm_sync::Members::is_mine)
    }

    /// Keeps the name when its maker is dropped: as [`SharedArray::persist`].
    ///
    /// # Errors
    ///
    /// It has none.
    ///
    /// ```
    /// # use ndshm_array::{SharedArray1, dynamic::DynArray};
    /// assert!(DynArray::from(SharedArray1::<u8>::zeros(1)?).persist().is_err()); // anonymous
    /// # Ok::<(), ndshm_array::CreateError>(())
    /// ```
    pub fn persist(&self) -> Result<(), PersistError> {
        self.segment().buffer().persist()
    }

    /// Removes the name: as [`SharedArray::unlink`].
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// ```
    /// # use ndshm_array::{dynamic::DynArray, npy::{Dtype, Order}};
    /// # let name = format!("doc.dynamic.unlink.{}", std::process::id());
    /// let a = DynArray::options().name(&name).persist(true).zeros(Dtype::U8, &[1], Order::C)?;
    /// assert!(a.unlink()?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn unlink(&self) -> Result<bool, RemoveError> {
        self.segment().buffer().unlink()
    }

    /// What the memory that was got when it was made came to.
    ///
    /// ```
    /// # use ndshm_array::{SharedArray1, dynamic::DynArray};
    /// let a = DynArray::from(SharedArray1::<u8>::zeros(1)?);
    /// assert_eq!(a.prefaulted().huge, 0);
    /// # Ok::<(), ndshm_array::CreateError>(())
    /// ```
    #[must_use]
    pub fn prefaulted(&self) -> Prefaulted {
        self.segment().buffer().prefaulted()
    }

    /// Has the memory of these rows got: as [`SharedArray::prefault`].
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// ```
    /// # use ndshm_array::{Prefault, SharedArray1, dynamic::DynArray};
    /// let a = DynArray::from(SharedArray1::<u8>::zeros(1 << 16)?);
    /// a.prefault(.., &Prefault::pages())?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn prefault(
        &self,
        rows: impl RangeBounds<usize>,
        prefault: &Prefault,
    ) -> Result<Prefaulted, PrefaultError> {
        self.segment().prefault_rows(self.shape(), self.order(), &rows, prefault)
    }

    /// Claims a part, or returns at once: an element of `part` for each axis, as in
    /// [`SharedArray::claim`]. Without any, all of it.
    ///
    /// # Errors
    ///
    /// [`ClaimError`](crate::ClaimError).
    ///
    /// ```
    /// # use ndshm_array::{Mode, SharedArray1, dynamic::DynArray};
    /// let a = DynArray::from(SharedArray1::from_iter([7_u16, 8, 9])?);
    /// let claim = a.claim(&[(1..).into()], Mode::Shared)?;
    /// assert_eq!(claim.view::<u16>().ok_or("not of u16")?.sum(), 17);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn claim(&self, part: &[SliceInfoElem], mode: Mode) -> ClaimResult<DynClaim> {
        DynClaim::new(self, part, mode, Patience::Refuse)
    }

    /// As [`claim`](Self::claim), but waits for those in the way, at most `timeout`.
    ///
    /// # Errors
    ///
    /// [`ClaimError`](crate::ClaimError).
    ///
    /// ```
    /// # use ndshm_array::{Mode, SharedArray1, dynamic::DynArray};
    /// # use std::time::Duration;
    /// let a = DynArray::from(SharedArray1::<u16>::zeros(3)?);
    /// let all = a.claim_timeout(&[], Mode::Exclusive, Duration::from_secs(1))?;
    /// assert_eq!(all.shape(), [3]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn claim_timeout(
        &self,
        part: &[SliceInfoElem],
        mode: Mode,
        timeout: Duration,
    ) -> ClaimResult<DynClaim> {
        DynClaim::new(self, part, mode, Patience::timeout(timeout))
    }

    /// As [`claim_timeout`](Self::claim_timeout), or for ever without one, as long as `goes_on` says so. It is asked before
    /// the first sleep, and every 50 ms or so; no lock is held meanwhile, so it may take its time, and
    /// the place in the queue is kept.
    ///
    /// # Errors
    ///
    /// [`ClaimError`](crate::ClaimError); `Overlap` where `goes_on` said no.
    ///
    /// ```
    /// # use ndshm_array::{ClaimError, Mode, SharedArray1, dynamic::DynArray};
    /// let a = DynArray::from(SharedArray1::<u16>::zeros(3)?);
    /// let _held = a.claim(&[], Mode::Exclusive)?;
    /// std::thread::scope(|s| {
    ///     let interrupted = s.spawn(|| a.claim_while(&[], Mode::Shared, None, &|| false).map(drop));
    ///     let refused = interrupted.join().unwrap().map_err(ClaimError::without_guard);
    ///     assert!(matches!(refused, Err(ClaimError::Overlap { .. })));
    /// });
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn claim_while(
        &self,
        part: &[SliceInfoElem],
        mode: Mode,
        timeout: Option<Duration>,
        goes_on: &dyn Fn() -> bool,
    ) -> ClaimResult<DynClaim> {
        let at = timeout.and_then(|timeout| std::time::Instant::now().checked_add(timeout));
        DynClaim::new(self, part, mode, Patience::While(at, goes_on))
    }

    /// The bytes of all elements, as they were at one moment between two writers: as [`SharedArray::snapshot`].
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// ```
    /// # use ndshm_array::{SharedArray1, dynamic::DynArray};
    /// # use std::time::Duration;
    /// let a = DynArray::from(SharedArray1::from_iter([7_u16, 8])?);
    /// assert_eq!(a.snapshot(Duration::from_secs(1))?, [7, 0, 8, 0]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn snapshot(&self, timeout: Duration) -> ClaimResult<Vec<u8>> {
        if self.is_read_only() {
            let all = Selection::whole(self.shape());
            return self.segment().undisturbed(self.shape(), &all, timeout, || self.copy());
        }
        match self.claim_timeout(&[], Mode::Shared, timeout) {
            Ok(_claim) => Ok(self.copy()),
            Err(e) => Err(e.map(|_claim| self.copy())),
        }
    }

    /// The bytes of the elements of a part, row by row, of one moment: as [`snapshot`](Self::snapshot), of less. `part` as for
    /// [`claim`](Self::claim).
    ///
    /// # Errors
    ///
    /// As there, and [`ClaimError::OutOfBounds`](crate::ClaimError::OutOfBounds).
    ///
    /// ```
    /// # use ndshm_array::{SharedArray1, dynamic::DynArray};
    /// # use std::time::Duration;
    /// let a = DynArray::from(SharedArray1::from_iter([7_u16, 8, 9])?);
    /// assert_eq!(a.snapshot_part(&[(1..).into()], Duration::from_secs(1))?, [8, 0, 9, 0]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn snapshot_part(&self, part: &[SliceInfoElem], timeout: Duration) -> ClaimResult<Vec<u8>> {
        if !self.is_read_only() {
            return match self.claim_timeout(part, Mode::Shared, timeout) {
                Ok(claim) => Ok(claim.place().copy(self)),
                Err(e) => Err(e.map(|claim| claim.place().copy(self))),
            };
        }
        let (selection, place) = Place::select(self, part).map_err(outside)?;
        let copy = || place.copy(self);
        self.segment().undisturbed(self.shape(), &selection, timeout, copy)
    }

    /// Writes it to an `.npy` file, whole or not at all, under a shared claim: as [`SharedArray::save`].
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// ```
    /// # use ndshm_array::{SharedArray1, dynamic::DynArray};
    /// # let dir = tempfile::tempdir()?;
    /// let path = dir.path().join("a.npy");
    /// DynArray::from(SharedArray1::from_iter([7_u16, 8])?).save(&path)?;
    /// assert_eq!(DynArray::options().load(&path)?.shape(), [2]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), SaveError> {
        let claim = DynClaim::new(self, &[], Mode::Shared, Patience::Until(None));
        let _claim = claim.map_err(|e| SaveError::Claim(e.without_guard()))?;
        let data = self.as_ptr();
        // SAFETY: as many bytes as the header says (invariant 1), mapped as long as `self`, and nobody writes as long as the
        // claim is held.
        let data = unsafe { std::slice::from_raw_parts(data, self.nbytes()) };
        write_npy(path, &self.0.header, data)?;
        Ok(())
    }

    /// An inert description, to open it by in another process.
    ///
    /// ```
    /// # use ndshm_array::{SharedArray1, dynamic::{DynArray, DynHandle}};
    /// let a = DynArray::from(SharedArray1::from_iter([7_u16, 8])?);
    /// let bytes = postcard::to_stdvec(&a.handle())?;
    /// let handle: DynHandle = postcard::from_bytes(&bytes)?;
    /// // SAFETY: whoever writes to the array does so through ndshm.
    /// let b = unsafe { handle.open()? };
    /// assert_eq!(b.shape(), [2]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn handle(&self) -> DynHandle {
        DynHandle::of(self)
    }

    /// The same array, with its types said.
    ///
    /// # Errors
    ///
    /// [`OpenError::Dtype`] and [`OpenError::Dimensions`]: it has others.
    ///
    /// ```
    /// use ndshm_array::{OpenError, SharedArray1, dynamic::DynArray};
    ///
    /// let a = DynArray::from(SharedArray1::from_iter([7_u16, 8])?);
    /// let same: SharedArray1<u16> = a.typed()?;
    /// assert_eq!(same.read()?.sum(), 15);
    /// assert!(matches!(a.typed::<f64, ndarray::Ix1>(), Err(OpenError::Dtype { .. })));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn typed<T: Element, D: Dimension>(&self) -> Result<SharedArray<T, D>, OpenError> {
        let label = label(self.segment().buffer());
        let (dim, order) = geometry::typed::<T, D>(self.0.header.clone(), &label)?;
        Ok(SharedArray::from_parts(Arc::clone(&self.0.segment), dim, order))
    }

    /// All of the bytes, whoever writes to them.
    fn copy(&self) -> Vec<u8> {
        let mut bytes = vec![0; self.nbytes()];
        self.copy_bytes(0, &mut bytes);
        bytes
    }

    /// Those from that one on, which are bytes of elements.
    pub(super) fn copy_bytes(&self, from: usize, bytes: &mut [u8]) {
        let from = self.segment().places().data_offset + from;
        self.segment().buffer().read_at(from, bytes).expect("they fit (invariant 1)");
    }
}

impl<T: Element, D: Dimension> From<SharedArray<T, D>> for DynArray {
    fn from(array: SharedArray<T, D>) -> Self {
        let header = NpyHeader {
            dtype: T::DTYPE.clone(),
            order: array.order(),
            shape: array.shape().to_vec(),
        };
        Self::from_parts(array.shared_segment(), header)
    }
}

impl fmt::Debug for DynArray {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DynArray")
            .field("dtype", &format_args!("{}", self.dtype()))
            .field("shape", &self.shape())
            .field("order", &self.order())
            .field("name", &self.name())
            .finish_non_exhaustive()
    }
}
