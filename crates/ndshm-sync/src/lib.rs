//! Locks, semaphores, events and barriers between processes, on any shared memory, that survive the
//! SIGKILL of any of them.
//!
//! The words of a lock lie in memory that several processes map; no pointer and no process id is
//! in them. A process takes part by *joining*: it gets a slot in a table at the start of that
//! memory, and holds a kernel lock on one byte of the file for as long as it lives. A lock word
//! names its holder by slot and generation, so whoever waits can ask the kernel whether the holder
//! still lives, take over from the dead by one compare-and-swap, and be told who that was.
//! Uncontended, a lock is one compare-and-swap and an unlock one plain store.
//!
//! # Index
//!
//! - [`Region`]: an address, a length, a file: any shared mapping. The one `unsafe` step.
//! - [`Members`]: this process's place among those that take part; who is alive. [`JoinOptions`],
//!   [`Backend`]: how to join otherwise.
//! - [`Layout`]: hands out the locks of a region, each where no other lies.
//! - [`Mutex`], [`MutexGuard`], [`LockError`], [`Poisoned`]; [`RawMutex`] for those who lay out
//!   memory themselves. With the feature `lock_api`, `BoundMutex` puts one under the guards of that
//!   crate.
//! - [`RwLock`], [`RwLockReadGuard`], [`RwLockWriteGuard`]: many read or one writes; [`RawRwLock`].
//! - [`SeqLock`]: readers copy a small value and never wait.
//! - [`Barrier`], [`Party`], [`BarrierError`].
//! - [`Condvar`]: with a mutex, wait until another has made something true.
//! - [`Semaphore`], [`SemaphorePermit`]: so many at once; permits have owners, and come back from the
//!   dead. [`SignalSemaphore`]: permits that one posts and another takes.
//! - [`Event`]: something has happened. [`Latch`], [`LatchParty`]: each of so many has done its part.
//! - [`Once`], [`OnceCell`], [`OnceError`]: what one process does, or computes, for all.
//! - [`Inspection`]: what any of them is doing at this moment, for people. `Roster` (Linux): who takes part,
//!   for one who does not.
//! - [`EventCount`]: sleep until something changed; to build other things from.
//!
//! ```
//! use std::os::fd::AsFd;
//! use ndshm_sync::{Members, Region};
//!
//! # fn map() -> (std::ptr::NonNull<u8>, std::fs::File) { ndshm_testkit::map_memfd(1 << 16) }
//! let (base, file) = map(); // 64 KiB of zeroed shared memory, from anybody's mmap
//! // SAFETY: mapped for as long as `members` lives, and used through this crate only.
//! let region = unsafe { Region::new(base, 1 << 16, file.as_fd()) };
//! let members = Members::join(region)?;
//! let mut layout = members.layout(); // every process asks for the same, in the same order
//! let total = layout.mutex(0.0_f64)?;
//! *total.lock()? += 1.5;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What may live in shared memory
//!
//! Bytes that mean the same in every process, whatever they are: another process may have been
//! compiled from another version, and after a death half of a value is there. The bound is
//! [`bytemuck::Pod`], and what does not meet it does not compile.
//!
//! | not | but |
//! |---|---|
//! | references, raw pointers, `Box` | an index, or an offset from the start of the region |
//! | `String`, `Vec` | an array of a fixed size, and how much of it is used |
//! | `bool` | `u8`, which is 0 or not |
//! | an enum, `char`, `Option` | its integer, and a checked cast where it is read, as below |
//! | a tuple, a struct as it is | a struct with `repr(C)` and `derive(Pod, Zeroable)`, which has no padding |
//! | `std::sync` and other locks | the ones of this crate, beside the values |
//! | `usize` | `u64`, where programs of 32 and of 64 bits meet |
//! | a type aligned to more than 64 bytes | one aligned to less: a region's own address is a multiple of 64 |
//!
//! With `bytemuck = { version = "1", features = ["derive"] }` among the dependencies:
//!
//! ```
//! use bytemuck::{CheckedBitPattern, NoUninit, Pod, Zeroable};
//!
//! #[derive(Clone, Copy, Pod, Zeroable)]
//! #[repr(C)]
//! struct Progress {
//!     done: u64,
//!     worst: f64,
//!     state: u8,     // a `State`
//!     rest: [u8; 7], // padding has to be a field: all bytes of a value are known
//! }
//!
//! #[derive(Clone, Copy, Debug, PartialEq, NoUninit, CheckedBitPattern)]
//! #[repr(u8)]
//! enum State {
//!     Idle,
//!     Busy,
//! }
//!
//! # let members = ndshm_testkit::members!();
//! let progress = members.layout().mutex(Progress::zeroed())?;
//! progress.lock()?.state = State::Busy as u8;
//! let state: State = bytemuck::checked::try_cast(progress.lock()?.state).expect("garbage");
//! assert_eq!(state, State::Busy);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Padding left to the compiler is refused by the derive:
//!
//! ```compile_fail
//! # use bytemuck::{Pod, Zeroable};
//! #[derive(Clone, Copy, Pod, Zeroable)]
//! #[repr(C)]
//! struct Progress {
//!     done: u64,
//!     state: u8,
//! }
//! ```
//!
//! # Waiting, and what comes of it
//!
//! | | waits | does not | for a time; until a moment | error |
//! |---|---|---|---|---|
//! | [`Mutex`] | `lock` | `try_lock` | `lock_timeout`, `lock_deadline` | [`LockError`] |
//! | [`RwLock`] | `read`, `write` | `try_read`, `try_write` | `read_timeout`, ... | [`LockError`] |
//! | [`SeqLock`] | `write`, `update` | `try_write` | `write_timeout`, `write_deadline` | [`LockError<()>`](LockError) |
//! | [`Condvar`] | `wait`, `wait_while` | | `wait_timeout`, `wait_timeout_while`, `wait_deadline` | [`LockError`]; that time was up is no error, but a [`WaitTimeoutResult`] |
//! | [`Semaphore`] | `acquire` | `try_acquire` | `acquire_timeout`, `acquire_deadline` | [`AcquireError`] |
//! | [`SignalSemaphore`], [`Event`] | `wait` | `try_wait` | `wait_timeout`, `wait_deadline` | [`WaitError`] |
//! | [`Once`] | `call_once`, `wait` | `try_call_once`, `try_wait` | `call_once_timeout`, `wait_timeout`, ... | [`OnceError`] |
//! | [`OnceCell`] | `get_or_init`, `set`, `wait` | `try_get_or_init`, `try_wait` | `get_or_init_timeout`, `wait_timeout`, ... | [`OnceError`] |
//! | [`Party`] of a [`Barrier`] | `wait` | | `wait_timeout`, `wait_deadline`, which break it | [`BarrierError`] |
//! | [`Latch`] | `wait` | `try_wait` | `wait_timeout`, `wait_deadline` | [`LatchError`] |
//!
//! `?` turns each of these into a `Box<dyn Error>`. A [`LockError`] or an [`AcquireError`] holds a guard or
//! a permit, which borrows; for any other error (an enum of one's own, `anyhow`) it is dropped first:
//! `total.lock().map_err(LockError::without_guard)?`, `slots.acquire().map_err(AcquireError::without_permit)?`.
//!
//! Where nobody is *known* to be awaited, a death is not seen, and the forms without a time-out wait for ever:
//! for an event that nobody sets, a signal semaphore that nobody posts, a [`Once`] that nobody has begun, a rank
//! of a barrier or a latch that nobody has joined with (its launcher may `withdraw` it). Wait with a time-out
//! there, and ask [`Members::is_alive`]. (A condvar's waits return at least once a second; its `_while`
//! forms go on as long as the condition holds.)
//!
//! # What is promised, and to whom
//!
//! The promise is about processes. A thread that is cancelled while it holds a guard is the
//! program's fault; so is a peer that writes into the words by other means. Whatever else
//! happens to one who has or owes something, a SIGKILL at any instruction included, ends in a typed
//! error on the others' side, never in a hang
//! and never in silence. A process stopped by SIGSTOP is alive, and is waited for.
//!
//! # Backends
//!
//! What depends on the platform is how a member is known to live, how one sleeps and is woken, and how
//! a forked child is told from its parent. There are two ways, and all that is promised holds for both.
//! Whoever joins chooses, all members of a region the same; the region records which, in byte 7 of the
//! table, and another is refused ([`JoinError::Backend`]).
//!
//! | | [`Native`](Backend::Native): Linux, the default | [`Portable`](Backend::Portable): cargo feature `portable` |
//! |---|---|---|
//! | lives as long as | a lock on a byte of the region's file (`F_OFD_SETLK`) | a lock on a file of the member's own (`std::fs::File::try_lock`), in a directory that all members name |
//! | a question after another | 1 system call | 4 system calls and a descriptor, probing by a shared lock |
//! | sleeps on | a futex | an event of `raw_sync`, one a member, looked at between naps of 50 µs to 2 ms; a waiter uses about 1 % of a processor |
//! | a wake-up costs | a system call, wakes one | a look at each slot ever used, wakes all that sleep |
//! | a release without waiters costs | a store | a store and a full fence |
//! | takes of the region | [`Members::SIZE`]: 16 KiB | [`Members::PORTABLE_SIZE`]: 32 KiB |
//! | needs | the region's file, /proc to open it once more | a directory on a local file system; no file ([`Region::without_file`]) |
//! | after a fork | a page that the kernel wipes in the child | on Linux the same; elsewhere the process id, asked for at each use |
//!
//! ```
//! # #[cfg(feature = "portable")]
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use ndshm_sync::{Backend, Members, Region};
//!
//! # let directory = ndshm_testkit::scratch();
//! # let (base, _file) = ndshm_testkit::map_memfd(1 << 16);
//! // SAFETY: 64 KiB of zeroed shared memory, mapped for as long as `members` lives, and used through
//! // this crate only.
//! let region = unsafe { Region::without_file(base, 1 << 16) };
//! let portable = Backend::portable(directory.path());
//! let members = Members::options().backend(portable).join(region)?;
//! *members.layout().mutex(0_u64)?.lock()? += 1;
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "portable"))]
//! # fn main() {}
//! ```
//!
//! **The directory** has to exist, and stays the caller's to remove once the region is not used any more.
//! In it are at most [`Members::MOST`] empty files of mode 0600, named by a random number of the region and the
//! slot; they stay when their member goes, and symbolic links in their place are refused. A file that
//! is removed while the region is in use cannot be asked about any more: its member counts as alive for ever,
//! and its slot is not used again. So not a directory that a janitor sweeps; one of another user is of
//! no use either. On a network file system what a lock says, and how soon after a death, is up to the
//! server. On Solaris the locks of `std` are the process's, and do not tell two members of one apart. Where
//! `std` has no file locks, joining fails. A process that has no descriptor left takes everybody for alive until it has one again.
//!
//! **`raw_sync`** has faults that are not passed on. On unix its kernel event is not used: a process
//! killed inside leaves it locked for ever. Its busy event is one byte and survives deaths; its own time-outs,
//! which spin, are not used. Nothing rests on an event alone: who sleeps also looks at the word, and in any case
//! looks again after 40 ms, as with futexes. So deaths, time-outs and lost wake-ups are bounded in the same way.
//!
//! **Where this was compiled and run**, both backends by one suite (`tests/conformance`): x86_64 Linux (glibc) only.
//! There the portable backend was also compiled and run without the native one and without its
//! wiped page, as on another unix (`--cfg ndshm_portable_only`). Everything else, macOS, the BSDs and Windows
//! included, was neither compiled nor run: what is there for them follows the documentation of `std`
//! (`flock`, an open file's own; `LockFileEx`, a handle's own) and of `raw_sync` (on Windows a kernel
//! event by name). Without `portable` the crate does not compile on them, and says so.
//!
//! # Features
//!
//! None is on by default.
//!
//! | feature | what it adds |
//! |---|---|
//! | `lock_api` | `BoundMutex`: a mutex in shared memory under the guards and the traits of `lock_api` |
//! | `portable` | [`Backend::Portable`], which parks on events of `raw_sync`; without it, who joins by that gets [`JoinError::NotCompiled`] |

