use std::fmt;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::AtomicU8;

use crate::backend::{self, Backend};
use crate::create;
use crate::creator::Creator;
use crate::error::{CreateError, GrowError, PersistError, RemoveError};
use crate::growth;
use crate::handle::BufferHandle;
use crate::id::SegmentId;
use crate::mapping::{Growth, Mapping};
use crate::name::Place;
use crate::options::BufferOptions;
use crate::prefault::Prefaulted;
use crate::sys::{self, Region};

/// Bytes that several processes map.
///
/// A clone is the same mapping; the last one unmaps. A named segment loses its name when the last clone of the buffer
/// that *created* it is dropped, unless [`persist`](Self::persist) was called; whoever merely opened it never removes
/// it. The bytes live as long as a name or a mapping of them does.
///
/// # Layout
///
/// The first byte stands at offset 0 of the segment, at a page boundary in every process, and at a 2 MiB boundary where
/// the segment is at least 2 MiB long. The address differs between processes: never store one in the segment.
///
/// # Who else may be writing
///
/// Any process that has the segment open. [`read_at`](Self::read_at), [`write_at`](Self::write_at) and
/// [`atomics`](Self::atomics) are sound all the same; plain slices are `unsafe`, because the compiler takes it that
/// nobody changes what they borrow.
///
/// A peer that truncates the *file* of a named segment makes every process fault (SIGBUS) that touches what is missing;
/// this crate never does that, and anonymous segments are sealed against it. A
/// [guarded](BufferOptions::guarded) buffer makes an error of it where bytes are copied.
///
/// ```
/// use ndshm_buffer::SharedBuffer;
///
/// let buffer = SharedBuffer::anonymous(4096)?;
/// buffer.write_at(10, b"hello")?;
/// let mut five = [0; 5];
/// buffer.read_at(10, &mut five)?;
/// assert_eq!(&five, b"hello");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct SharedBuffer {
    // Dropped first: the name goes while the segment is still marked as in use.
    _creator: Option<Arc<Creator>>,
    mapping: Arc<Mapping>,
    place: Option<Arc<Place>>,
    guarded: bool,
    prefaulted: Prefaulted,
}

impl SharedBuffer {
    /// A new segment of `len` zero bytes without a name. It is reserved whole and can neither shrink nor grow.
    ///
    /// Other processes get at it through its [`handle`](Self::handle) while this process lives, or inherit it at their
    /// start.
    ///
    /// # Errors
    ///
    /// [`CreateError`] where there is no room, among others.
    ///
    /// ```
    /// use ndshm_buffer::SharedBuffer;
    ///
    /// let buffer = SharedBuffer::anonymous(1 << 20)?;
    /// assert_eq!(buffer.len(), 1 << 20);
    /// # Ok::<(), ndshm_buffer::CreateError>(())
    /// ```
    pub fn anonymous(len: usize) -> Result<Self, CreateError> {
        BufferOptions::new().anonymous(len)
    }

