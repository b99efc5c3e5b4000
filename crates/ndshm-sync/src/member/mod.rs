//! Who is alive: the processes that take part in a region.

mod backend;
mod error;
#[cfg(unix)]
mod fork;
#[cfg(not(unix))]
#[path = "fork_none.rs"]
mod fork;
mod id;
mod identity;
mod options;
#[cfg(all(target_os = "linux", not(ndshm_portable_only)))]
mod roster;
mod slot;
mod table;

use std::fmt;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering, compiler_fence, fence};
use std::time::Duration;

use crate::Layout;
use crate::region::Region;
use backend::{Plan, Seat};
pub use error::JoinError;
use fork::ForkLock;
pub use id::{Member, MemberId};
use identity::Identity;
pub use options::{Backend, BackendKind, JoinOptions};
#[cfg(all(target_os = "linux", not(ndshm_portable_only)))]
pub use roster::Roster;
use slot::Stamp;
use table::{SLOTS, Table};

/// This process's membership of a region; dropping it leaves.
///
/// Joining takes a slot of the table at the start of the region and locks one byte for it, by an
/// open-file-description lock through a descriptor opened for this alone (the [portable
/// backend](crate#backends): a file). The kernel drops that lock when the process ends, however it
/// ends, in whatever PID namespace, before anybody has reaped it. So [`is_alive`](Self::is_alive) is
/// one system call (1 to 6 µs; portable: four) and never mistaken about a recycled process id.
///
/// **Fork.** A forked child does not inherit the membership: every operation through it returns
/// [`Forked`](crate::LockError::Forked) there, nothing of the parent's is released, and the child
/// may join anew. (What would change something and returns no `Result` does nothing there: `Event::set`,
/// `Condvar::notify_one`.)
///
/// **Keeping it.** Locks borrow the membership, and it the descriptor. A program that wants them in a struct or a
/// `static` makes both `'static`, by [`Box::leak`]: the kernel ends the membership with the process.
///
/// ```
/// # let (base, file) = ndshm_testkit::map_memfd(1 << 16);
/// # use std::os::fd::AsFd;
/// use ndshm_sync::{Members, Region};
/// # // SAFETY: fresh zeroed memory, used for nothing else.
/// # let region = unsafe { Region::new(base, 1 << 16, file.as_fd()) };
/// let members = Members::join_as(region, 3)?;
/// let me = members.describe(members.me());
/// assert_eq!((me.rank, me.pid), (Some(3), Some(std::process::id())));
/// # Ok::<(), ndshm_sync::JoinError>(())
/// ```
pub struct Members<'a> {
    region: Region<'a>,
    /// # Invariants
    ///
    /// 1. Points to the table at the start of `region`, mapped for `'a`.
    table: NonNull<Table>,
    /// # Invariants
    ///
    /// 1. This value's own while the identity is this process's; in a forked child what it holds is
    ///    closed already, and the number of the descriptor may be somebody else's.
    /// 2. Holds the slot `me.slot`.
    seat: ManuallyDrop<Seat>,
    identity: Identity,
    me: MemberId,
    /// Whether the kernel puts a barrier into this process where another asks for one.
    fenced_by_others: bool,
    /// Where in the region the next thing that [`Layout`] hands out begins.
    cursor: AtomicUsize,
    bytes: PhantomData<&'a Table>,
}

// No panic leaves it half-changed: it changes by single stores, and what the kernel does.
impl UnwindSafe for Members<'_> {}
impl RefUnwindSafe for Members<'_> {}

// SAFETY: the table is made of atomics; the rest is `Send`.
unsafe impl Send for Members<'_> {}
// SAFETY: as for `Send`: shared use touches atomics and a descriptor that the kernel guards.
unsafe impl Sync for Members<'_> {}

impl<'a> Members<'a> {
    /// Bytes that the table takes at the start of a region. A region has to be that long at least.
    ///
    /// ```
    /// assert_eq!(ndshm_sync::Members::SIZE, 16 * 1024);
    /// ```
    pub const SIZE: usize = size_of::<Table>();

    /// Bytes that the table takes together with what the [portable backend](crate::Backend::Portable)
    /// has behind it. A region that is joined that way has to be that long at least, and what
    /// [`Layout`] hands out begins there.
    ///
    /// ```
    /// assert_eq!(ndshm_sync::Members::PORTABLE_SIZE, 32 * 1024);
    /// ```
    pub const PORTABLE_SIZE: usize = Self::SIZE + backend::PORTABLE_SIZE;

    /// How many members a region can have at once.
    ///
    /// ```
    /// assert_eq!(ndshm_sync::Members::MOST, 1020);
    /// ```
    pub const MOST: usize = SLOTS;

