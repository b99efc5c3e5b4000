//! Shared memory for a test and its children.

use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd};
use std::ptr::NonNull;
use std::sync::atomic::AtomicU64;

/// A memfd of `len` zeroed bytes, mapped shared for the rest of the process's life.
///
/// # Panics
///
/// When the system has no memory for it.
#[must_use]
pub fn map_memfd(len: usize) -> (NonNull<u8>, File) {
    // SAFETY: the name is a string that ends in zero.
    let fd = unsafe { libc::memfd_create(c"ndshm-testkit".as_ptr(), libc::MFD_CLOEXEC) };
    assert!(fd >= 0, "memfd_create: {}", std::io::Error::last_os_error());
    // SAFETY: a new descriptor that nothing else owns.
    let file = unsafe { File::from_raw_fd(fd) };
    file.set_len(len as u64).expect("cannot size the memfd");
    (map(&file, len), file)
}

/// The first `len` bytes of `file`, mapped shared for the rest of the process's life.
///
/// # Panics
///
/// When the file cannot be mapped.
#[must_use]
pub fn map(file: &File, len: usize) -> NonNull<u8> {
    let prot = libc::PROT_READ | libc::PROT_WRITE;
    // SAFETY: a new mapping at an address of the kernel's choice touches no memory of ours.
    let base = unsafe {
        libc::mmap(std::ptr::null_mut(), len, prot, libc::MAP_SHARED, file.as_raw_fd(), 0)
    };
    assert!(base != libc::MAP_FAILED, "mmap: {}", std::io::Error::last_os_error());
    NonNull::new(base.cast()).expect("mmap does not return null")
}

/// A memfd that a test and its children map, each as it is started.
#[derive(Debug)]
pub struct SharedMemory {
    file: File,
    base: NonNull<u8>,
    len: usize,
}

// SAFETY: the mapping lives as long as the process, and safe code reaches it by atomics only.
unsafe impl Send for SharedMemory {}
// SAFETY: as for `Send`.
unsafe impl Sync for SharedMemory {}

impl SharedMemory {
    /// A new one of `len` zeroed bytes.
    ///
    /// # Panics
    ///
    /// When the system has no memory for it.
    #[must_use]
    pub fn create(len: usize) -> Self {
        let (base, file) = map_memfd(len);
        Self { file, base, len }
    }

    /// The one that the parent gave with [`Role::shared`](crate::Role::shared).
    ///
    /// # Panics
    ///
    /// When this process's standard input is not shared memory.
    #[must_use]
    pub fn inherited() -> Self {
        let fd = std::io::stdin().as_fd().try_clone_to_owned().expect("no standard input");
        Self::of(fd.into())
    }

    /// All of that file.
    ///
    /// # Panics
    ///
    /// When it cannot be mapped.
    #[must_use]
    pub fn of(file: File) -> Self {
        let len = file.metadata().expect("cannot ask for the length of the memfd").len();
        let len = usize::try_from(len).expect("too long to map");
        let base = map(&file, len);
        Self { file, base, len }
    }

    /// The address of its first byte.
    #[must_use]
    pub const fn base(&self) -> NonNull<u8> {
        self.base
    }

    /// Its length in bytes.
    #[must_use]
    #[allow(clippy::len_without_is_empty, reason = "the kernel maps no empty file")]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// The memfd.
    #[must_use]
    pub const fn file(&self) -> &File {
        &self.file
    }

    /// The word at byte `offset`.
    ///
    /// # Panics
    ///
    /// When `offset` is not a multiple of 8 or lies outside.
    #[must_use]
    pub fn word(&self, offset: usize) -> &'static AtomicU64 {
        assert!(offset.is_multiple_of(8) && offset + 8 <= self.len, "no word at {offset}");
        // SAFETY: within the mapping, as just asserted.
        let p = unsafe { self.base.add(offset) }.cast::<AtomicU64>();
        // SAFETY: mapped for the rest of the process's life, aligned (the base is a page's start),
        // and an atomic may hold any bytes and be changed by any process.
        unsafe { p.as_ref() }
    }
}

impl AsFd for SharedMemory {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}