    /// How to create or open a segment, named ones in particular.
    ///
    /// ```
    /// use ndshm_buffer::SharedBuffer;
    ///
    /// # let name = format!("doc-options-{}", std::process::id());
    /// let frames = SharedBuffer::options().create(&name, 4096)?;
    /// let same = SharedBuffer::options().open(&name)?;
    /// assert_eq!(frames.id(), same.id());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn options() -> BufferOptions {
        BufferOptions::new()
    }

    pub(crate) fn from_parts(
        mapping: Arc<Mapping>,
        place: Option<Arc<Place>>,
        creator: Option<Arc<Creator>>,
    ) -> Self {
        let prefaulted = Prefaulted::reserved(mapping.len());
        Self { _creator: creator, mapping, place, guarded: false, prefaulted }
    }

    /// With its copies guarded, or not.
    pub(crate) fn guarded(self, guarded: bool) -> Self {
        if guarded {
            sys::install_guard();
        }
        Self { guarded, ..self }
    }

    /// Where its copies are guarded: only the native backend's are.
    pub(crate) fn guarded_region(&self) -> Option<&Region> {
        if self.guarded { self.mapping.native() } else { None }
    }

    /// Creation did this.
    pub(crate) fn with_prefaulted(self, prefaulted: Prefaulted) -> Self {
        Self { prefaulted, ..self }
    }

    /// How many bytes there are: exactly as many as were asked for, in every process.
    ///
    /// Of a segment that can [grow](Self::grow) it is the length that it has now, in whichever process it grew; one load.
    ///
    /// ```
    /// # use ndshm_buffer::SharedBuffer;
    /// assert_eq!(SharedBuffer::anonymous(1000)?.len(), 1000);
    /// # Ok::<(), ndshm_buffer::CreateError>(())
    /// ```
    pub fn len(&self) -> usize {
        self.mapping.len()
    }

    /// How long it can become: its length, unless it was created with a [capacity](BufferOptions::capacity).
    ///
    /// ```
    /// # use ndshm_buffer::SharedBuffer;
    /// assert_eq!(SharedBuffer::anonymous(64)?.capacity(), 64);
    /// # Ok::<(), ndshm_buffer::CreateError>(())
    /// ```
    pub fn capacity(&self) -> usize {
        self.mapping.growth().map_or_else(|| self.len(), Growth::capacity)
    }

    /// Makes it at least `len` bytes long, in place and for all processes: addresses, and what was borrowed, stay valid.
    /// Gives the length, which is greater where it was already, or where another process was first.
    ///
    /// The new bytes are zero and reserved before anyone sees the length. Waits for whoever else lets it grow; a grower
    /// that is killed leaves the old length or the new one, and lets the next one go on. A few system calls, and the
    /// kernel's time for the pages.
    ///
    /// # Errors
    ///
    /// [`GrowError`], with the length unchanged: `len` is beyond the [capacity](Self::capacity), there is no room, the
    /// buffer is read-only, and others.
    ///
    /// ```
    /// use ndshm_buffer::SharedBuffer;
    ///
    /// # let name = format!("doc-grow-{}", std::process::id());
    /// let log = SharedBuffer::options().capacity(1 << 20).create(&name, 64)?;
    /// let seen = SharedBuffer::options().read_only(true).open(&name)?;
    /// assert_eq!(log.grow(4096)?, 4096);
    /// log.write_at(4000, b"more")?;
    /// assert_eq!(seen.len(), 4096);
    /// assert!(log.grow((1 << 20) + 1).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn grow(&self, len: usize) -> Result<usize, GrowError> {
        growth::grow(self, len)
    }

    /// Always false: a segment has at least one byte.
    ///
    /// ```
    /// # use ndshm_buffer::SharedBuffer;
    /// assert!(!SharedBuffer::anonymous(1)?.is_empty());
    /// # Ok::<(), ndshm_buffer::CreateError>(())
    /// ```
    pub fn is_empty(&self) -> bool {
        false
    }

    /// The address of the first byte in this process, as a raw pointer.
    ///
    /// It is valid for [`len`](Self::len) bytes while a clone of this buffer lives; a store through it faults where the
    /// buffer [is read-only](Self::is_read_only).
    ///
    /// ```
    /// # use ndshm_buffer::SharedBuffer;
    /// let buffer = SharedBuffer::anonymous(8 << 20)?;
    /// assert_eq!(buffer.as_ptr().addr() % (2 << 20), 0);
    /// # Ok::<(), ndshm_buffer::CreateError>(())
    /// ```
    pub fn as_ptr(&self) -> *mut u8 {
        self.base().as_ptr()
    }

    /// [`as_ptr`](Self::as_ptr) as a pointer that is never null.
    ///
    /// ```
    /// # use ndshm_buffer::SharedBuffer;
    /// let buffer = SharedBuffer::anonymous(64)?;
    /// assert_eq!(buffer.base().as_ptr(), buffer.as_ptr());
    /// # Ok::<(), ndshm_buffer::CreateError>(())
    /// ```
    pub fn base(&self) -> NonNull<u8> {
        self.mapping.base()
    }

    /// True where the page tables refuse stores.
    ///
    /// ```
    /// # use ndshm_buffer::SharedBuffer;
    /// assert!(!SharedBuffer::anonymous(64)?.is_read_only());
    /// # Ok::<(), ndshm_buffer::CreateError>(())
    /// ```
    pub fn is_read_only(&self) -> bool {
        !self.mapping.key().access.writable()
    }

    /// The name it was created or opened by; `None` for an anonymous segment.
    ///
    /// The name may lead elsewhere by now: others can remove it.
    ///
    /// ```
    /// # use ndshm_buffer::SharedBuffer;
    /// assert_eq!(SharedBuffer::anonymous(64)?.name(), None);
    /// # Ok::<(), ndshm_buffer::CreateError>(())
    /// ```
    pub fn name(&self) -> Option<&str> {
        let portable = || self.mapping.portable().and_then(|mapped| mapped.os_id().name());
        self.place.as_deref().map(Place::name).or_else(portable)
    }

    /// What made it, and maps it.
    ///
    /// ```
    /// # use ndshm_buffer::{Backend, SharedBuffer};
    /// let buffer = SharedBuffer::anonymous(64)?;
    /// assert_eq!(buffer.backend(), Backend::Native);
    /// # Ok::<(), ndshm_buffer::CreateError>(())
    /// ```
    pub fn backend(&self) -> Backend {
        match self.mapping.portable() {
            None => Backend::Native,
            Some(_) => Backend::Portable,
        }
    }

    /// By what a program that uses `shared_memory` opens it: `ShmemConf::new().os_id(..).open()`. `None` for a
    /// segment of the native backend.
    ///
    /// Such a program sees at least [`len`](Self::len) bytes, which are this buffer's; what follows them it must leave
    /// alone. It must not become the owner (`set_owner`), and is to be started after the segment was created.
    ///
    /// ```
    /// # #[cfg(feature = "portable")] {
    /// use ndshm_buffer::{Backend, SharedBuffer};
    ///
    /// # let name = &format!("doc{}", std::process::id());
    /// let options = SharedBuffer::options().backend(Backend::Portable);
    /// let buffer = options.create(name, 64)?;
    /// assert_eq!(buffer.os_id().unwrap(), format!("/ndshm-p.{name}"));
    /// # }
    /// # Ok::<(), ndshm_buffer::CreateError>(())
    /// ```
    pub fn os_id(&self) -> Option<&str> {
        self.mapping.portable().map(|mapped| mapped.os_id().as_str())
    }

    /// The file of a named segment: what another program, NumPy for one, opens. `None` for an anonymous one, and one of
    /// the [portable](Backend::Portable) backend.
    ///
    /// ```
    /// # use ndshm_buffer::SharedBuffer;
    /// # let name = format!("doc-path-{}", std::process::id());
    /// let buffer = SharedBuffer::options().create(&name, 64)?;
    /// let file = buffer.path().unwrap().file_name().unwrap();
    /// assert_eq!(file.to_str().unwrap(), format!("ndshm.{name}"));
    /// # Ok::<(), ndshm_buffer::CreateError>(())
    /// ```
    pub fn path(&self) -> Option<&Path> {
        self.place.as_deref().map(Place::path)
    }

    /// Which segment it is, for comparing.
    ///
    /// ```
    /// # use ndshm_buffer::SharedBuffer;
    /// let buffer = SharedBuffer::anonymous(64)?;
    /// assert_eq!(buffer.id(), buffer.handle().id());
    /// # Ok::<(), ndshm_buffer::CreateError>(())
    /// ```
    pub fn id(&self) -> SegmentId {
        self.mapping.key().id
    }

    /// What another process needs in order to open the same segment; it can be serialised (feature `serde`).
    ///
    /// A handle keeps nothing alive: an anonymous segment can be opened while this process holds it, a named one while
    /// it has its name.
    ///
    /// ```
    /// # use ndshm_buffer::SharedBuffer;
    /// let buffer = SharedBuffer::anonymous(64)?;
    /// let same = buffer.handle().open()?;
    /// assert_eq!(same.as_ptr(), buffer.as_ptr()); // one mapping per segment and process
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn handle(&self) -> BufferHandle {
        BufferHandle::of(&self.mapping, self.place.as_deref())
    }

    /// Keeps the name when the creating buffer is dropped, in whichever process it lives.
    ///
    /// The mark is on the segment (the file's sticky bit; a word behind the bytes of a portable one). The name then stays until somebody removes it.
    ///
    /// # Errors
    ///
    /// [`PersistError`] where there is no name, it is gone already, or the segment belongs to another user.
    ///
    /// ```
    /// # use ndshm_buffer::SharedBuffer;
    /// # let name = format!("doc-persist-{}", std::process::id());
    /// let options = SharedBuffer::options();
    /// let buffer = options.create(&name, 64)?;
    /// buffer.persist()?;
    /// drop(buffer);
    /// options.open(&name)?;
    /// options.remove(&name)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn persist(&self) -> Result<(), PersistError> {
        backend::persist(self)
    }

    /// Removes the name now, if it still leads to this segment; who has the segment open keeps it.
    ///
    /// True where this call removed it, false where there was no such name any more.
    ///
    /// # Errors
    ///
    /// [`RemoveError`] where the segment or its directory does not let this process.
    ///
    /// ```
    /// # use ndshm_buffer::SharedBuffer;
    /// # let name = format!("doc-unlink-{}", std::process::id());
    /// let buffer = SharedBuffer::options().create(&name, 64)?;
    /// assert!(buffer.unlink()?);
    /// assert!(!buffer.unlink()?);
    /// buffer.write_at(0, b"still here")?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn unlink(&self) -> Result<bool, RemoveError> {
        backend::unlink(self)
    }

    /// What creation did beside reserving.
    pub(crate) fn got(&self) -> Prefaulted {
        self.prefaulted
    }

    /// The bytes, for this crate alone: on a read-only mapping a store through them faults.
    pub(crate) fn cells(&self) -> &[AtomicU8] {
        self.mapping.cells()
    }

    /// The segment as error messages name it.
    pub(crate) fn describe(&self) -> String {
        match self.os_id() {
            None => create::describe(self.place.as_deref()),
            Some(os_id) => os_id.to_owned(),
        }
    }

    pub(crate) fn mapping(&self) -> &Mapping {
        &self.mapping
    }

    pub(crate) fn place(&self) -> Option<&Place> {
        self.place.as_deref()
    }
}

/// The descriptor that is mapped. Locks taken through it belong to this process's mapping of the segment.
///
/// Of the [portable](Backend::Portable) backend, which maps through one that `shared_memory` keeps to itself: another one of the same segment.
impl AsFd for SharedBuffer {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.mapping.as_fd()
    }
}

impl fmt::Debug for SharedBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedBuffer")
            .field("segment", &self.describe())
            .field("id", &self.id())
            .field("len", &self.len())
            .field("read_only", &self.is_read_only())
            .finish_non_exhaustive()
    }
}
