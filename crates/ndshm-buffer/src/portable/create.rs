//! From nothing to a segment that others can open.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use shared_memory::{Shmem, ShmemConf, ShmemError};

use super::mapped::Mapped;
use super::open::{lack_of, look_for_room, reserve_all};
use super::remove::{self, Created};
use super::trailer::{self, Facts};
use super::{answer, lacking};
use crate::buffer::SharedBuffer;
use crate::copy;
use crate::creator::Creator;
use crate::error::{CreateError, Shortage};
use crate::mapping::{Access, Key, Parts};
use crate::options::BufferOptions;
use crate::os_id::OsId;
use crate::registry;
use crate::room::{self, Lack};
use crate::sys::{self, shm};

/// A segment of that name, filled by `init` before others can open it by this crate.
///
/// `init` has private memory, which is copied: what is shared already others could touch, who do not wait for the
/// trailer. It runs first, so that nothing is there yet if it fails, or never ends.
pub(crate) fn create<E: From<CreateError>>(
    options: &BufferOptions,
    name: &str,
    len: usize,
    init: Option<impl FnOnce(&mut [u8]) -> Result<(), E>>,
) -> Result<SharedBuffer, E> {
    let os_id = OsId::of_name(name).map_err(CreateError::from)?;
    let draft = Draft { options, name, os_id: &os_id, len };
    let file_len = draft.check()?;
    let bytes = match init {
        None => None,
        Some(init) => {
            let mut bytes = draft.private()?;
            init(&mut bytes)?;
            Some(bytes)
        }
    };
    Ok(draft.make(file_len, bytes.as_deref())?)
}

/// A segment in the making.
struct Draft<'a> {
    options: &'a BufferOptions,
    name: &'a str,
    os_id: &'a OsId,
    len: usize,
}

/// A name that is to be removed again, unless the making succeeds.
struct Unfinished<'a> {
    os_id: &'a OsId,
    fd: Option<OwnedFd>,
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        if let Some(fd) = &self.fd {
            // As `Created::remove_unkept`.
            let remove = || remove::only(self.os_id, fd.as_fd());
            let _ = remove().or_else(|_| remove());
        }
    }
}

