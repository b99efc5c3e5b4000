//! From a name or a handle to a mapping.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::buffer::SharedBuffer;
use crate::error::OpenError;
use crate::growth::{self, Trailer, Unreadable};
use crate::id::SegmentId;
use crate::lifecycle::{HoldError, Purpose, Unfit, hold};
use crate::mapping::{Access, Key, Mapping, Parts};
use crate::name::Place;
use crate::options::BufferOptions;
use crate::pass::Ticket;
use crate::registry;
use crate::room::{self, Addresses};
use crate::sys::{self, ATTACHING, FileFacts, Lock, PRESENCE, Region};
use crate::typed::TYPED_MAGIC;

/// The segment that a handle was made from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Expected {
    pub(crate) id: SegmentId,
    /// The length of its file.
    pub(crate) len: u64,
}

/// Opens by name, and holds the file to be the expected one where there is one to expect.
pub(crate) fn named(
    options: &BufferOptions,
    place: Place,
    expected: Option<Expected>,
) -> Result<SharedBuffer, OpenError> {
    let purpose = purpose(options);
    let held = hold(&place, purpose).map_err(|error| hold_error(error, &place))?;
    let path = place.path();
    attachable(&held.facts, path)?;
    expect(identity(&held.facts), expected, path)?;
    let (facts, access) = (held.facts, Access::read_only(options.read_only));
    let mapping = attach(facts, access, path, || {
        held.release().map_err(|source| os(path, "unlock it", source))
    })?;
    Ok(SharedBuffer::from_parts(mapping, Some(Arc::new(place)), None).guarded(options.guarded))
}

/// Opens an anonymous segment through the descriptor of a process that holds it.
pub(crate) fn held_elsewhere(
    options: &BufferOptions,
    pid: u32,
    fd: RawFd,
    expected: Expected,
) -> Result<SharedBuffer, OpenError> {
    let access = Access::read_only(options.read_only);
    // Mapped here already, so alive, and nothing else has its id: true where /proc is missing, too.
    if let Some(mapping) = registry::find(Key { id: expected.id, access })
        && mapping.file_len() as u64 == expected.len
    {
        return Ok(SharedBuffer::from_parts(mapping, None, None).guarded(options.guarded));
    }
    let path = sys::descriptor_of(pid, fd);
    let gone = |source: io::Error| match source.kind() {
        io::ErrorKind::PermissionDenied => {
            OpenError::PermissionDenied { path: path.clone(), source }
        }
        _ if sys::lacks_descriptors(&source) => os(&path, "open it", source),
        _ => OpenError::Gone { path: path.clone(), source },
    };
    let purpose = purpose(options);
    // Before the open: the number may stand for any file by now, and opening some has an effect.
    let examine = |facts: &FileFacts| {
        expect(identity(facts), Some(expected), &path)?;
        purpose.vet(facts).map_err(|unfit| unfit_error(unfit, &path))?;
        attachable(facts, &path)
    };
    examine(&sys::facts_of_path(&path).map_err(gone)?)?;
    let opened = sys::open_path(&path, access.writable()).map_err(gone)?;
    let facts = sys::facts_of(opened.as_fd()).map_err(|source| os(&path, "examine it", source))?;
    examine(&facts)?;
    let mapping = attach(facts, access, &path, || {
        mark(&opened, &path)?;
        Ok(opened)
    })?;
    Ok(SharedBuffer::from_parts(mapping, None, None).guarded(options.guarded))
}

/// Maps a segment whose descriptor came from another process, which says what it is.
pub(crate) fn received(
    options: &BufferOptions,
    fd: BorrowedFd<'_>,
    ticket: Ticket,
) -> Result<SharedBuffer, OpenError> {
    let path = shown(ticket.place.as_ref(), fd);
    let facts = sys::facts_of(fd).map_err(|source| os(&path, "examine it", source))?;
    purpose(options).vet(&facts).map_err(|unfit| unfit_error(unfit, &path))?;
    if ticket.place.is_none() && !sys::is_sealed(fd) {
        return Err(OpenError::Unsealed { path });
    }
    let writable = sys::is_writable(fd).map_err(|source| os(&path, "examine it", source))?;
    let access = Access::read_only(options.read_only || ticket.read_only || !writable);
    let expected = Expected { id: ticket.id, len: ticket.file_len };
    Ok(inherited(fd, access, ticket.place, expected)?.guarded(options.guarded))
}

/// The path of a segment that came as a descriptor, as messages name it.
fn shown(place: Option<&Place>, fd: BorrowedFd<'_>) -> PathBuf {
    match place {
        Some(place) => place.path().to_owned(),
        None => sys::descriptor_of(sys::process_id(), sys::raw(fd)),
    }
}

/// Maps a segment whose descriptor this process has.
pub(crate) fn inherited(
    fd: BorrowedFd<'_>,
    access: Access,
    place: Option<Place>,
    expected: Expected,
) -> Result<SharedBuffer, OpenError> {
    let shown = shown(place.as_ref(), fd);
    let path = shown.as_path();
    let facts = sys::facts_of(fd).map_err(|source| os(path, "examine it", source))?;
    expect(identity(&facts), Some(expected), path)?;
    if facts.kind != sys::FileKind::Regular {
        return Err(OpenError::NotRegular {
            path: shown,
            kind: "an inherited descriptor of another kind",
        });
    }
    attachable(&facts, path)?;
    let mapping = attach(facts, access, path, || {
        let own = sys::reopen_or_duplicate(fd, access.writable())
            .map_err(|source| os(path, "duplicate its descriptor", source))?;
        mark(&own, path)?;
        Ok(own)
    })?;
    Ok(SharedBuffer::from_parts(mapping, place.map(Arc::new), None))
}

