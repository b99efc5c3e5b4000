//! Bytes that several processes map, and the file behind them.

use std::marker::PhantomData;
#[cfg(unix)]
use std::os::fd::BorrowedFd;
use std::ptr::NonNull;
use std::sync::atomic::AtomicU8;

/// A stretch of shared memory in which members, locks and barriers live: made from an address, a
/// length and the descriptor of the mapped file, whoever mapped it.
///
/// The region begins with the table of [`Members`](crate::Members), which takes
/// [`Members::SIZE`](crate::Members::SIZE) bytes; what [`Layout`](crate::Layout) hands out comes
/// after it. All of it is valid when zeroed.
///
/// It may be shorter than the mapping: what lies before and behind it is the program's, for an array, say, that
/// a lock in the region guards.
///
/// ```
/// # use std::os::fd::AsFd;
/// use ndshm_sync::{Members, Region};
///
/// # let (base, file) = ndshm_testkit::map_memfd(1 << 16);
/// // `base` and `file` are a mapping of 64 KiB and its file, from anybody's mmap.
/// // SAFETY: fresh memory of our own, mapped as long as `members` lives, used for nothing else.
/// let region = unsafe { Region::new(base, 1 << 16, file.as_fd()) };
/// let members = Members::join(region)?;
/// assert!(members.is_alive(members.me()));
/// # Ok::<(), ndshm_sync::JoinError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Region<'a> {
    /// # Invariants
    ///
    /// 1. For the whole of `'a`, `base..base + len` is mapped readable and writable, shared.
    /// 2. The same bytes are reached by other code, of this process or another, only through this
    ///    crate (or in the same way), with the same layout.
    base: NonNull<u8>,
    len: usize,
    #[cfg(unix)]
    file: Option<BorrowedFd<'a>>,
    bytes: PhantomData<&'a [AtomicU8]>,
}

// SAFETY: a region is an address range that stays mapped for `'a` (invariant 1) and is accessed by
// atomics, or under locks that exclude threads as they exclude processes (invariant 2).
unsafe impl Send for Region<'_> {}
// SAFETY: as for `Send`; `&Region` gives nothing that `Region`, which is `Copy`, does not.
unsafe impl Sync for Region<'_> {}

impl<'a> Region<'a> {
    /// A region of `len` bytes at `base`, a shared mapping of the file behind `fd`. Touches nothing
    /// yet.
    ///
    /// `base` need not be the start of the file, but has to be a multiple of 64, and `len` at least
    /// [`Members::SIZE`](crate::Members::SIZE): joining fails otherwise. All regions with a member
    /// table of their own must be in files of their own, since liveness is a lock on the file (at
    /// offset 2^62 and beyond).
    ///
    /// # Safety
    ///
    /// This is the place where one program vouches for all of them:
    ///
    /// - for the whole of `'a`, `base..base + len` is mapped `MAP_SHARED`, readable and writable,
    ///   from the file behind `fd`, and the file is not truncated below it;
    /// - its bytes were zero before the first process joined, and every process, this one included,
    ///   reads and writes them only through this crate, asking [`Layout`](crate::Layout) for the
    ///   same sequence of things.
    ///
    /// ```
    /// # use std::os::fd::AsFd;
    /// # use ndshm_sync::{Members, Region};
    /// # let (base, file) = ndshm_testkit::map_memfd(1 << 16);
    /// // SAFETY: fresh memory, mapped as long as `members` lives, and used for nothing else.
    /// let region = unsafe { Region::new(base, 1 << 16, file.as_fd()) };
    /// let members = Members::join(region)?;
    /// assert_eq!(members.region().base(), base);
    /// # Ok::<(), ndshm_sync::JoinError>(())
    /// ```
    #[cfg(unix)]
    pub const unsafe fn new(base: NonNull<u8>, len: usize, fd: BorrowedFd<'a>) -> Self {
        Self { base, len, file: Some(fd), bytes: PhantomData }
    }

    /// As [`new`](Self::new), of memory whose file is not at hand: what the `shared_memory` crate
    /// maps, say. For the [portable backend](crate::Backend::Portable) only.
    ///
    /// # Safety
    ///
    /// As for [`new`](Self::new), but that nothing is said about a file.
    ///
    /// ```
    /// # use ndshm_sync::Region;
    /// # let (base, _file) = ndshm_testkit::map_memfd(1 << 16);
    /// // SAFETY: fresh memory, mapped as long as the process lives, and used for nothing else.
    /// let region = unsafe { Region::without_file(base, 1 << 16) };
    /// assert_eq!(region.len(), 1 << 16);
    /// ```
    #[must_use]
    pub const unsafe fn without_file(base: NonNull<u8>, len: usize) -> Self {
        Self {
            base,
            len,
            #[cfg(unix)]
            file: None,
            bytes: PhantomData,
        }
    }

    /// The address of the first byte.
    ///
    /// ```
    /// # let members = ndshm_testkit::members!();
    /// assert_eq!(members.region().base().addr().get() % 64, 0);
    /// ```
    #[must_use]
    pub const fn base(&self) -> NonNull<u8> {
        self.base
    }

    /// Length in bytes.
    ///
    /// ```
    /// # let members = ndshm_testkit::members!();
    /// assert_eq!(members.region().len(), 1 << 16);
    /// ```
    #[must_use]
    #[allow(clippy::len_without_is_empty, reason = "a region too short for a table joins nothing")]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// The file behind the mapping, where the region was made with one.
    ///
    /// ```
    /// # let members = ndshm_testkit::members!();
    /// let fd = members.region().fd().expect("Region::new was given one");
    /// let file = std::fs::File::from(fd.try_clone_to_owned()?);
    /// assert_eq!(file.metadata()?.len(), 1 << 16);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[cfg(unix)]
    #[must_use]
    pub const fn fd(&self) -> Option<BorrowedFd<'a>> {
        self.file
    }

    /// The address of a `T` at `offset`, where one fits and is aligned.
    pub(crate) fn at<T>(&self, offset: usize) -> Option<NonNull<T>> {
        let end = offset.checked_add(size_of::<T>())?;
        if end > self.len {
            return None;
        }
        // SAFETY: `offset` lies within the `len` mapped bytes (invariant 1).
        let p = unsafe { self.base.add(offset) }.cast::<T>();
        p.is_aligned().then_some(p)
    }
}
