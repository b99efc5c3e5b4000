use std::fmt;
use std::os::fd::{AsFd, RawFd};
use std::path::Path;

use crate::buffer::SharedBuffer;
use crate::create;
use crate::error::OpenError;
use crate::id::SegmentId;
use crate::mapping::Mapping;
use crate::name::Place;
use crate::open::{self, Expected};
use crate::options::BufferOptions;
use crate::os_id::OsId;
use crate::portable;
use crate::sys;

/// What a process needs to open a segment that another one has. Made by [`SharedBuffer::handle`].
///
/// It is inert: it maps nothing, and having one says nothing about the segment's being there still. With the feature
/// `serde` it can be sent by any means. Opening checks that what is found is the segment that the handle was made from.
///
/// An anonymous segment is opened through the process that made the handle: it must still hold the segment, and
/// `/proc` must show it. A named one is opened by its name, and one of the portable backend by its os_id.
///
/// ```
/// use ndshm_buffer::{BufferHandle, SharedBuffer};
///
/// let buffer = SharedBuffer::anonymous(64)?;
/// # #[cfg(feature = "serde")] {
/// let sent = postcard::to_stdvec(&buffer.handle())?;
/// let received: BufferHandle = postcard::from_bytes(&sent)?; // in any process of this user
/// let same = received.open()?;
/// assert_eq!(same.id(), buffer.id());
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct BufferHandle {
    pub(crate) source: Source,
    pub(crate) id: SegmentId,
    pub(crate) len: u64,
    /// The length of its file, which is longer where it can grow.
    pub(crate) file_len: u64,
    pub(crate) read_only: bool,
}

/// Where a handle leads.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    Named(Place),
    /// Descriptor `fd` of process `pid`.
    Anonymous {
        pid: u32,
        fd: RawFd,
    },
    /// Of the portable backend.
    OsId(OsId),
    /// Open already: it came through `passing::adopt`, and no process may be there to open it through.
    #[cfg(feature = "serde")]
    Adopted(SharedBuffer),
}

impl BufferHandle {
    pub(crate) fn of(mapping: &Mapping, place: Option<&Place>) -> Self {
        let source = match (mapping.portable(), place) {
            (Some(mapped), _) => Source::OsId(mapped.os_id().clone()),
            (None, Some(place)) => Source::Named(place.clone()),
            // The process that calls now: a forked child has the descriptor under the same number.
            (None, None) => {
                Source::Anonymous { pid: sys::process_id(), fd: sys::raw(mapping.as_fd()) }
            }
        };
        let key = mapping.key();
        Self {
            source,
            id: key.id,
            len: mapping.len() as u64,
            file_len: mapping.file_len() as u64,
            read_only: !key.access.writable(),
        }
    }

    /// Opens the segment: read-only if the buffer was that the handle was made from.
    ///
    /// # Errors
    ///
    /// [`OpenError`]: it is gone, it belongs to another user, or another segment has taken its place.
    ///
    /// ```
    /// use ndshm_buffer::{OpenError, SharedBuffer};
    ///
    /// let buffer = SharedBuffer::anonymous(64)?;
    /// let handle = buffer.handle();
    /// assert_eq!(handle.open()?.id(), handle.id());
    /// drop(buffer);
    /// assert!(handle.open().is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn open(&self) -> Result<SharedBuffer, OpenError> {
        BufferOptions::new().open_handle(self)
    }

    /// True where the handle came through [`passing::adopt`](crate::passing::adopt), so that a launcher vouches for it.
    ///
    /// ```
    /// # let buffer = ndshm_buffer::SharedBuffer::anonymous(64)?;
    /// assert!(!buffer.handle().is_adopted());
    /// # Ok::<(), ndshm_buffer::CreateError>(())
    /// ```
    #[cfg(feature = "serde")]
    pub fn is_adopted(&self) -> bool {
        matches!(self.source, Source::Adopted(_))
    }

    pub(crate) fn open_as(&self, options: &BufferOptions) -> Result<SharedBuffer, OpenError> {
        let read_only = options.read_only || self.read_only;
        let options = options.clone().read_only(read_only);
        let expected = Expected { id: self.id, len: self.file_len };
        match &self.source {
            Source::Named(place) => open::named(&options, place.clone(), Some(expected)),
            Source::Anonymous { pid, fd } => open::held_elsewhere(&options, *pid, *fd, expected),
            Source::OsId(os_id) => portable::open(&options, os_id.clone(), Some(expected)),
            #[cfg(feature = "serde")]
            Source::Adopted(buffer) if buffer.is_read_only() == read_only => Ok(buffer.clone()),
            #[cfg(feature = "serde")]
            Source::Adopted(buffer) => {
                let fd = sys::raw(buffer.as_fd());
                open::held_elsewhere(&options, sys::process_id(), fd, expected)
            }
        }
    }

    /// The segment it was made from.
    ///
    /// ```
    /// # let buffer = ndshm_buffer::SharedBuffer::anonymous(64)?;
    /// assert_eq!(buffer.handle().id(), buffer.id());
    /// # Ok::<(), ndshm_buffer::CreateError>(())
    /// ```
    pub fn id(&self) -> SegmentId {
        self.id
    }

    /// The segment's name; `None` for an anonymous one.
    ///
    /// ```
    /// # let buffer = ndshm_buffer::SharedBuffer::anonymous(64)?;
    /// assert_eq!(buffer.handle().name(), None);
    /// # Ok::<(), ndshm_buffer::CreateError>(())
    /// ```
    pub fn name(&self) -> Option<&str> {
        match &self.source {
            Source::OsId(os_id) => os_id.name(),
            _ => self.place().map(Place::name),
        }
    }

    /// The file of a named segment; `None` where the segment has none, as [`SharedBuffer::path`].
    ///
    /// ```
    /// # let buffer = ndshm_buffer::SharedBuffer::anonymous(64)?;
    /// assert_eq!(buffer.handle().path(), None);
    /// # Ok::<(), ndshm_buffer::CreateError>(())
    /// ```
    pub fn path(&self) -> Option<&Path> {
        self.place().map(Place::path)
    }

    /// How many bytes the segment had when the handle was made.
    ///
    /// ```
    /// # let buffer = ndshm_buffer::SharedBuffer::anonymous(64)?;
    /// assert_eq!(buffer.handle().len(), 64);
    /// # Ok::<(), ndshm_buffer::CreateError>(())
    /// ```
    #[allow(clippy::len_without_is_empty, reason = "a segment is never empty")]
    pub fn len(&self) -> u64 {
        self.len
    }

    fn describe(&self) -> String {
        match &self.source {
            Source::OsId(os_id) => os_id.as_str().to_owned(),
            _ => create::describe(self.place()),
        }
    }

    pub(crate) fn place(&self) -> Option<&Place> {
        match &self.source {
            Source::Named(place) => Some(place),
            Source::Anonymous { .. } | Source::OsId(_) => None,
            #[cfg(feature = "serde")]
            Source::Adopted(buffer) => buffer.place(),
        }
    }
}

impl fmt::Debug for BufferHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BufferHandle")
            .field("segment", &self.describe())
            .field("id", &self.id)
            .field("len", &self.len)
            .field("read_only", &self.read_only)
            .finish_non_exhaustive()
    }
}
