//! Mutexes and barriers between processes, on any shared memory, that survive the SIGKILL of any
//! of them.
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
//! - [`Members`]: this process's place among those that take part; who is alive.
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
//! - [`Inspection`]: what any of them is doing at this moment, for people.
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
//! # What is promised, and to whom
//!
//! The promise is about processes. A thread that is cancelled while it holds a guard is the
//! program's fault; so is a peer that writes into the words by other means. Everything else, a
//! SIGKILL at any instruction included, ends in a typed error on the others' side, never in a hang
//! and never in silence. A process stopped by SIGSTOP is alive, and is waited for.

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