    /// Joins the region: takes a slot and its lock, in a few system calls. Each call makes a member
    /// of its own, in one process too.
    ///
    /// Does not block, except for a join or a fork of another thread that is under way. The first
    /// join of a process that has several threads takes 10 to 15 ms once: the kernel registers it for
    /// `membarrier`, and waits until all processors have noticed.
    ///
    /// # Errors
    ///
    /// [`JoinError`]: the region is too small or not aligned to 64 bytes, was made by another
    /// version, or is full; or its file cannot be opened once more.
    ///
    /// ```
    /// use ndshm_sync::Members;
    ///
    /// # let region = ndshm_testkit::members!().region();
    /// let members = Members::join(region)?;
    /// assert_eq!(members.describe(members.me()).pid, Some(std::process::id()));
    /// # Ok::<(), ndshm_sync::JoinError>(())
    /// ```
    pub fn join(region: Region<'a>) -> Result<Self, JoinError> {
        JoinOptions::default().join(region)
    }

    /// As [`join`](Self::join), with a rank that reports and errors will name.
    ///
    /// # Errors
    ///
    /// As [`join`](Self::join).
    ///
    /// ```
    /// use ndshm_sync::Members;
    ///
    /// # let region = ndshm_testkit::members!().region();
    /// let members = Members::join_as(region, 3)?;
    /// assert_eq!(members.describe(members.me()).rank, Some(3));
    /// # Ok::<(), ndshm_sync::JoinError>(())
    /// ```
    pub fn join_as(region: Region<'a>, rank: u32) -> Result<Self, JoinError> {
        JoinOptions::default().rank(rank).join(region)
    }

    /// Joins otherwise than [`join`](Self::join) does: by the portable backend, or without /proc.
    ///
    /// ```
    /// use ndshm_sync::{Backend, Members};
    ///
    /// # let region = ndshm_testkit::members!().region();
    /// let members = Members::options().backend(Backend::Native).rank(3).join(region)?;
    /// assert_eq!(members.describe(members.me()).rank, Some(3));
    /// # Ok::<(), ndshm_sync::JoinError>(())
    /// ```
    #[must_use]
    pub fn options() -> JoinOptions {
        JoinOptions::default()
    }

    fn join_with(region: Region<'a>, options: &JoinOptions) -> Result<Self, JoinError> {
        let plan = Plan::new(options, &region)?;
        let need = Self::SIZE + plan.size();
        let table: NonNull<Table> =
            region.at(0).filter(|_| need <= region.len()).ok_or(JoinError::Region {
                base: region.base().addr().get(),
                len: region.len(),
                need,
            })?;
        // SAFETY: in bounds and aligned (`Region::at`), mapped for `'a` (region invariant 1), made
        // of atomics, and valid for any bytes.
        let t: &'a Table = unsafe { table.as_ref() };
        t.settle(plan.kind())?;

        // From here to the entry in the list no fork may come between: the child would hold a
        // descriptor, and with it the lock, that nobody there knows of.
        let mut list = ForkLock::acquire();
        let identity = Identity::of_this_process(&mut list).map_err(JoinError::System)?;
        let (slot, seat) = plan.take(t, &list)?;
        // Locked first, then published: whoever sees the new generation can see it locked.
        let generation = t.publish(slot, std::process::id(), options.rank);
        list.add(seat.listed());
        drop(list);

        Ok(Self {
            region,
            table,
            fenced_by_others: seat.register_for_fences(),
            seat: ManuallyDrop::new(seat),
            identity,
            me: MemberId { slot, generation },
            cursor: AtomicUsize::new(need),
            bytes: PhantomData,
        })
    }

    /// For [`Sleepers`](crate::park::Sleepers) and those who change what they wait for, like the four
    /// that follow: keeps a store that precedes from being passed by a load that follows, at no cost
    /// where the kernel does it.
    #[inline]
    pub(crate) fn light_fence(&self) {
        if self.fenced_by_others {
            compiler_fence(Ordering::SeqCst);
        } else {
            fence(Ordering::SeqCst);
        }
    }

    /// The other side of [`light_fence`](Self::light_fence), in some microseconds; `false` where the
    /// kernel refused, and nothing is certain.
    pub(crate) fn heavy_fence(&self) -> bool {
        self.seat.heavy_fence()
    }

    /// Sleeps while `*word` is `expected`, for at most `most`; may return early.
    pub(crate) fn sleep(&self, word: &AtomicU32, expected: u32, most: Duration) {
        self.seat.sleep(word, expected, most);
    }

    /// Wakes at most `most` of those who sleep on `word`, or all; how many it were at least.
    pub(crate) fn wake(&self, word: &AtomicU32, most: u32) -> usize {
        self.seat.wake(word, most)
    }

    /// As many as there are.
    pub(crate) const ALL: u32 = i32::MAX.unsigned_abs();

    /// Where the next thing of the region begins.
    pub(crate) const fn cursor(&self) -> &AtomicUsize {
        &self.cursor
    }

    fn table(&self) -> &Table {
        // SAFETY: mapped for `'a`, which outlives `self` (table invariant 1); made of atomics.
        unsafe { self.table.as_ref() }
    }

