//! The members of a region, for one who is none.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::ptr;

use super::slot::Slot;
use super::table::{SLOTS, Table, VERSION};
use super::{Member, MemberId};
use crate::inspect::{Holder, Inspection};
use crate::mutex::RawMutex;
use crate::sys;

/// Who takes part in a region, seen from outside: for tools that look at one and must not disturb it.
///
/// Nothing is joined, mapped, locked or written. The table is read through the file, which may be open
/// for reading only, belong to somebody else, be what a killed program left, or be truncated meanwhile
/// (an error then, not a fault). Whether a member lives is asked of the kernel, as members do. For
/// regions of the native backend; Linux only.
///
/// ```
/// # use std::os::fd::AsFd;
/// use ndshm_sync::{Members, Region, Roster};
/// # let (base, file) = ndshm_testkit::map_memfd(1 << 16);
/// # // SAFETY: fresh zeroed memory, used for nothing else.
/// # let region = unsafe { Region::new(base, 1 << 16, file.as_fd()) };
/// let members = Members::join_as(region, 3)?;
///
/// // Elsewhere: the table lies at the start of this file.
/// let roster = Roster::read(&file, 0)?;
/// let seen = roster.members()?;
/// assert_eq!((seen[0].member.rank, seen[0].alive), (Some(3), true));
/// # drop(members);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Roster<'a> {
    file: &'a File,
    at: u64,
    /// A private copy.
    table: Box<Table>,
}

impl<'a> Roster<'a> {
    /// Reads the table of members that lies at byte `at` of `file`. One system call.
    ///
    /// `file` must not be a duplicate of a descriptor that a member of this process has: the kernel
    /// answers such a one that nobody lives.
    ///
    /// # Errors
    ///
    /// `UnexpectedEof` where the file ends within the table, `InvalidData` where it is a table of another
    /// version or of the portable backend, and what the system says.
    ///
    /// ```
    /// use ndshm_sync::Roster;
    ///
    /// let short = tempfile::tempfile()?;
    /// let error = Roster::read(&short, 0).unwrap_err();
    /// assert_eq!(error.kind(), std::io::ErrorKind::UnexpectedEof);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn read(file: &'a File, at: u64) -> io::Result<Self> {
        let mut bytes = [0; size_of::<Table>()];
        file.read_exact_at(&mut bytes, at)?;
        // SAFETY: as many bytes as a table has, in private memory; it is made of atomics, valid for any
        // of them.
        let table = Box::new(unsafe { ptr::read_unaligned(bytes.as_ptr().cast::<Table>()) });
        match table.version() {
            0 | VERSION => Ok(Self { file, at, table }),
            found => Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!(
                    "its table of members says version {found:#x}, this build reads {VERSION:#x}"
                ),
            )),
        }
    }

    /// All that took part and whose slot nobody has taken since: the living, and the dead (or departed)
    /// that are still known. A system call or two for each slot ever used.
    ///
    /// # Errors
    ///
    /// What the system says, where it cannot be asked after them.
    ///
    /// ```
    /// # use std::os::fd::AsFd;
    /// # use ndshm_sync::{Members, Region, Roster};
    /// # let (base, file) = ndshm_testkit::map_memfd(1 << 16);
    /// # // SAFETY: fresh zeroed memory, used for nothing else.
    /// # let region = unsafe { Region::new(base, 1 << 16, file.as_fd()) };
    /// assert!(Roster::read(&file, 0)?.members()?.is_empty()); // nobody has joined yet
    /// drop(Members::join(region)?);
    /// assert!(!Roster::read(&file, 0)?.members()?[0].alive); // and left
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn members(&self) -> io::Result<Vec<Holder>> {
        let slots = (0..SLOTS).filter_map(|slot| u16::try_from(slot).ok());
        let taken = slots.filter_map(|slot| {
            let stamp = self.table.slot(slot)?.stamp();
            let id = MemberId { slot, generation: stamp.generation };
            (stamp.generation != 0 && stamp.pid != 0).then_some(id)
        });
        taken.map(|id| self.holder(id)).collect()
    }

    /// What is known of that member, and whether it lives. A system call or two.
    ///
    /// # Errors
    ///
    /// What the system says, where it cannot be asked.
    ///
    /// ```
    /// # use std::os::fd::AsFd;
    /// # use ndshm_sync::{MemberId, Members, Region, Roster};
    /// # let (base, file) = ndshm_testkit::map_memfd(1 << 16);
    /// # // SAFETY: fresh zeroed memory, used for nothing else.
    /// # let region = unsafe { Region::new(base, 1 << 16, file.as_fd()) };
    /// let members = Members::join(region)?;
    /// let word = members.me().to_bits(); // as a lock word has it
    /// let holder = Roster::read(&file, 0)?.holder(MemberId::from_bits(word).unwrap())?;
    /// assert_eq!((holder.alive, holder.member.pid), (true, Some(std::process::id())));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn holder(&self, id: MemberId) -> io::Result<Holder> {
        let known = self.table.slot(id.slot).filter(|s| s.stamp().generation == id.generation);
        let pid = known.map(|s| s.stamp().pid).filter(|&pid| pid != 0);
        let member = Member { id, pid, rank: known.and_then(Slot::rank) };
        // A slot that was found locked is its member's if the stamp says so afterwards (`Slot::is_held`).
        let alive = known.is_some()
            && sys::slot_is_locked(self.file.as_fd(), id.slot)?
            && self.generation_now(id.slot)? == id.generation;
        Ok(Holder { member, alive })
    }

    /// What a mutex is doing, of which `lock` is a private copy: who holds it, whether others sleep, who
    /// poisoned it.
    ///
    /// # Errors
    ///
    /// As [`holder`](Self::holder).
    ///
    /// ```
    /// # let (_base, file) = ndshm_testkit::map_memfd(1 << 16);
    /// use ndshm_sync::{RawMutex, Roster};
    ///
    /// let roster = Roster::read(&file, 0)?;
    /// let copy = RawMutex::new(); // the 24 bytes, as they were read
    /// assert_eq!(roster.inspect(&copy)?.to_string(), "mutex: free");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn inspect(&self, lock: &RawMutex) -> io::Result<Inspection> {
        let holder = lock.owner().map(|id| self.holder(id)).transpose()?;
        let culprit = lock.is_poisoned().then(|| lock.named_culprit()).flatten();
        let culprit = culprit.map(|id| self.holder(id)).transpose()?;
        Ok(Inspection {
            kind: "mutex",
            state: if holder.is_none() { "free" } else { "held" }.to_owned(),
            holders: holder.into_iter().collect(),
            sleepers: lock.has_sleepers(),
            poisoned_by: culprit.map(|holder| holder.member),
        })
    }

    /// The generation of a slot as it stands in the file now.
    fn generation_now(&self, slot: u16) -> io::Result<u32> {
        let mut generation = [0; 4];
        let at = Table::offset_of_slot(slot) + 4; // the upper half of the stamp
        self.file.read_exact_at(&mut generation, self.at + at as u64)?;
        Ok(u32::from_le_bytes(generation))
    }
}
