//! A system without a native backend: nothing can be made or opened by it, so nothing of this is ever called.
//!
//! The items of `linux`, without a value where something would have to be there first.

use std::io;
use std::marker::PhantomData;
use std::ops::Range;
use std::os::fd::{BorrowedFd, OwnedFd, RawFd};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::ptr::NonNull;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use crate::sys::FileFacts;

/// Whether there is a native backend.
pub(crate) const HAS_NATIVE: bool = false;

pub(crate) const BLOCK: usize = 2 << 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bytes;

pub(crate) const GROWTH: Bytes = Bytes;
pub(crate) const LIFECYCLE: Bytes = Bytes;
pub(crate) const PRESENCE: Bytes = Bytes;
pub(crate) const ATTACHING: Bytes = Bytes;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lock {
    Shared,
    Exclusive,
}

/// Functions that fail.
macro_rules! absent {
    ($($name:ident($($argument:ty),*) -> $value:ty;)*) => {$(
        pub(crate) fn $name($(_: $argument),*) -> io::Result<$value> {
            Err(io::ErrorKind::Unsupported.into())
        }
    )*};
}

absent! {
    open_directory(&Path) -> OwnedFd;
    create_unnamed(BorrowedFd<'_>, u32) -> OwnedFd;
    create_anonymous() -> OwnedFd;
    set_group(BorrowedFd<'_>, u32) -> ();
    set_mode(BorrowedFd<'_>, u32) -> ();
    seal_length(BorrowedFd<'_>) -> ();
    set_length(BorrowedFd<'_>, u64) -> ();
    give_back(BorrowedFd<'_>, &Range<usize>) -> ();
    publish(BorrowedFd<'_>, BorrowedFd<'_>, &Path) -> ();
    mark_persistent(BorrowedFd<'_>) -> ();
    facts_of_name(BorrowedFd<'_>, &Path) -> FileFacts;
    facts_of_path(&Path) -> FileFacts;
    open_name(BorrowedFd<'_>, &Path, bool) -> OwnedFd;
    open_path(&Path, bool) -> OwnedFd;
    remove_name(BorrowedFd<'_>, &Path) -> ();
    reopen(BorrowedFd<'_>, bool) -> OwnedFd;
    reopen_or_duplicate(BorrowedFd<'_>, bool) -> OwnedFd;
    is_writable(BorrowedFd<'_>) -> bool;
    lock(BorrowedFd<'_>, Bytes, Lock) -> ();
    try_lock(BorrowedFd<'_>, Bytes, Lock) -> bool;
    is_locked(BorrowedFd<'_>, Bytes) -> bool;
    unlock(BorrowedFd<'_>, Bytes) -> ();
    send(BorrowedFd<'_>, &[u8], BorrowedFd<'_>) -> ();
    receive(BorrowedFd<'_>, &mut [u8]) -> (usize, Vec<OwnedFd>);
    let_inherit(&mut Command, BorrowedFd<'_>) -> RawFd;
    duplicate(RawFd) -> OwnedFd;
    populate(&Region, &Range<usize>, bool) -> ();
    prefer_node(usize) -> ();
    lies_in_memory(BorrowedFd<'_>) -> bool;
}

#[cfg(feature = "serde")]
absent! {
    close_on_exec(BorrowedFd<'_>) -> ();
}

pub(crate) fn working_directory() -> BorrowedFd<'static> {
    rustix::fs::CWD
}

pub(crate) fn lacks_unnamed_files(_: &io::Error) -> bool {
    false
}

pub(crate) fn is_sealed(_: BorrowedFd<'_>) -> bool {
    false
}

pub(crate) fn descriptor_of(pid: u32, fd: RawFd) -> PathBuf {
    PathBuf::from(format!("/proc/{pid}/fd/{fd}"))
}

pub(crate) fn keep_from_programs(_: RawFd) {}

/// How much memory is free, where a system does not say.
pub(crate) fn memory_room() -> Option<(u64, Option<PathBuf>)> {
    None
}

/// How many addresses are free, where a system does not say.
pub(crate) fn address_room() -> Option<(u64, u64)> {
    None
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mapper {
    pub(crate) pid: u32,
    pub(crate) command: String,
    pub(crate) writable: bool,
}

pub(crate) fn mappers(files: &[(u64, u64)]) -> Vec<Vec<Mapper>> {
    vec![Vec::new(); files.len()]
}

pub(crate) fn memory_nodes() -> Vec<usize> {
    Vec::new()
}

pub(crate) fn busy_time() -> Duration {
    Duration::ZERO
}

pub(crate) fn time_of_small_pages() -> Option<Duration> {
    None
}

pub(crate) fn collapse(region: &Region, _: usize) -> bool {
    match *region {}
}

pub(crate) fn bytes_in_huge_pages(region: &Region, _: &Range<usize>) -> usize {
    match *region {}
}

pub(crate) fn install_guard() {}

#[derive(Debug)]
pub(crate) enum Region {}

#[derive(Debug)]
pub(crate) struct Watch<'a>(Region, PhantomData<&'a AtomicBool>);

impl Region {
    pub(crate) fn map(_: BorrowedFd<'_>, _: usize, _: bool) -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// How many addresses mapping takes beside the bytes, at most.
    pub(crate) fn overhead(_: usize) -> usize {
        super::page_size()
    }

    pub(crate) fn watch<'a>(&self, _: bool, _: &'a AtomicBool) -> Watch<'a> {
        match *self {}
    }

    pub(crate) fn end_watch(&self, _: Watch<'_>, _: BorrowedFd<'_>, _: bool) -> bool {
        match *self {}
    }

    pub(crate) fn start(&self) -> NonNull<u8> {
        match *self {}
    }

    pub(crate) fn len(&self) -> usize {
        match *self {}
    }
}

impl Watch<'_> {
    pub(crate) fn damaged(&self) -> bool {
        match self.0 {}
    }
}
