//! From an os_id to a mapping.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use shared_memory::ShmemConf;

use super::mapped::Mapped;
use super::trailer::{self, Unreadable};
use super::{answer, lacking};
use crate::buffer::SharedBuffer;
use crate::error::{OpenError, Shortage};
use crate::id::SegmentId;
use crate::mapping::{Access, Key, Parts};
use crate::open::{self, Expected};
use crate::options::BufferOptions;
use crate::os_id::OsId;
use crate::registry;
use crate::room::{self, Addresses, Lack};
use crate::sys::{self, FileFacts, shm};

/// How long a segment may be half made before who opens it is told. Its creator reserves meanwhile, and copies.
const PATIENCE: Duration = Duration::from_secs(2);

/// The pauses between looks at something half made.
const NAPS: [Duration; 2] = [Duration::from_micros(50), Duration::from_millis(5)];

/// Opens what has that os_id, and holds it to be the expected segment where there is one to expect.
pub(crate) fn open(
    options: &BufferOptions,
    os_id: OsId,
    expected: Option<Expected>,
) -> Result<SharedBuffer, OpenError> {
    if options.read_only {
        return Err(lacking::READ_ONLY.of(os_id.as_str()).into());
    }
    lacking::of_both(options, os_id.as_str())?;
    let found = find(&os_id, options, PATIENCE)?;
    let (id, mapped) = (found.id(), found.mapped.file_len());
    open::expect((id, mapped as u64), expected, Path::new(os_id.as_str()))?;
    let mapping = registry::find_or_map(Key { id, access: Access::ReadWrite }, || {
        Ok::<_, OpenError>(Parts {
            backing: found.mapped.into(),
            fd: found.fd,
            capacity: None,
            typed: None,
        })
    })?;
    if mapping.file_len() != mapped {
        let (path, len) = (os_id.as_str().into(), mapped);
        return Err(OpenError::Resized { path, mapped: mapping.file_len(), len });
    }
    Ok(SharedBuffer::from_parts(mapping, None, None))
}

/// Something mapped, and a descriptor of the same.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) mapped: Mapped,
    pub(super) fd: OwnedFd,
    pub(super) facts: FileFacts,
}

impl Found {
    fn id(&self) -> SegmentId {
        self.mapped.id(self.facts.ino)
    }
}

/// What a look finds.
enum Look {
    Whole(Found),
    /// Half made, or another at each step: this is the error if it stays so.
    NotYet(OpenError),
}

/// Maps what has that os_id, once it is whole.
pub(super) fn find(
    os_id: &OsId,
    options: &BufferOptions,
    patience: Duration,
) -> Result<Found, OpenError> {
    let begin = Instant::now();
    let [mut nap, longest] = NAPS;
    loop {
        let refusal = match look(os_id, options)? {
            Look::Whole(found) => return Ok(found),
            Look::NotYet(refusal) => refusal,
        };
        if begin.elapsed() >= patience {
            return Err(refusal);
        }
        thread::sleep(nap);
        nap = longest.min(nap * 2);
    }
}

fn look(os_id: &OsId, options: &BufferOptions) -> Result<Look, OpenError> {
    let path = || PathBuf::from(os_id.as_str());
    let (fd, facts) = examine(os_id)?;
    open::purpose(options).vet(&facts).map_err(|unfit| open::unfit_error(unfit, &path()))?;
    if facts.len == 0 {
        return Ok(Look::NotYet(OpenError::Empty { path: path() }));
    }
    open::attachable(&facts, &path())?;
    reserve(&fd, &facts, os_id)?;
    let shmem = match ShmemConf::new().os_id(os_id.as_str()).open().map_err(answer) {
        Ok(shmem) => shmem,
        // Gone meanwhile, or another that is still empty: the next look tells.
        Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::EINVAL)) => {
            return Ok(Look::NotYet(OpenError::Unstable { path: path() }));
        }
        Err(error) => return Err(system_error(os_id, "map it", error)),
    };
    // The name led to the descriptor's before and leads there now, so it did when it was mapped. Where a system numbers
    // nothing, the lengths have to do.
    let (_again, now) = examine(os_id)?;
    if (now.dev, now.ino, now.len) != (facts.dev, facts.ino, facts.len)
        || (shmem.len() as u64) < facts.len
    {
        return Ok(Look::NotYet(OpenError::Unstable { path: path() }));
    }
    if os_id.name().is_none() {
        let mapped = Mapped::foreign(shmem, os_id.clone());
        let mapped = mapped.ok_or_else(|| OpenError::Empty { path: path() })?;
        return Ok(Look::Whole(Found { mapped, fd, facts }));
    }
    match Mapped::own(shmem, os_id.clone()) {
        Ok(mapped) => Ok(Look::Whole(Found { mapped, fd, facts })),
        Err(Unreadable::Unfinished) => Ok(Look::NotYet(OpenError::Unfinished { path: path() })),
        Err(Unreadable::Version(found)) => {
            Err(OpenError::Version { path: path(), found, known: trailer::VERSION })
        }
        Err(Unreadable::Damaged) => Err(OpenError::Damaged {
            path: path(),
            what: "what its end says does not go with its length",
        }),
    }
}

