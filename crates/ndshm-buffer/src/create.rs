//! From nothing to a segment that others can open, or back to nothing.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::slice;
use std::sync::Arc;

use crate::buffer::SharedBuffer;
use crate::creator::Creator;
use crate::error::CreateError;
use crate::growth::{self, Trailer};
use crate::id::SegmentId;
use crate::mapping::{Access, Key, Mapping, Parts};
use crate::name::Place;
use crate::options::BufferOptions;
use crate::prefault::{Failure, Job, Prefaulted};
use crate::registry;
use crate::room;
use crate::sys::{self, Lock, PRESENCE, Region};

/// An anonymous segment, filled by `init`.
pub(crate) fn anonymous<E: From<CreateError>>(
    options: &BufferOptions,
    len: usize,
    init: impl FnOnce(&mut [u8]) -> Result<(), E>,
) -> Result<SharedBuffer, E> {
    let draft = Draft { options, place: None, len };
    draft.check()?;
    room::check(len, None).map_err(|lack| draft.no_space(lack, None))?;
    let fd = sys::create_anonymous().map_err(|source| draft.os("create it", source))?;
    let (region, got) = draft.fill(fd.as_fd(), None, init)?;
    sys::seal_length(fd.as_fd()).map_err(|source| draft.os("seal its length", source))?;
    let (mapping, _) = draft.register(region, fd)?;
    let buffer = SharedBuffer::from_parts(mapping, None, None);
    Ok(buffer.with_prefaulted(got).guarded(options.guarded))
}

/// A named segment, filled by `init` before the name appears.
pub(crate) fn named<E: From<CreateError>>(
    options: &BufferOptions,
    place: Place,
    len: usize,
    init: impl FnOnce(&mut [u8]) -> Result<(), E>,
) -> Result<SharedBuffer, E> {
    let draft = Draft { options, place: Some(&place), len };
    draft.check()?;
    let dir = sys::open_directory(place.dir()).map_err(|source| directory(&place, source))?;
    let dir = dir.as_fd();
    // The name decides only when the segment is published; but who cannot win need not pay for the reservation.
    if sys::facts_of_name(dir, place.file()).is_ok() {
        return Err(taken(&place).into());
    }
    room::check(len, Some((dir, place.dir()))).map_err(|lack| draft.no_space(lack, None))?;
    let fd =
        sys::create_unnamed(dir, options.mode).map_err(|source| match sys::is_full(&source) {
            true => draft.no_space(room::of_files(dir, place.dir()), Some(source)),
            false => unnamed(&place, source),
        })?;
    draft.set_access(fd.as_fd())?;
    let (region, got) = draft.fill(fd.as_fd(), Some(dir), init)?;
    if options.persist {
        sys::mark_persistent(fd.as_fd()).map_err(|source| draft.os("mark it as kept", source))?;
    }
    let (mapping, id) = draft.register(region, fd)?;
    sys::publish(mapping.as_fd(), dir, place.file()).map_err(|source| match source.kind() {
        io::ErrorKind::AlreadyExists => taken(&place),
        _ => draft.os("give it its name", source),
    })?;
    let place = Arc::new(place);
    let creator = Arc::new(Creator::new(Arc::clone(&place), id));
    let buffer = SharedBuffer::from_parts(mapping, Some(place), Some(creator));
    Ok(buffer.with_prefaulted(got).guarded(options.guarded))
}

/// A segment in the making.
struct Draft<'a> {
    options: &'a BufferOptions,
    place: Option<&'a Place>,
    len: usize,
}

