//! Is there room? Asked before anything is taken, because the kernel's own answer can be to end processes.

use std::os::fd::BorrowedFd;
use std::path::Path;

use crate::error::Shortage;
use crate::sys::{self, Region};

/// Too little of something.
#[derive(Debug)]
pub(crate) struct Lack {
    pub(crate) free: u64,
    pub(crate) shortage: Shortage,
}

/// Below this, asking how much memory is free takes a good part of the time that taking it does (0.2 ms), and few
/// machines that run lack so little.
const LITTLE: u64 = 8 << 20;

/// Says what there is too little of for `len` bytes in a directory, or in memory alone.
pub(crate) fn check(len: usize, dir: Option<(BorrowedFd<'_>, &Path)>) -> Result<(), Lack> {
    // Filesystems give out whole pages.
    let asked = (len as u64).next_multiple_of(sys::page_size() as u64);
    let lacking = |room: &Lack| room.free < asked;
    if let Some(lack) = dir.and_then(in_directory).filter(lacking) {
        return Err(lack);
    }
    if let Some(Addresses { free, limit }) = lacking_addresses(len) {
        return Err(Lack { free, shortage: Shortage::AddressSpace { limit } });
    }
    if asked >= LITTLE
        && let Some(lack) = in_memory(dir).filter(lacking)
    {
        return Err(lack);
    }
    Ok(())
}

/// What a reservation that failed ran out of: where the least is free.
pub(crate) fn lack(dir: Option<(BorrowedFd<'_>, &Path)>) -> Lack {
    let rooms = [dir.and_then(in_directory), in_memory(dir)];
    let least = rooms.into_iter().flatten().min_by_key(|room| room.free);
    least.unwrap_or(Lack { free: 0, shortage: Shortage::Memory })
}

/// What a filesystem that makes no file any more has free of bytes.
pub(crate) fn of_files(fd: BorrowedFd<'_>, path: &Path) -> Lack {
    let free = sys::directory_room(fd).ok().flatten();
    Lack { free: free.unwrap_or(0), shortage: Shortage::Files(path.to_owned()) }
}

/// What the filesystem has free; `None` where it has no limit or does not tell.
fn in_directory((fd, path): (BorrowedFd<'_>, &Path)) -> Option<Lack> {
    let free = sys::directory_room(fd).ok()??;
    Some(Lack { free, shortage: Shortage::Directory(path.to_owned()) })
}

/// What memory is free; `None` where the segment takes none, being on a disk, or the kernel does not tell.
fn in_memory(dir: Option<(BorrowedFd<'_>, &Path)>) -> Option<Lack> {
    let takes_memory = dir.is_none_or(|(fd, _)| sys::lies_in_memory(fd).unwrap_or(true));
    let (free, group) = takes_memory.then(sys::memory_room).flatten()?;
    Some(Lack { free, shortage: group.map_or(Shortage::Memory, Shortage::ControlGroup) })
}

/// What the address space of this process has left for a segment, which is too little, and its limit.
#[derive(Debug)]
pub(crate) struct Addresses {
    pub(crate) free: u64,
    pub(crate) limit: u64,
}

/// Says that this process may not map so much.
pub(crate) fn lacking_addresses(len: usize) -> Option<Addresses> {
    let (room, limit) = sys::address_room()?;
    let free = room.saturating_sub(Region::overhead(len) as u64);
    (free < len as u64).then_some(Addresses { free, limit })
}
