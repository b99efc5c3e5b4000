//! Linux: `rustix` for the system calls, `libc` for the open file description locks that it lacks.

mod attached;
mod files;
mod guard;
mod locks;
mod passing;
mod probe;
mod region;
mod room;

pub(crate) use attached::{Mapper, mappers};
pub(crate) use files::*;
pub(crate) use guard::{Watch, install as install_guard};
pub(crate) use locks::{GROWTH, LIFECYCLE, Lock, PRESENCE, is_locked, lock, try_lock, unlock};
pub(crate) use passing::{duplicate, keep_from_programs, let_inherit, receive, send};
pub(crate) use probe::collapse_one;
pub(crate) use region::Region;
pub(crate) use room::{directory_room, file_size_limit, lies_in_memory, memory_room};

/// The descriptors of this process, each a link that opens a new description of the same file.
const OWN_DESCRIPTORS: &str = "/proc/self/fd";

pub(crate) fn page_size() -> usize {
    rustix::param::page_size()
}

pub(crate) fn process_id() -> u32 {
    std::process::id()
}

pub(crate) fn effective_user() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// The directory of named segments where nobody names another.
pub(crate) const DEFAULT_DIRECTORY: &str = "/dev/shm";
