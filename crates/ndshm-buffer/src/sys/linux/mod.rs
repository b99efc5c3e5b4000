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

use super::unix::{again, page_size, raw};

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
pub(crate) use room::{address_room, lies_in_memory, memory_room};

/// Whether there is a native backend.
pub(crate) const HAS_NATIVE: bool = true;

/// The descriptors of this process, each a link that opens a new description of the same file.
const OWN_DESCRIPTORS: &str = "/proc/self/fd";
