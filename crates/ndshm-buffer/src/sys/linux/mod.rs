//! Linux: `rustix` for the system calls, `libc` for the open file description locks that it lacks.

mod attached;
mod cgroup;
mod files;
mod guard;
mod huge;
mod locks;
mod numa;
mod passing;
mod region;
mod room;

pub(crate) use attached::{Mapper, mappers};
pub(crate) use files::*;
pub(crate) use guard::{Watch, install as install_guard};
pub(crate) use huge::{busy_time, bytes_in_huge_pages, collapse, populate, time_of_small_pages};
pub(crate) use locks::{
    ATTACHING, Bytes, GROWTH, LIFECYCLE, Lock, PRESENCE, is_locked, lock, try_lock, unlock,
};
pub(crate) use numa::{memory_nodes, prefer_node};
pub(crate) use passing::{duplicate, keep_from_programs, let_inherit, receive, send};
pub(crate) use region::{BLOCK, Region};
pub(crate) use room::{
    address_room, descriptor_limit, directory_room, file_size_limit, lacks_descriptors,
    lies_in_memory, memory_room,
};

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
