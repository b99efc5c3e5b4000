//! Is there room? Asked before anything is taken, because the kernel's own answer can be to end processes.

use std::os::fd::BorrowedFd;
use std::path::Path;

use crate::error::Shortage;
use crate::sys;

/// Too little of something.
#[derive(Debug)]
pub(crate) struct Lack {
    pub(crate) free: u64,
    pub(crate) shortage: Shortage,
}

/// Says what there is too little of for `len` bytes in a directory, or in memory alone.
pub(crate) fn check(len: usize, dir: Option<(BorrowedFd<'_>, &Path)>) -> Result<(), Lack> {
    // Filesystems give out whole pages.
    let asked = (len as u64).next_multiple_of(sys::page_size() as u64);
    match rooms(dir).into_iter().flatten().find(|room| room.free < asked) {
        Some(lack) => Err(lack),
        None => Ok(()),
    }
}

/// What a reservation that failed ran out of: where the least is free.
pub(crate) fn lack(dir: Option<(BorrowedFd<'_>, &Path)>) -> Lack {
    let least = rooms(dir).into_iter().flatten().min_by_key(|room| room.free);
    least.unwrap_or(Lack { free: 0, shortage: Shortage::Memory })
}

/// What is free where; nothing is said of what the kernel does not tell.
fn rooms(dir: Option<(BorrowedFd<'_>, &Path)>) -> [Option<Lack>; 2] {
    let in_directory = dir.and_then(|(fd, path)| {
        let free = sys::directory_room(fd).ok()??;
        Some(Lack { free, shortage: Shortage::Directory(path.to_owned()) })
    });
    // A segment on a disk needs no more memory than its pages in use.
    let takes_memory = dir.is_none_or(|(fd, _)| sys::lies_in_memory(fd).unwrap_or(true));
    let in_memory = takes_memory
        .then(sys::memory_room)
        .flatten()
        .map(|free| Lack { free, shortage: Shortage::Memory });
    [in_directory, in_memory]
}
