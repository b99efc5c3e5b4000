//! For launchers: buffers travel to a new process as inherited descriptors.
//!
//! The parent serialises the arguments inside [`collect`] and gets the segments that are among them; it passes their
//! descriptors to the child, in that order. The child deserialises inside [`adopt`], and its buffers map what it
//! inherited. So an anonymous segment needs neither a name nor `/proc` to travel, and a named one arrives even where its
//! name is gone.
//!
//! Both work on the thread that calls them. A call inside a call has a list of its own, and the outer one goes on when
//! it returns or panics.
//!
//! ```
//! use ndshm_buffer::{SharedBuffer, passing};
//! use std::os::fd::AsFd;
//!
//! let buffer = SharedBuffer::anonymous(64)?;
//! let (bytes, segments) = passing::collect(|| postcard::to_stdvec(&(&buffer, 7)));
//! assert_eq!(segments.len(), 1);
//!
//! // A launcher would let the child inherit these under agreed numbers.
//! let fds = segments.iter().map(|segment| segment.as_fd().try_clone_to_owned());
//! let fds = fds.collect::<Result<Vec<_>, _>>()?;
//! let read = || postcard::from_bytes(&bytes?);
//! // SAFETY: these bytes and descriptors are what `collect` gave.
//! let (same, seven): (SharedBuffer, i32) = unsafe { passing::adopt(fds, read)? };
//! assert_eq!((same.id(), seven), (buffer.id(), 7));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::cell::RefCell;
use std::fmt::Display;
use std::os::fd::{AsFd, OwnedFd};
use std::thread::LocalKey;

use crate::backend::Backend;
use crate::buffer::SharedBuffer;
use crate::error::OpenError;
use crate::mapping::Access;
use crate::name::Place;
use crate::open::{self, Expected};
use crate::sys;

type Slot<T> = RefCell<Option<Vec<T>>>;