/// What has that os_id now.
fn examine(os_id: &OsId) -> Result<(OwnedFd, FileFacts), OpenError> {
    let fd = shm::open(os_id.as_str()).map_err(|source| system_error(os_id, "open it", source))?;
    let facts = sys::facts_of(fd.as_fd());
    let facts = facts.map_err(|source| system_error(os_id, "examine it", source))?;
    Ok((fd, facts))
}

/// Sees to it that all of it is set aside: before this nothing may be touched.
fn reserve(fd: &OwnedFd, facts: &FileFacts, os_id: &OsId) -> Result<(), OpenError> {
    // `attachable` has seen that a process can address it.
    let len = usize::try_from(facts.len).unwrap_or(usize::MAX);
    let path = || PathBuf::from(os_id.as_str());
    if let Some(Addresses { free, limit }) = room::lacking_addresses(len) {
        return Err(OpenError::AddressSpace { path: path(), len: facts.len, free, limit });
    }
    let lacking = facts.len.saturating_sub(facts.reserved);
    if lacking == 0 {
        return Ok(());
    }
    let no_space = |Lack { free, shortage }, source| OpenError::NoSpace {
        path: path(),
        asked: lacking,
        free,
        shortage,
        source,
    };
    let lack = look_for_room(lacking, fd.as_fd()).err();
    lack.map_or(Ok(()), |lack| Err(no_space(lack, None)))?;
    match reserve_all(fd.as_fd(), len) {
        Err(source) if sys::is_full(&source) => Err(no_space(lack_of(fd.as_fd()), Some(source))),
        Err(source) => Err(system_error(os_id, "reserve it", source)),
        Ok(()) => Ok(()),
    }
}

/// Says what there is too little of.
pub(super) fn look_for_room(more: u64, fd: BorrowedFd<'_>) -> Result<(), Lack> {
    let lack = lack_of(fd);
    if lack.free < more {
        return Err(lack);
    }
    room::check(usize::try_from(more).unwrap_or(usize::MAX), None)
}

/// What shared memory has free.
pub(super) fn lack_of(fd: BorrowedFd<'_>) -> Lack {
    let free = sys::directory_room(fd).ok().flatten();
    Lack { free: free.unwrap_or(u64::MAX), shortage: Shortage::SharedMemory }
}

/// Reserves so many bytes, where the system has such a thing.
pub(super) fn reserve_all(fd: BorrowedFd<'_>, len: usize) -> io::Result<()> {
    sys::reserve(fd, &(0..len)).or_else(|error| match shm::cannot_reserve(&error) {
        true => Ok(()),
        false => Err(error),
    })
}

fn system_error(os_id: &OsId, step: &'static str, source: io::Error) -> OpenError {
    let path = PathBuf::from(os_id.as_str());
    match source.kind() {
        io::ErrorKind::NotFound => OpenError::NotFound { path, dir: sys::DEFAULT_DIRECTORY.into() },
        io::ErrorKind::PermissionDenied => OpenError::PermissionDenied { path, source },
        _ if shm::is_link(&source) => OpenError::Symlink { path },
        _ => open::os(&path, step, source),
    }
}
