//! Names removed, or kept.
//!
//! Between the look at a name and its removal it can come to lead to another segment: there is no lock that all systems
//! have on shared memory. So a removal that is meant for one segment is right but for that moment, and no better.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::Duration;

use super::mapped::Mapped;
use super::{lacking, open};
use crate::error::{PersistError, RemoveError};
use crate::mapping::Mapping;
use crate::options::BufferOptions;
use crate::os_id::OsId;
use crate::sys::{self, FileFacts, shm};

/// A segment that this process has created.
#[derive(Debug)]
pub(crate) struct Created(Arc<Mapping>);

impl Created {
    pub(super) fn new(mapping: Arc<Mapping>) -> Self {
        Self(mapping)
    }

    /// Lets others open it.
    pub(super) fn publish(&self) {
        if let Some(trailer) = self.0.portable().and_then(Mapped::trailer) {
            trailer.publish();
        }
    }

    /// Removes the name, unless it is to be kept.
    pub(crate) fn remove_unkept(&self) {
        if let Some(mapped) = self.0.portable()
            && mapped.trailer().is_none_or(|trailer| !trailer.is_kept())
        {
            // A drop cannot report, and nobody else would remove it. What fails for want of something, as a descriptor,
            // may do so for a moment.
            let unlink = || unlink(mapped, self.0.as_fd());
            let _ = unlink().or_else(|_| unlink());
        }
    }
}

/// Removes a name, whichever segment has it, finished or not.
pub(crate) fn remove(options: &BufferOptions, os_id: &OsId) -> Result<(), RemoveError> {
    lacking::of_both(options, os_id.as_str())?;
    let (fd, path) = (shm::open(os_id.as_str()), || os_id.as_str().into());
    let failed = |source| remove_error(os_id, source);
    let facts = fd.and_then(|fd| sys::facts_of(fd.as_fd())).map_err(failed)?;
    let user = sys::effective_user();
    if facts.owner != user && !options.foreign_owner {
        return Err(RemoveError::ForeignOwner { path: path(), owner: facts.owner, user });
    }
    shm::unlink(os_id.as_str()).map_err(failed)
}

/// Removes the name of a segment if it leads there still; false where it does not.
pub(crate) fn unlink(mapped: &Mapped, fd: BorrowedFd<'_>) -> Result<bool, RemoveError> {
    let os_id = mapped.os_id();
    let failed = |source| remove_error(os_id, source);
    Ok(leads_to(mapped, fd).map_err(failed)? && only(os_id, fd).map_err(failed)?)
}

/// Has the name of a segment outlive its creator.
pub(crate) fn persist(mapped: &Mapped, fd: BorrowedFd<'_>) -> Result<(), PersistError> {
    let os_id = mapped.os_id();
    let path = || os_id.as_str().into();
    let trailer = mapped.trailer().ok_or_else(|| lacking::KEEP.of(os_id.as_str()))?;
    match leads_to(mapped, fd) {
        Ok(true) => {
            trailer.keep();
            Ok(())
        }
        Ok(false) => Err(PersistError::Removed { path: path() }),
        Err(source) => Err(PersistError::System { path: path(), source }),
    }
}

/// Removes the name if what it leads to is what the descriptor is of, as far as the system numbers that.
pub(super) fn only(os_id: &OsId, fd: BorrowedFd<'_>) -> io::Result<bool> {
    if !is_numbered_alike(os_id, fd)? {
        return Ok(false);
    }
    match shm::unlink(os_id.as_str()) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        removed => removed.map(|()| true),
    }
}

/// Whether the name of a segment leads there still.
fn leads_to(mapped: &Mapped, fd: BorrowedFd<'_>) -> io::Result<bool> {
    if !is_numbered_alike(mapped.os_id(), fd)? {
        return Ok(false);
    }
    Ok(sys::facts_of(fd)?.ino != 0 || has_same_trailer(mapped))
}

/// Whether what the name leads to has the number of what the descriptor is of.
fn is_numbered_alike(os_id: &OsId, fd: BorrowedFd<'_>) -> io::Result<bool> {
    let number = |facts: FileFacts| (facts.dev, facts.ino);
    match shm::open(os_id.as_str()) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        // Without a look: it has a name still, where a system counts them.
        Err(error) if sys::lacks_descriptors(&error) => Ok(sys::facts_of(fd)?.links > 0),
        found => Ok(number(sys::facts_of(found?.as_fd())?) == number(sys::facts_of(fd)?)),
    }
}

/// Whether the name leads to this segment by what stands at its end: where a system does not number shared memory.
fn has_same_trailer(mapped: &Mapped) -> bool {
    let anyones = BufferOptions::new().foreign_owner(true);
    let found = open::find(mapped.os_id(), &anyones, Duration::ZERO);
    found.is_ok_and(|found| found.mapped.facts() == mapped.facts())
}

fn remove_error(os_id: &OsId, source: io::Error) -> RemoveError {
    let path = os_id.as_str().into();
    match source.kind() {
        io::ErrorKind::NotFound => {
            RemoveError::NotFound { path, dir: sys::DEFAULT_DIRECTORY.into() }
        }
        io::ErrorKind::PermissionDenied => RemoveError::PermissionDenied { path, source },
        _ if shm::is_link(&source) => RemoveError::NotRegular { path, kind: "a symbolic link" },
        _ => RemoveError::System { path, step: "remove the name", source },
    }
}
