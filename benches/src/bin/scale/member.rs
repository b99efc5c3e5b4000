//! A region, and this process's place in it.

use std::os::fd::AsFd;

use ndshm_sync::{Members, Region};
use ndshm_testkit::SharedMemory;

/// Zeroed memory, mapped for the rest of the process's life, and in all that are forked from it.
pub(crate) fn memory(len: usize) -> &'static SharedMemory {
    Box::leak(Box::new(SharedMemory::create(len)))
}

/// Joins, until the process ends.
pub(crate) fn join(memory: &'static SharedMemory) -> &'static Members<'static> {
    // SAFETY: mapped for ever, zeroed at first, and used through ndshm-sync only, by all processes in
    // the same way.
    let region = unsafe { Region::new(memory.base(), memory.len(), memory.file().as_fd()) };
    Box::leak(Box::new(Members::join(region).expect("a free slot")))
}
