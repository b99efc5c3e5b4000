//! What works wherever `std` has file locks: a file a member tells who lives, an event a member wakes.

mod events;
mod files;

use std::fs::File;
use std::io;
use std::marker::PhantomData;
use std::path::PathBuf;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering, fence};
use std::time::Duration;

use crate::member::Members;
use crate::member::error::JoinError;
use crate::member::fork::ForkLock;
use crate::member::options::{Backend, JoinOptions};
use crate::member::table::{SLOTS, Table};
use crate::region::Region;
use crate::sys::Listed;
use events::{Bell, Events};
use files::Files;

/// A directory that exists, and room for the events.
#[derive(Debug)]
pub(in crate::member) struct Plan<'a> {
    directory: PathBuf,
    /// # Invariants
    ///
    /// 1. Points to the events of a region, behind its table, mapped for `'a`.
    events: NonNull<Events>,
    bytes: PhantomData<&'a Events>,
}

impl<'a> Plan<'a> {
    pub(in crate::member) fn new(
        options: &JoinOptions,
        region: &Region<'a>,
    ) -> Result<Self, JoinError> {
        let Backend::Portable { directory } = &options.backend else {
            return Err(JoinError::NotCompiled { asked: options.backend.kind() });
        };
        let events = region.at(Members::SIZE).ok_or(JoinError::Region {
            base: region.base().addr().get(),
            len: region.len(),
            need: Members::PORTABLE_SIZE,
        })?;
        let directory = files::directory(directory)
            .map_err(|source| JoinError::Directory { directory: directory.clone(), source })?;
        Ok(Self { directory, events, bytes: PhantomData })
    }

    pub(in crate::member) fn take(
        self,
        table: &Table,
        _: &ForkLock,
    ) -> Result<(u16, Seat), JoinError> {
        // SAFETY: mapped for `'a` (invariant 1), made of atomics and bytes in cells, and valid for any
        // bytes.
        let events = unsafe { self.events.as_ref() };
        let files = Files::new(self.directory, events.region());
        let failed = |source| JoinError::Directory { directory: files.directory().into(), source };
        // The first to join had slot 0, and its file stays.
        let used = table.slot(0).is_some_and(|slot| slot.stamp().generation != 0);
        if used && !files.has(0).map_err(failed)? {
            return Err(JoinError::OtherDirectory { directory: files.directory().into() });
        }
        // One whose file is gone counts as alive.
        let is_locked = |slot| if files.has(slot)? { files.is_held(slot) } else { Ok(true) };
        let lock = |slot, fresh| files.try_lock(slot, fresh);
        let taken = table.take_slot(is_locked, lock).map_err(failed)?;
        let (slot, own) = taken.ok_or(JoinError::Full { most: SLOTS })?;
        let listed = Listed::new(&own).map_err(JoinError::System)?;
        // SAFETY: the lock of that slot is this process's, so nobody else makes an event of it.
        let bell = unsafe { events.bell(slot) }.map_err(JoinError::System)?;
        Ok((slot, Seat { files, _own: own, listed, events: self.events, bell }))
    }
}

/// The lock on the file of a slot, and the event of that slot.
#[derive(Debug)]
pub(in crate::member) struct Seat {
    files: Files,
    /// # Invariants
    ///
    /// 1. Holds the exclusive lock on the file of the slot that [`Plan::take`] gave, and is not
    ///    duplicated or sent.
    _own: File,
    /// The same, as the fork handlers know it.
    listed: Listed,
    /// # Invariants
    ///
    /// 1. Points to the events of the region that was joined, mapped for as long as the membership.
    events: NonNull<Events>,
    bell: Bell,
}

impl Seat {
    pub(in crate::member) fn listed(&self) -> Listed {
        self.listed
    }

    pub(in crate::member) fn is_held(&self, slot: u16) -> io::Result<bool> {
        self.files.is_held(slot)
    }

    /// Nobody asks the kernel for fences here: both sides have their own.
    pub(in crate::member) fn register_for_fences(&self) -> bool {
        false
    }

    pub(in crate::member) fn heavy_fence(&self) -> bool {
        fence(Ordering::SeqCst);
        true
    }

    pub(in crate::member) fn sleep(&self, word: &AtomicU32, expected: u32, most: Duration) {
        self.bell.sleep(self.events(), word, expected, most);
    }

    /// All that sleep: an event is a member's, not a word's. So nobody can say whether any of them slept
    /// on this word, and the answer is that none did.
    pub(in crate::member) fn wake(&self, _: &AtomicU32, _: u32) -> usize {
        self.events().ring();
        0
    }

    fn events(&self) -> &Events {
        // SAFETY: mapped for as long as the membership that owns this (invariant 1); made of atomics and
        // bytes in cells.
        unsafe { self.events.as_ref() }
    }
}