    /// The region that was joined.
    ///
    /// ```
    /// # use ndshm_sync::Members;
    /// # let members = ndshm_testkit::members!();
    /// let second = Members::join(members.region())?;
    /// assert_ne!(second.me(), members.me());
    /// # Ok::<(), ndshm_sync::JoinError>(())
    /// ```
    #[must_use]
    pub const fn region(&self) -> Region<'a> {
        self.region
    }

    /// This process's own place.
    ///
    /// ```
    /// # let members = ndshm_testkit::members!();
    /// assert!(members.is_alive(members.me()));
    /// ```
    #[must_use]
    pub const fn me(&self) -> MemberId {
        self.me
    }

    /// Whether this membership is of the running process, and not one that a forked child found
    /// in memory. One load.
    ///
    /// ```
    /// # let members = ndshm_testkit::members!();
    /// assert!(members.is_mine()); // a child of fork() would read false here
    /// ```
    #[inline]
    #[must_use]
    pub fn is_mine(&self) -> bool {
        self.identity.is_current()
    }

    /// Whether that member still takes part: it joined, has not left, and its process lives. One
    /// system call, unless it is this process.
    ///
    /// A process counts as alive until the kernel has taken its memory down, some tenths of a
    /// second after a SIGKILL where it had gigabytes resident. One that cannot be asked about
    /// counts as alive: nobody is robbed on a doubt.
    ///
    /// ```
    /// # use ndshm_sync::Members;
    /// # let members = ndshm_testkit::members!();
    /// let other = Members::join(members.region())?;
    /// let id = other.me();
    /// assert!(members.is_alive(id));
    /// drop(other); // leaves; a SIGKILL of its process comes to the same
    /// assert!(!members.is_alive(id));
    /// # Ok::<(), ndshm_sync::JoinError>(())
    /// ```
    #[must_use]
    pub fn is_alive(&self, id: MemberId) -> bool {
        // In a forked child the descriptor is closed, and its number may be somebody else's.
        if id == self.me || !self.is_mine() {
            return true;
        }
        let is_held = || self.seat.is_held(id.slot);
        self.table().slot(id.slot).is_some_and(|slot| slot.is_held(id.generation, is_held))
    }

    /// What is known of that member, alive or not. Some loads, no system call.
    ///
    /// ```
    /// # use ndshm_sync::Members;
    /// # let members = ndshm_testkit::members!();
    /// let gone = Members::join(members.region())?.me(); // joined, and left at once
    /// assert_eq!(members.describe(gone).pid, Some(std::process::id())); // who it was
    /// # Ok::<(), ndshm_sync::JoinError>(())
    /// ```
    #[must_use]
    pub fn describe(&self, id: MemberId) -> Member {
        let slot = self.table().slot(id.slot);
        let known = slot.map(|s| (s, s.stamp())).filter(|(_, t)| t.generation == id.generation);
        Member { id, pid: known.map(|(_, t)| t.pid), rank: known.and_then(|(s, _)| s.rank()) }
    }

    /// The members that are alive now, this one included. A system call for each slot ever used, as
    /// the iterator comes to it.
    ///
    /// ```
    /// # use ndshm_sync::Members;
    /// # let members = ndshm_testkit::members!();
    /// let _other = Members::join_as(members.region(), 5)?;
    /// let ranks: Vec<_> = members.alive().map(|member| member.rank).collect();
    /// assert_eq!(ranks, [None, Some(5)]);
    /// # Ok::<(), ndshm_sync::JoinError>(())
    /// ```
    pub fn alive(&self) -> impl Iterator<Item = Member> + '_ {
        (0..SLOTS).filter_map(|slot| {
            let slot = u16::try_from(slot).ok()?;
            let Stamp { generation, pid } = self.table().slot(slot)?.stamp();
            let id = MemberId { slot, generation };
            (pid != 0 && self.is_alive(id)).then(|| self.describe(id))
        })
    }

    /// Hands out the next locks and barriers of the region, in the same order in every process.
    ///
    /// ```
    /// # let members = ndshm_testkit::members!();
    /// let mut layout = members.layout();
    /// let total = layout.mutex(0.0_f64)?;
    /// let start = layout.barrier(1)?;
    /// start.join(0)?.wait()?;
    /// *total.lock()? += 1.5;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn layout(&self) -> Layout<'_> {
        Layout::new(self)
    }
}

impl fmt::Debug for Members<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Members").field(&format_args!("{}", self.describe(self.me))).finish()
    }
}

impl Drop for Members<'_> {
    fn drop(&mut self) {
        if !self.is_mine() {
            return; // The slot is the parent's, and the descriptor is closed or not ours to close.
        }
        let mut list = ForkLock::acquire();
        // SAFETY: taken once, here, and the identity is this process's, so what the seat holds is
        // this value's own (seat invariant 1).
        let seat = unsafe { ManuallyDrop::take(&mut self.seat) };
        seat.leave(&mut list);
    }
}