// The examples' set-up names this crate as its users do.
#[cfg(test)]
extern crate self as ndshm_sync;

mod atomic;
mod barrier;
mod condvar;
mod event;
mod event_count;
mod inspect;
mod latch;
mod layout;
mod member;
mod mutex;
mod once;
mod park;
mod region;
mod rwlock;
mod semaphore;
mod seqlock;
mod signal;
mod sys;
mod wait;
mod wait_error;

pub use barrier::{Absence, Barrier, BarrierCell, BarrierError, BarrierWaitResult, Lost, Party};
pub use condvar::{Condvar, CondvarCell, WaitTimeoutResult};
pub use event::{Event, EventCell, Reset};
pub use event_count::EventCount;
pub use inspect::{Holder, Inspection};
pub use latch::{Latch, LatchCell, LatchError, LatchParty};
pub use layout::{Layout, LayoutError};
#[cfg(all(target_os = "linux", not(ndshm_portable_only)))]
pub use member::Roster;
pub use member::{Backend, BackendKind, JoinError, JoinOptions, Member, MemberId, Members};
#[cfg(feature = "lock_api")]
pub use mutex::BoundMutex;
pub use mutex::{
    Acquired, Culprit, LockError, Mutex, MutexCell, MutexGuard, NotAcquired, Poisoned, RawMutex,
};
pub use once::{Once, OnceCell, OnceError, OnceWords};
pub use region::Region;
pub use rwlock::{RawRwLock, ReaderSeat, RwLock, RwLockCell, RwLockReadGuard, RwLockWriteGuard};
pub use semaphore::{AcquireError, OnDeath, Reclaimed, Semaphore, SemaphoreCell, SemaphorePermit};
pub use seqlock::{SeqLock, SeqLockCell};
pub use signal::{PostError, SignalSemaphore, SignalSemaphoreCell};
pub use wait_error::WaitError;

/// The README's example, as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
