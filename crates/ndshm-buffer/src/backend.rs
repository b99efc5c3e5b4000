//! Which backend does it: the one place that chooses.

use std::fmt;
use std::os::fd::AsFd;

use crate::buffer::SharedBuffer;
use crate::create::{self, ANONYMOUS};
use crate::error::{CreateError, OpenError, PersistError, RemoveError, Unsupported};
use crate::lacking::{self, Lacking};
use crate::lifecycle::{self, Victim};
use crate::open;
use crate::options::BufferOptions;
use crate::os_id::OsId;
use crate::portable;
use crate::sys;

/// What makes segments, and maps them. The default is the native one where there is one.
///
/// See [Backends](crate#backends) for what each can do, and where it was run.
///
/// ```
/// use ndshm_buffer::{Backend, SharedBuffer};
///
/// # #[cfg(all(target_os = "linux", not(ndshm_portable_only)))] {
/// let buffer = SharedBuffer::anonymous(64)?;
/// assert_eq!((buffer.backend(), Backend::default()), (Backend::Native, Backend::Native));
/// # }
/// # Ok::<(), ndshm_buffer::CreateError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Backend {
    /// System calls of Linux: all that this crate promises.
    Native,
    /// Shared memory by its os_id, mapped by the crate `shared_memory`, whose programs can open such a segment too.
    /// With the cargo feature `portable`.
    Portable,
}

impl Default for Backend {
    fn default() -> Self {
        if sys::HAS_NATIVE { Self::Native } else { Self::Portable }
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Native => "native",
            Self::Portable => "portable",
        })
    }
}

/// Creates a named segment; `None` for `init` leaves it zero.
pub(crate) fn create<E: From<CreateError>>(
    options: &BufferOptions,
    name: &str,
    len: usize,
    init: Option<impl FnOnce(&mut [u8]) -> Result<(), E>>,
) -> Result<SharedBuffer, E> {
    match options.backend {
        Backend::Native => {
            compiled(name).map_err(CreateError::from)?;
            let place = options.place(name).map_err(CreateError::from)?;
            create::named(options, place, len, |bytes| init.map_or(Ok(()), |init| init(bytes)))
        }
        Backend::Portable => portable::create(options, name, len, init),
    }
}

/// Creates a segment without a name.
pub(crate) fn anonymous<E: From<CreateError>>(
    options: &BufferOptions,
    len: usize,
    init: impl FnOnce(&mut [u8]) -> Result<(), E>,
) -> Result<SharedBuffer, E> {
    native(options, ANONYMOUS, &lacking::ANONYMOUS).map_err(CreateError::from)?;
    create::anonymous(options, len, init)
}

/// Opens the segment that has this name.
pub(crate) fn open(options: &BufferOptions, name: &str) -> Result<SharedBuffer, OpenError> {
    match options.backend {
        Backend::Native => {
            compiled(name)?;
            open::named(options, options.place(name)?, None)
        }
        Backend::Portable => portable::open(options, OsId::of_name(name)?, None),
    }
}

/// Removes a name, whichever segment has it.
pub(crate) fn remove(options: &BufferOptions, name: &str) -> Result<(), RemoveError> {
    match options.backend {
        Backend::Native => {
            compiled(name)?;
            lifecycle::remove_any(&options.place(name)?, options.foreign_owner)
        }
        Backend::Portable => portable::remove(options, &OsId::of_name(name)?),
    }
}

/// Keeps the name of a segment that this process has open.
pub(crate) fn persist(buffer: &SharedBuffer) -> Result<(), PersistError> {
    match buffer.mapping().portable() {
        None => {
            let place = buffer.place().ok_or(PersistError::Anonymous)?;
            lifecycle::persist(place, buffer.id())
        }
        Some(mapped) => portable::persist(mapped, buffer.as_fd()),
    }
}

/// Removes the name of a segment that this process has open, if it leads there still.
pub(crate) fn unlink(buffer: &SharedBuffer) -> Result<bool, RemoveError> {
    match (buffer.mapping().portable(), buffer.place()) {
        (Some(mapped), _) => portable::unlink(mapped, buffer.as_fd()),
        (None, Some(place)) => lifecycle::remove_only(place, Victim::Only(buffer.id())),
        (None, None) => Ok(false),
    }
}

/// Refuses what the native backend alone can do, where these options are for another, or there is none.
pub(crate) fn native(
    options: &BufferOptions,
    segment: &str,
    lacking: &Lacking,
) -> Result<(), Unsupported> {
    match options.backend {
        Backend::Native => compiled(segment),
        Backend::Portable => Err(lacking.of(segment)),
    }
}

/// Refuses the native backend where there is none. The portable one refuses for itself.
fn compiled(segment: &str) -> Result<(), Unsupported> {
    if sys::HAS_NATIVE { Ok(()) } else { Err(lacking::NATIVE.of(segment)) }
}