pub(crate) fn purpose(options: &BufferOptions) -> Purpose {
    Purpose {
        writable: !options.read_only,
        // Marked as in use before removers are let in again, so that none takes it for an orphan.
        bytes: ATTACHING,
        lock: Lock::Shared,
        patient: true,
        foreign_owner: options.foreign_owner,
    }
}

/// The mapping of the file that `supply` gives the descriptor of, unless the process maps it already.
fn attach(
    facts: FileFacts,
    access: Access,
    path: &Path,
    supply: impl FnOnce() -> Result<OwnedFd, OpenError>,
) -> Result<Arc<Mapping>, OpenError> {
    let len = usize::try_from(facts.len)
        .map_err(|_| OpenError::TooLarge { path: path.to_owned(), len: facts.len })?;
    let mapping = registry::find_or_map(Key { id: SegmentId::of(&facts), access }, || {
        let fd = supply()?;
        let region = Region::map(fd.as_fd(), len, access.writable()).map_err(|source| {
            match room::lacking_addresses(len) {
                Some(Addresses { free, limit }) => {
                    let path = path.to_owned();
                    OpenError::AddressSpace { path, len: facts.len, free, limit }
                }
                None => os(path, "map it", source),
            }
        })?;
        let End { capacity, typed } = end(&fd, facts.len, path)?;
        Ok::<_, OpenError>(Parts { backing: region.into(), fd, capacity, typed: Some(typed) })
    })?;
    if mapping.file_len() != len {
        // Somebody has resized the file under a mapping of this process: parts of that may be gone.
        let mapped = mapping.file_len();
        return Err(OpenError::Resized { path: path.to_owned(), mapped, len });
    }
    Ok(mapping)
}

/// What the end of a file says of the segment.
struct End {
    /// How far it can grow; `None` where it cannot.
    capacity: Option<usize>,
    /// It holds more than bytes.
    typed: bool,
}

/// Reads it by a call, since looking at the mapped page would cost a fault.
fn end(fd: &OwnedFd, len: u64, path: &Path) -> Result<End, OpenError> {
    let path = || path.to_owned();
    let read = sys::read_end(fd.as_fd(), len);
    let Some(end) = read.map_err(|source| os(&path(), "read the end of it", source))? else {
        return Ok(End { capacity: None, typed: false });
    };
    match Trailer::parse(&end, len) {
        Ok(trailer) => Ok(End {
            // `parse` has seen that a process can address it.
            capacity: trailer.and_then(|trailer| usize::try_from(trailer.capacity).ok()),
            typed: end.starts_with(&TYPED_MAGIC),
        }),
        Err(Unreadable::Version(found)) => {
            Err(OpenError::Version { path: path(), found, known: growth::VERSION })
        }
        Err(Unreadable::Damaged(what)) => Err(OpenError::Damaged { path: path(), what }),
    }
}

fn mark(fd: &OwnedFd, path: &Path) -> Result<(), OpenError> {
    sys::lock(fd.as_fd(), PRESENCE, Lock::Shared)
        .map_err(|source| os(path, "mark it as in use", source))
}

/// Refuses what cannot be mapped or what others may hold by another name.
pub(crate) fn attachable(facts: &FileFacts, path: &Path) -> Result<(), OpenError> {
    let path = || path.to_owned();
    if facts.links > 1 {
        return Err(OpenError::HardLinks { path: path(), links: facts.links });
    }
    match facts.len {
        0 => Err(OpenError::Empty { path: path() }),
        len if len > isize::MAX as u64 => Err(OpenError::TooLarge { path: path(), len }),
        _ => Ok(()),
    }
}

fn identity(facts: &FileFacts) -> (SegmentId, u64) {
    (SegmentId::of(facts), facts.len)
}

/// Refuses what is not the segment that was expected.
pub(crate) fn expect(
    (found, found_len): (SegmentId, u64),
    expected: Option<Expected>,
    path: &Path,
) -> Result<(), OpenError> {
    match expected {
        Some(expected) if expected.id != found || expected.len != found_len => {
            Err(OpenError::Replaced {
                path: path.to_owned(),
                expected: expected.id,
                expected_len: expected.len,
                found,
                found_len,
            })
        }
        _ => Ok(()),
    }
}

pub(crate) fn hold_error(error: HoldError, place: &Place) -> OpenError {
    let (path, dir) = (place.path().to_owned(), place.dir().to_owned());
    match error {
        HoldError::Directory(source) if sys::lacks_descriptors(&source) => {
            os(&path, "open it", source)
        }
        HoldError::Directory(source) => OpenError::Directory { dir, source },
        HoldError::NotFound => OpenError::NotFound { path, dir },
        HoldError::Unstable | HoldError::Busy => OpenError::Unstable { path },
        HoldError::Unfit(unfit) => unfit_error(unfit, &path),
        HoldError::System { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
            OpenError::PermissionDenied { path, source }
        }
        HoldError::System { step, source } => os(&path, step, source),
    }
}

pub(crate) fn unfit_error(unfit: Unfit, path: &Path) -> OpenError {
    let path = path.to_owned();
    match unfit {
        Unfit::Symlink => OpenError::Symlink { path },
        Unfit::NotRegular(kind) => OpenError::NotRegular { path, kind },
        Unfit::ForeignOwner { owner, user } => OpenError::ForeignOwner { path, owner, user },
    }
}

pub(crate) fn os(path: &Path, step: &'static str, source: io::Error) -> OpenError {
    let path = path.to_owned();
    if sys::lacks_descriptors(&source) {
        return OpenError::TooManyFiles { path, limit: sys::descriptor_limit(), source };
    }
    OpenError::System { path, step, source }
}