impl Draft<'_> {
    /// What can be refused before anything is done.
    fn check(&self) -> Result<(), CreateError> {
        let segment = || describe(self.place);
        if self.options.read_only {
            return Err(CreateError::ReadOnly { segment: segment() });
        }
        let mode = self.options.mode;
        if mode & !0o666 != 0 || mode & 0o600 != 0o600 {
            return Err(CreateError::Mode { segment: segment(), mode });
        }
        if self.len == 0 {
            return Err(CreateError::Empty { segment: segment() });
        }
        let asked = self.options.capacity.unwrap_or(self.len);
        if asked < self.len {
            let (len, capacity) = (self.len, asked);
            return Err(CreateError::Capacity { segment: segment(), len, capacity });
        }
        let asked = asked as u64;
        let file_len = self.file_len().filter(|&len| len <= isize::MAX as usize);
        let file_len =
            file_len.ok_or_else(|| CreateError::TooLarge { segment: segment(), asked })?;
        match sys::file_size_limit() {
            Some(limit) if file_len as u64 > limit => Err(CreateError::FileSizeLimit {
                segment: segment(),
                asked: file_len as u64,
                limit,
            }),
            _ => Ok(()),
        }
    }

    /// How long the file is to be; `None` where no number is so great.
    fn file_len(&self) -> Option<usize> {
        self.options.capacity.map_or(Some(self.len), growth::file_len)
    }

    /// Reserves what is in use of the file, and has it in the page tables as far as was asked for.
    fn reserve(&self, fd: BorrowedFd<'_>, region: &Region) -> Result<Prefaulted, Failure> {
        let prefault = &self.options.prefault;
        let got = Job { region, writable: true, reserve: Some(fd), prefault }.run(0..self.len)?;
        if self.options.capacity.is_some() {
            let trailer = region.len() - growth::TRAILER..region.len();
            sys::reserve(fd, &trailer)
                .map_err(|source| Failure { step: "reserve its end", source })?;
        }
        Ok(got)
    }

    /// Gives the file its group and mode, before anyone can open it.
    fn set_access(&self, fd: BorrowedFd<'_>) -> Result<(), CreateError> {
        if let Some(group) = self.options.group {
            sys::set_group(fd, group).map_err(|source| self.os("give it to its group", source))?;
        }
        sys::set_mode(fd, self.options.mode).map_err(|source| self.os("set its mode", source))
    }

    /// Reserves, maps and initialises a file that nobody else can reach yet.
    fn fill<E: From<CreateError>>(
        &self,
        fd: BorrowedFd<'_>,
        dir: Option<BorrowedFd<'_>>,
        init: impl FnOnce(&mut [u8]) -> Result<(), E>,
    ) -> Result<(Region, Prefaulted), E> {
        let file_len = self.file_len().unwrap_or(self.len);
        sys::set_length(fd, file_len as u64)
            .map_err(|source| self.os("give it its length", source))?;
        let region = Region::map(fd, file_len, true).map_err(|source| self.os("map it", source))?;
        let got = self.reserve(fd, &region).map_err(|Failure { step, source }| {
            if sys::is_full(&source) {
                let lack = room::lack(dir.zip(self.place.map(Place::dir)));
                self.no_space(lack, Some(source))
            } else {
                self.os(step, source)
            }
        })?;
        // SAFETY: `len` bytes, at most isize::MAX, are mapped readable and writable while `region` lives (invariants 1
        // and 2 of `Region`), which is longer than `bytes`. They are this call's alone: the file has no name, `fd` is
        // known to nobody, and neither the registry nor any buffer has the mapping yet.
        let bytes = unsafe { slice::from_raw_parts_mut(region.start().as_ptr(), region.len()) };
        let (bytes, rest) = bytes.split_at_mut(self.len);
        if let (Some(capacity), Some(end)) = (self.options.capacity, rest.last_chunk_mut()) {
            let trailer = Trailer { capacity: capacity as u64, len: self.len as u64 };
            *end = trailer.to_bytes(file_len as u64);
        }
        init(bytes)?;
        Ok((region, got))
    }

    /// Marks the segment as in use and lists its mapping, before anyone can open it.
    fn register(
        &self,
        region: Region,
        fd: OwnedFd,
    ) -> Result<(Arc<Mapping>, SegmentId), CreateError> {
        if self.place.is_some() {
            sys::lock(fd.as_fd(), PRESENCE, Lock::Shared)
                .map_err(|source| self.os("mark it as in use", source))?;
        }
        let facts = sys::facts_of(fd.as_fd()).map_err(|source| self.os("examine it", source))?;
        let id = SegmentId::of(&facts);
        let mapping = registry::find_or_map(Key { id, access: Access::ReadWrite }, || {
            let backing = region.into();
            Ok::<_, CreateError>(Parts {
                backing,
                fd,
                capacity: self.options.capacity,
                typed: None,
            })
        })?;
        Ok((mapping, id))
    }

    fn no_space(&self, lack: room::Lack, source: Option<io::Error>) -> CreateError {
        CreateError::NoSpace {
            segment: describe(self.place),
            asked: self.len as u64,
            free: lack.free,
            shortage: lack.shortage,
            source,
        }
    }

    fn os(&self, step: &'static str, source: io::Error) -> CreateError {
        if sys::lacks_descriptors(&source) {
            return too_many_files(self.place, source);
        }
        CreateError::System { segment: describe(self.place), step, source }
    }
}

/// A segment without a name, in messages.
pub(crate) const ANONYMOUS: &str = "an anonymous segment";

/// A native segment as messages name it.
pub(crate) fn describe(place: Option<&Place>) -> String {
    place.map_or_else(|| ANONYMOUS.to_owned(), |place| place.path().display().to_string())
}

fn taken(place: &Place) -> CreateError {
    CreateError::NameTaken { name: place.name().to_owned(), path: place.path().to_owned() }
}

fn too_many_files(place: Option<&Place>, source: io::Error) -> CreateError {
    CreateError::TooManyFiles { segment: describe(place), limit: sys::descriptor_limit(), source }
}

fn directory(place: &Place, source: io::Error) -> CreateError {
    if sys::lacks_descriptors(&source) {
        return too_many_files(Some(place), source);
    }
    CreateError::Directory { dir: place.dir().to_owned(), source }
}

fn unnamed(place: &Place, source: io::Error) -> CreateError {
    if sys::lacks_unnamed_files(&source) {
        CreateError::NoUnnamedFiles { dir: place.dir().to_owned(), source }
    } else {
        directory(place, source)
    }
}