impl Draft<'_> {
    /// What can be refused before anything is done; gives the length of the whole segment.
    fn check(&self) -> Result<usize, CreateError> {
        if self.options.read_only {
            return Err(CreateError::ReadOnly { segment: self.segment() });
        }
        lacking::of_creation(self.options, self.os_id.as_str())?;
        if self.len == 0 {
            return Err(CreateError::Empty { segment: self.segment() });
        }
        let asked = self.len as u64;
        let file_len = trailer::file_len(self.len).filter(|&len| len <= isize::MAX as usize);
        let file_len =
            file_len.ok_or_else(|| CreateError::TooLarge { segment: self.segment(), asked })?;
        let limit = sys::file_size_limit().filter(|&limit| file_len as u64 > limit);
        if let Some(limit) = limit {
            let (segment, asked) = (self.segment(), file_len as u64);
            return Err(CreateError::FileSizeLimit { segment, asked, limit });
        }
        // The name decides only when it is made; but who cannot win need not fill anything.
        if shm::open(self.os_id.as_str()).is_ok() {
            return Err(self.taken());
        }
        room::check(file_len, None).map_err(|lack| self.no_space(lack, None))?;
        Ok(file_len)
    }

    /// Zeroes for `init` to fill.
    fn private(&self) -> Result<Vec<u8>, CreateError> {
        let mut bytes = Vec::new();
        bytes
            .try_reserve_exact(self.len)
            .map_err(|_| self.no_space(Lack { free: 0, shortage: Shortage::Memory }, None))?;
        bytes.resize(self.len, 0);
        Ok(bytes)
    }

    fn make(&self, file_len: usize, bytes: Option<&[u8]>) -> Result<SharedBuffer, CreateError> {
        let mut shmem = self.shmem(file_len)?;
        let opened = shm::open(self.os_id.as_str());
        let fd = opened.map_err(|source| self.os("open it once more", source))?;
        let again = fd.try_clone().map_err(|source| self.os("duplicate its descriptor", source))?;
        let found = sys::facts_of(fd.as_fd()).map_err(|source| self.os("examine it", source))?;
        // So far it was the owner, and would have removed the name.
        shmem.set_owner(false);
        // Whoever removed the name meanwhile, and took it, keeps it, and as it is: reserving could make it longer.
        if found.len != file_len as u64 {
            return Err(self.taken());
        }
        let mut unfinished = Unfinished { os_id: self.os_id, fd: Some(again) };
        self.reserve(fd.as_fd(), file_len)?;

        let facts = Facts { len: self.len, instance: trailer::new_instance() };
        let unmapped = || self.os("map it", io::ErrorKind::InvalidData.into());
        let mapped = Mapped::made(shmem, self.os_id.clone(), facts).ok_or_else(unmapped)?;
        let trailer = mapped.trailer().ok_or_else(unmapped)?;
        trailer.write(facts, file_len, self.options.persist);
        if !leads_to(fd.as_fd(), facts, file_len) {
            // As above, where both are as long.
            unfinished.fd = None;
            return Err(self.taken());
        }
        let key = Key { id: mapped.id(0), access: Access::ReadWrite };
        let mapping = registry::find_or_map(key, || {
            Ok::<_, CreateError>(Parts { backing: mapped.into(), fd, capacity: None, typed: None })
        })?;
        if let Some(bytes) = bytes {
            copy::store(mapping.cells(), bytes);
        }
        let created = Created::new(Arc::clone(&mapping));
        created.publish();
        unfinished.fd = None;
        let creator = Arc::new(Creator::from(created));
        Ok(SharedBuffer::from_parts(mapping, None, Some(creator)))
    }

    /// The name, with so many bytes behind it, mapped. Others see it from here on.
    fn shmem(&self, file_len: usize) -> Result<Shmem, CreateError> {
        loop {
            let made = ShmemConf::new().os_id(self.os_id.as_str()).size(file_len).create();
            let source = match made {
                Ok(shmem) => return Ok(shmem),
                Err(ShmemError::MappingIdExists) => return Err(self.taken()),
                Err(error) => answer(error),
            };
            // It has removed the name again.
            if source.kind() == io::ErrorKind::Interrupted {
                continue;
            }
            if sys::is_full(&source) {
                let lack = Lack { free: 0, shortage: Shortage::SharedMemory };
                return Err(self.no_space(lack, Some(source)));
            }
            return Err(self.os("create it", source));
        }
    }

    /// Sets all of it aside, before anything is touched.
    fn reserve(&self, fd: BorrowedFd<'_>, file_len: usize) -> Result<(), CreateError> {
        // Who waits to open it may have done so already.
        let reserved = sys::facts_of(fd).map_or(0, |facts| facts.reserved);
        let lacking = (file_len as u64).saturating_sub(reserved);
        look_for_room(lacking, fd).map_err(|lack| self.no_space(lack, None))?;
        reserve_all(fd, file_len).map_err(|source| match sys::is_full(&source) {
            true => self.no_space(lack_of(fd), Some(source)),
            false => self.os("reserve it", source),
        })
    }

    fn segment(&self) -> String {
        self.os_id.as_str().to_owned()
    }

    fn taken(&self) -> CreateError {
        CreateError::NameTaken { name: self.name.to_owned(), path: self.os_id.as_str().into() }
    }

    fn no_space(&self, Lack { free, shortage }: Lack, source: Option<io::Error>) -> CreateError {
        CreateError::NoSpace {
            segment: self.segment(),
            asked: self.len as u64,
            free,
            shortage,
            source,
        }
    }

    fn os(&self, step: &'static str, source: io::Error) -> CreateError {
        let segment = self.segment();
        if sys::lacks_descriptors(&source) {
            return CreateError::TooManyFiles { segment, limit: sys::descriptor_limit(), source };
        }
        CreateError::System { segment, step, source }
    }
}

/// Whether a descriptor, opened by name, is of what was mapped by that name just before; true where the system does not
/// read shared memory by descriptors.
fn leads_to(fd: BorrowedFd<'_>, facts: Facts, file_len: usize) -> bool {
    match sys::read_end(fd, file_len as u64) {
        Ok(Some(end)) => trailer::instance(&end) == facts.instance,
        Ok(None) => false,
        Err(_) => true,
    }
}
