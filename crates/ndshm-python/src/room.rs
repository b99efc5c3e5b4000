//! Memory of a lock: a segment with a table of members and the words of one primitive.
//!
//! The same from Rust: `SharedBuffer::options().open_typed(name)`, a `Region` of it without the last 64 bytes,
//! `Members::join`, and `members.layout().mutex(0_u64)` or whatever it is.

use std::any::Any;
use std::collections::HashMap;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use ndshm_buffer::{BufferHandle, PerProcess, SegmentId, SharedBuffer, TYPED_MAGIC};
use ndshm_sync::{JoinError, Layout, LayoutError, Members, Region};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::errors;

/// Behind the words, so that nobody opens it as plain bytes by mistake.
const FOOTER_LEN: usize = 64;

/// What lies in a room.
pub(crate) trait Primitive: Sized + Send + Sync + 'static {
    /// Whether all who open it have to say the same count. (The words are checked for it where they are found.)
    const COUNTED: bool = false;

    /// How many bytes it takes at most, for so many parties, permits, ...
    fn len(count: usize) -> usize;

    /// The primitive at its place; the first call of all puts it there.
    fn place(layout: Layout<'static>, count: usize) -> Result<Self, LayoutError>;
}

/// A primitive that this process has joined.
pub(crate) struct Room<P> {
    /// # Invariants
    ///
    /// 1. Refers to `members`, which stay where they are in the `Arc` of the room.
    pub(crate) primitive: P,
    /// # Invariants
    ///
    /// 1. Refer to the memory of `buffer`, and are dropped before it.
    pub(crate) members: Box<Members<'static>>,
    buffer: SharedBuffer,
    count: usize,
}

/// One room a segment and process: its handles are one member.
static ROOMS: PerProcess<Mutex<HashMap<SegmentId, Weak<dyn Any + Send + Sync>>>> =
    PerProcess::new();

impl<P: Primitive> Room<P> {
    pub(crate) fn create(
        py: Python<'_>,
        count: usize,
        name: Option<String>,
        dir: Option<PathBuf>,
    ) -> PyResult<Arc<Self>> {
        let len = Members::SIZE + P::len(count) + FOOTER_LEN;
        let mut options = SharedBuffer::options();
        if let Some(dir) = dir {
            options = options.dir(dir);
        }
        let mark = |bytes: &mut [u8]| {
            bytes[len - FOOTER_LEN..][..TYPED_MAGIC.len()].copy_from_slice(&TYPED_MAGIC);
        };
        let buffer = match name {
            Some(name) => options.create_with(&name, len, mark),
            None => options.anonymous_with(len, mark),
        };
        Self::of(py, buffer.map_err(|e| errors::buffer_create(py, e))?, count)
    }

    pub(crate) fn open(
        py: Python<'_>,
        name: &str,
        dir: Option<PathBuf>,
        count: usize,
    ) -> PyResult<Arc<Self>> {
        let mut options = SharedBuffer::options();
        if let Some(dir) = dir {
            options = options.dir(dir);
        }
        // SAFETY: it is used as members and the words of a primitive alone, which are valid for any bytes; that others do
        // so too is what the documentation of `open` asks for.
        let buffer = unsafe { options.open_typed(name) };
        Self::of(py, buffer.map_err(|e| errors::buffer_open(py, e))?, count)
    }

    pub(crate) fn open_handle(py: Python<'_>, handle: &[u8]) -> PyResult<Arc<Self>> {
        let (handle, count): (BufferHandle, usize) = postcard::from_bytes(handle)
            .map_err(|e| PyValueError::new_err(format!("this is no description of a lock: {e}")))?;
        Self::open_buffer(py, &handle, count)
    }

    fn open_buffer(py: Python<'_>, handle: &BufferHandle, count: usize) -> PyResult<Arc<Self>> {
        // SAFETY: as for `open`.
        let buffer = unsafe { SharedBuffer::options().open_handle_typed(handle) };
        Self::of(py, buffer.map_err(|e| errors::buffer_open(py, e))?, count)
    }

    /// The same, by a process that was forked from this one's.
    pub(crate) fn anew(&self, py: Python<'_>) -> PyResult<Arc<Self>> {
        Self::open_buffer(py, &self.buffer.handle(), self.count)
    }

    pub(crate) fn handle(&self) -> PyResult<Vec<u8>> {
        postcard::to_stdvec(&(self.buffer.handle(), self.count))
            .map_err(|e| PyValueError::new_err(e.to_string()))
    }

    pub(crate) fn name(&self) -> Option<&str> {
        self.buffer.name()
    }

    pub(crate) const fn count(&self) -> usize {
        self.count
    }

    fn of(py: Python<'_>, buffer: SharedBuffer, count: usize) -> PyResult<Arc<Self>> {
        Self::joined(buffer, count).map_err(|e| match e {
            Refused::Join(e) => errors::join(py, &e),
            Refused::Layout(e) => errors::plain(py, "Error", e),
            Refused::Other(text) => errors::plain(py, "Error", text),
        })
    }

    /// Runs no code of Python, so that none waits for the lock of the rooms while this waits for the interpreter's.
    fn joined(buffer: SharedBuffer, count: usize) -> Result<Arc<Self>, Refused> {
        let other = |text: &str| Refused::Other(text.to_owned());
        if buffer.is_read_only() {
            return Err(other("a lock is written to, and this description is of a read-only one"));
        }
        let len = buffer.len().checked_sub(FOOTER_LEN).filter(|&len| len >= Members::SIZE);
        let len = len.ok_or_else(|| other("the segment is too short for a lock"))?;
        let mut rooms = ROOMS.get().lock().unwrap_or_else(PoisonError::into_inner);
        let found = rooms.get(&buffer.id()).and_then(Weak::upgrade);
        if let Some(room) = found.and_then(|room| room.downcast::<Self>().ok()) {
            return match P::COUNTED && room.count != count {
                true => Err(Refused::Other(format!("it is of {}, not of {count}", room.count))),
                false => Ok(room),
            };
        }
        // SAFETY: mapped shared and read-write as long as `buffer`, which the room keeps for longer than the members (members
        // invariant 1); zero when it was made, and used by all as these primitives.
        let region = unsafe { Region::new(buffer.base(), len, buffer.as_fd()) };
        // SAFETY: only the lifetime changes, see above.
        let region = unsafe { std::mem::transmute::<Region<'_>, Region<'static>>(region) };
        let members = Box::new(Members::join(region).map_err(Refused::Join)?);
        // SAFETY: in a box that is kept beside the primitive and dropped after it (primitive invariant 1).
        let settled: &'static Members<'static> = unsafe { &*std::ptr::from_ref(&*members) };
        let primitive = P::place(settled.layout(), count).map_err(Refused::Layout)?;
        let room = Arc::new(Self { primitive, members, buffer, count });
        rooms.retain(|_, room| room.strong_count() > 0);
        let weak: Weak<dyn Any + Send + Sync> = Arc::downgrade(&room) as _;
        rooms.insert(room.buffer.id(), weak);
        Ok(room)
    }
}

/// Why a primitive is not to be had.
enum Refused {
    Join(JoinError),
    Layout(LayoutError),
    Other(String),
}