thread_local! {
    static COLLECTED: Slot<SharedBuffer> = const { RefCell::new(None) };
    static ADOPTABLE: Slot<OwnedFd> = const { RefCell::new(None) };
    static EXPLANATION: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs `f`, and gathers every segment whose buffer or handle it serialises; they become numbers in the output.
///
/// Each segment is listed once, and once more where it is also serialised with the other access. A handle is gathered
/// where this process has its segment mapped, and is written as it is otherwise. Segments of the portable backend are
/// not listed: they travel by their os_id.
///
/// # Panics
///
/// Where `f` does; what was gathered is let go of.
///
/// ```
/// use ndshm_buffer::{SharedBuffer, passing};
///
/// let buffer = SharedBuffer::anonymous(64)?;
/// let (bytes, segments) = passing::collect(|| postcard::to_stdvec(&[&buffer, &buffer]));
/// assert_eq!((bytes.is_ok(), segments.len()), (true, 1));
/// # Ok::<(), ndshm_buffer::CreateError>(())
/// ```
pub fn collect<R>(f: impl FnOnce() -> R) -> (R, Vec<SharedBuffer>) {
    let frame = Frame::enter(&COLLECTED, Vec::new());
    let result = f();
    (result, frame.leave())
}

/// True within [`collect`] on this thread.
///
/// ```
/// use ndshm_buffer::passing;
///
/// assert!(!passing::is_collecting());
/// assert!(passing::collect(passing::is_collecting).0);
/// ```
pub fn is_collecting() -> bool {
    COLLECTED.with_borrow(Option::is_some)
}

/// Runs `f`, within which buffers and handles that [`collect`] numbered can be deserialised from `fds`, the descriptors
/// of the segments in the order of its list.
///
/// The descriptors are closed at the end; what was deserialised has its own. Until then they are marked close-on-exec,
/// so that a process started meanwhile does not inherit them.
///
/// # Panics
///
/// Where `f` does; the descriptors are closed.
///
/// # Safety
///
/// What `f` deserialises was written within [`collect`] by the launcher of this process, and `fds` are the segments of
/// that list: layers above open theirs on the strength of this, where they would ask for a promise otherwise.
///
/// ```
/// use ndshm_buffer::passing;
///
/// // SAFETY: nothing is deserialised.
/// assert_eq!(unsafe { passing::adopt(Vec::new(), || 3) }, 3);
/// ```
pub unsafe fn adopt<R>(fds: Vec<OwnedFd>, f: impl FnOnce() -> R) -> R {
    for fd in &fds {
        // Refused only for what is no descriptor, which mapping it will report.
        let _ = sys::close_on_exec(fd.as_fd());
    }
    let frame = Frame::enter(&ADOPTABLE, fds);
    let result = f();
    frame.leave();
    result
}

/// True within [`adopt`] on this thread.
///
/// ```
/// use ndshm_buffer::passing;
///
/// assert!(!passing::is_adopting());
/// // SAFETY: nothing is deserialised.
/// assert!(unsafe { passing::adopt(Vec::new(), passing::is_adopting) });
/// ```
pub fn is_adopting() -> bool {
    ADOPTABLE.with_borrow(Option::is_some)
}

/// Notes why serialising or deserialising is about to fail, and hands the reason back: for
/// `Error::custom`. Compact formats drop that text; [`explanation`] brings it to the launcher all the same.
///
/// ```
/// use ndshm_buffer::passing;
///
/// assert_eq!(passing::explain("too late"), "too late");
/// assert_eq!(passing::explanation().as_deref(), Some("too late"));
/// ```
pub fn explain<T: Display>(reason: T) -> T {
    EXPLANATION.set(Some(reason.to_string()));
    reason
}

/// Takes the last reason that was noted on this thread.
///
/// ```
/// assert_eq!(ndshm_buffer::passing::explanation(), None);
/// ```
pub fn explanation() -> Option<String> {
    EXPLANATION.take()
}

/// The number of this buffer's segment in the list of the running [`collect`]. A portable one has none: its os_id
/// is enough.
pub(crate) fn number(buffer: &SharedBuffer) -> Option<u32> {
    if buffer.backend() == Backend::Portable {
        return None;
    }
    COLLECTED.with_borrow_mut(|list| {
        let list = list.as_mut()?;
        let same = |other: &SharedBuffer| {
            other.id() == buffer.id() && other.is_read_only() == buffer.is_read_only()
        };
        let index = list.iter().position(same).unwrap_or_else(|| {
            list.push(buffer.clone());
            list.len() - 1
        });
        u32::try_from(index).ok()
    })
}

/// Why a number could not be turned into a buffer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AdoptError {
    #[error(
        "a shared buffer that travels as an inherited descriptor arrives only in a worker's start-up"
    )]
    NotAdopting,
    #[error("inherited segment {index} was named, but only {count} descriptors were inherited")]
    Missing { index: u32, count: usize },
    #[error(transparent)]
    Open(#[from] OpenError),
}

/// Maps the segment that has this number among the descriptors of the running [`adopt`].
pub(crate) fn take(
    index: u32,
    access: Access,
    place: Option<Place>,
    expected: Expected,
) -> Result<SharedBuffer, AdoptError> {
    ADOPTABLE.with_borrow(|list| {
        let list = list.as_ref().ok_or(AdoptError::NotAdopting)?;
        let missing = AdoptError::Missing { index, count: list.len() };
        let fd = list.get(index as usize).ok_or(missing)?;
        Ok(open::inherited(fd.as_fd(), access, place, expected)?)
    })
}

/// One run of `collect` or `adopt`: its list stands in the slot, the outer run's list is put back at the end.
struct Frame<T: 'static> {
    slot: &'static LocalKey<Slot<T>>,
    outer: Option<Vec<T>>,
}

impl<T> Frame<T> {
    fn enter(slot: &'static LocalKey<Slot<T>>, list: Vec<T>) -> Self {
        Self { slot, outer: slot.replace(Some(list)) }
    }

    fn leave(self) -> Vec<T> {
        self.slot.take().unwrap_or_default()
    }
}

impl<T> Drop for Frame<T> {
    fn drop(&mut self) {
        // Bound to a name: what the list holds is dropped after the slot's borrow has ended.
        let _inner = self.slot.replace(self.outer.take());
    }
}
