use std::borrow::Cow;
use std::path::{Path, PathBuf};

use crate::backend::Backend;
use crate::name::{self, NameError, Place};
use crate::prefault::Prefault;

/// How to create, open or remove a segment. Made by [`SharedBuffer::options`](crate::SharedBuffer::options).
///
/// ```
/// use ndshm_buffer::SharedBuffer;
///
/// # let name = format!("doc-buffer-options-{}", std::process::id());
/// let writer = SharedBuffer::options().create(&name, 64)?;
/// let reader = SharedBuffer::options().read_only(true).open(&name)?;
/// writer.write_at(0, b"x")?;
/// let mut byte = [0];
/// reader.read_at(0, &mut byte)?;
/// assert_eq!(&byte, b"x");
/// assert!(reader.write_at(0, b"y").is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct BufferOptions {
    pub(crate) dir: Option<PathBuf>,
    pub(crate) backend: Backend,
    pub(crate) read_only: bool,
    pub(crate) persist: bool,
    pub(crate) foreign_owner: bool,
    pub(crate) capacity: Option<usize>,
    pub(crate) mode: u32,
    pub(crate) group: Option<u32>,
    pub(crate) guarded: bool,
    pub(crate) prefault: Prefault,
}

impl BufferOptions {
    pub(crate) fn new() -> Self {
        Self {
            dir: None,
            backend: Backend::default(),
            read_only: false,
            persist: false,
            foreign_owner: false,
            capacity: None,
            mode: 0o600,
            group: None,
            guarded: false,
            prefault: Prefault::none(),
        }
    }

    /// The directory of named segments. Without this it is `NDSHM_DIR`, or /dev/shm where that is not set.
    ///
    /// It should lie on a tmpfs; on a disk the kernel writes the bytes back from time to time. The [portable](Backend::Portable)
    /// backend has one space of names: it refuses this, and takes no notice of `NDSHM_DIR`.
    ///
    /// ```
    /// # let dir = tempfile::tempdir()?;
    /// # let dir = dir.path();
    /// let options = ndshm_buffer::SharedBuffer::options().dir(dir);
    /// let buffer = options.create("frames", 64)?;
    /// assert_eq!(buffer.path().unwrap(), dir.join("ndshm.frames"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.dir = Some(dir.into());
        self
    }

    /// What makes the segment, or opens the one of a name; each backend has names of its own. A handle knows its backend.
    ///
    /// ```
    /// # #[cfg(feature = "portable")] {
    /// use ndshm_buffer::{Backend, SharedBuffer};
    ///
    /// # let name = &format!("dob{}", std::process::id());
    /// let options = SharedBuffer::options().backend(Backend::Portable);
    /// let buffer = options.create(name, 64)?;
    /// assert!(SharedBuffer::options().open(name).is_err()); // the native one knows no such name
    /// assert_eq!(options.open(name)?.id(), buffer.id());
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn backend(mut self, backend: Backend) -> Self {
        self.backend = backend;
        self
    }

    /// Opens for reading only: the page tables refuse stores. A segment cannot be created so.
    ///
    /// ```
    /// # let name = format!("doc-read-only-{}", std::process::id());
    /// let options = ndshm_buffer::SharedBuffer::options();
    /// let buffer = options.create(&name, 64)?;
    /// assert!(options.read_only(true).open(&name)?.is_read_only());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn read_only(mut self, read_only: bool) -> Self {
        self.read_only = read_only;
        self
    }

    /// Creates a named segment whose name stays when the creating buffer is dropped, marked so before anyone sees it.
    ///
    /// ```
    /// # let name = format!("doc-options-persist-{}", std::process::id());
    /// let options = ndshm_buffer::SharedBuffer::options().persist(true);
    /// drop(options.create(&name, 64)?);
    /// options.remove(&name)?; // it was still there
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn persist(mut self, persist: bool) -> Self {
        self.persist = persist;
        self
    }

    /// Creates a segment that can [grow](crate::SharedBuffer::grow) in place, up to so many bytes; other processes see it grow.
    ///
    /// Its file has room for all of them from the beginning, and two pages at most beside; memory is taken only for its
    /// length. Nothing that opens a segment takes note of this: it asks the segment.
    ///
    /// ```
    /// let options = ndshm_buffer::SharedBuffer::options().capacity(1 << 20);
    /// let buffer = options.anonymous(64)?;
    /// assert_eq!((buffer.len(), buffer.capacity()), (64, 1 << 20));
    /// # Ok::<(), ndshm_buffer::CreateError>(())
    /// ```
    pub fn capacity(mut self, capacity: usize) -> Self {
        self.capacity = Some(capacity);
        self
    }

    /// Creates a named segment that others than its owner may open: permission bits for reading and writing, as in 0640.
    /// Without this it is 0600.
    ///
    /// As with any file the umask of the process takes bits away, though never the owner's; the mode is set before the
    /// name appears. Whoever may open a segment can keep others from removing its name (by the locks that tell who
    /// attaches), and whoever may write to it can truncate it. Others open it with
    /// [`foreign_owner`](Self::foreign_owner). Anonymous segments keep 0600: they are reached by descriptor.
    ///
    /// ```
    /// # let name = format!("doc-mode-{}", std::process::id());
    /// let options = ndshm_buffer::SharedBuffer::options();
    /// let _buffer = options.clone().mode(0o644).create(&name, 64)?;
    /// assert_eq!(options.info(&name)?.mode() & 0o600, 0o600);
    /// assert!(options.mode(0o777).create("x", 64).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn mode(mut self, mode: u32) -> Self {
        self.mode = mode;
        self
    }

    /// Creates a named segment that belongs to that group, by number; for [`mode`](Self::mode)s with bits for it.
    ///
    /// Its creator has to be a member, or root. Without this it is the process's own group, or the directory's.
    ///
    /// ```
    /// # let name = format!("doc-group-{}", std::process::id());
    /// let options = ndshm_buffer::SharedBuffer::options();
    /// # let group = std::os::unix::fs::MetadataExt::gid(&std::fs::metadata("/proc/self")?);
    /// let _buffer = options.clone().group(group).mode(0o660).create(&name, 64)?;
    /// assert_eq!(options.info(&name)?.group(), group);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn group(mut self, group: u32) -> Self {
        self.group = Some(group);
        self
    }

    /// Makes an error of what would be a fault (SIGBUS) where another program truncates the file of a named segment:
    /// [`read_at`](crate::SharedBuffer::read_at) and [`write_at`](crate::SharedBuffer::write_at) of the buffer, and of its clones, return
    /// [`MissingError`](crate::MissingError), from the first such copy on.
    ///
    /// It does not cover what gets at the bytes otherwise: atomics, [`load_u64`](crate::SharedBuffer::load_u64), slices,
    /// pointers, the [`len`](crate::SharedBuffer::len) of a segment that can grow. Anonymous segments need none of it: they cannot be
    /// truncated.
    ///
    /// The first use installs a handler for SIGBUS in the process, for ever; what it has no part in goes on to the handler
    /// that was there before. One that is installed later without passing on what it does not know, or a thread that blocks
    /// SIGBUS, has the fault as before. While a copy is failing, other threads that look at the missing page by other means
    /// may find zeroes for a moment, where they would have faulted. Costs two system calls a copy.
    ///
    /// ```
    /// # let dir = tempfile::tempdir()?;
    /// # let dir = dir.path();
    /// let options = ndshm_buffer::SharedBuffer::options().dir(dir).guarded(true);
    /// let buffer = options.create("frames", 8192)?;
    /// std::fs::File::options().write(true).open(buffer.path().unwrap())?.set_len(4096)?;
    /// assert!(buffer.read_at(0, &mut [0; 4096]).is_ok());
    /// assert!(buffer.read_at(4000, &mut [0; 4096]).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn guarded(mut self, guarded: bool) -> Self {
        self.guarded = guarded;
        self
    }

    /// Accepts a segment that belongs to another user. Its owner may write to it and truncate it at any time.
    ///
    /// ```
    /// let options = ndshm_buffer::SharedBuffer::options().foreign_owner(true);
    /// assert!(options.open("nobody-made-this").is_err());
    /// ```
    pub fn foreign_owner(mut self, accept: bool) -> Self {
        self.foreign_owner = accept;
        self
    }

    /// Has creation get the memory before anyone uses it: in huge pages, by several threads, on chosen memory nodes.
    /// Opening takes no notice of it; see [`SharedBuffer::prefault`](crate::SharedBuffer::prefault).
    ///
    /// Takes a fifth of the time of a first touch and less where the kernel has huge pages at hand.
    ///
    /// ```
    /// use ndshm_buffer::{Prefault, SharedBuffer};
    ///
    /// let options = SharedBuffer::options().prefault(Prefault::huge());
    /// let buffer = options.anonymous(8 << 20)?;
    /// println!("{}", buffer.prefaulted()); // 8388608 bytes in huge pages
    /// # Ok::<(), ndshm_buffer::CreateError>(())
    /// ```
    pub fn prefault(mut self, prefault: Prefault) -> Self {
        self.prefault = prefault;
        self
    }

    pub(crate) fn place(&self, name: &str) -> Result<Place, NameError> {
        Place::new(&self.directory(), name)
    }

    pub(crate) fn directory(&self) -> Cow<'_, Path> {
        match &self.dir {
            Some(dir) => Cow::Borrowed(dir),
            None => Cow::Owned(name::default_directory()),
        }
    }
}
