//! What a fork does to a membership: nothing in the parent, and in the child it ends it.
//!
//! Two things see to that. An [`Identity`](super::identity::Identity) tells a child that the
//! membership is not its own. And a list of the liveness descriptors lets it close what it
//! inherited: closing, because an unlock in the child would drop the parent's lock, and at once,
//! because as long as the child keeps the descriptor the parent's death goes unnoticed.

use std::cell::UnsafeCell;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::sys::{self, Listed};

/// Exclusive use of the list of liveness descriptors, and the promise that no fork is under way.
///
/// A spin lock, since it is released on both sides of a fork: the tables of a parking lock may be
/// half-changed by another thread that the child does not have.
#[derive(Debug)]
pub(super) struct ForkLock(());

static LOCKED: AtomicBool = AtomicBool::new(false);

struct List(UnsafeCell<Vec<Listed>>);

// SAFETY: reached only through a `ForkLock`, or between the fork handlers that hold it.
unsafe impl Sync for List {}

static LIVENESS: List = List(UnsafeCell::new(Vec::new()));

impl ForkLock {
    pub(super) fn acquire() -> Self {
        lock();
        Self(())
    }

    pub(super) fn add(&mut self, descriptor: Listed) {
        self.list().push(descriptor);
    }

    /// Whether no other membership has the same descriptor.
    pub(super) fn remove(&mut self, descriptor: Listed) -> bool {
        let list = self.list();
        if let Some(at) = list.iter().position(|&other| other == descriptor) {
            list.swap_remove(at);
        }
        !list.contains(&descriptor)
    }

    /// A descriptor of the same file, of another membership of this process.
    #[cfg(all(target_os = "linux", not(ndshm_portable_only)))]
    pub(super) fn of_file(&self, file: Listed) -> Option<Listed> {
        // SAFETY: as for `list`; borrowed, so nothing changes it meanwhile.
        let list = unsafe { &*LIVENESS.0.get() };
        list.iter().find(|listed| listed.is_same_file(file)).copied()
    }

    /// Has every fork from now on wait for this lock, and every child close what is listed. Once a
    /// process, and once for all that are forked from it.
    pub(super) fn watch_forks(&mut self) -> io::Result<()> {
        sys::at_fork(before_fork, after_fork_in_parent, after_fork_in_child)
    }

    /// In a child that was forked without handlers.
    pub(super) fn close_inherited(&mut self) {
        self.list().drain(..).for_each(Listed::close);
    }

    fn list(&mut self) -> &mut Vec<Listed> {
        // SAFETY: a `ForkLock` exists once at a time (`lock`), and is borrowed exclusively.
        unsafe { &mut *LIVENESS.0.get() }
    }
}

impl Drop for ForkLock {
    fn drop(&mut self) {
        unlock();
    }
}

fn lock() {
    // Acquire and Release as for any lock: they order the uses of the list.
    while LOCKED.compare_exchange_weak(false, true, Ordering::Acquire, Ordering::Relaxed).is_err() {
        std::thread::yield_now();
    }
}

fn unlock() {
    LOCKED.store(false, Ordering::Release);
}

extern "C" fn before_fork() {
    lock();
}

extern "C" fn after_fork_in_parent() {
    unlock();
}

extern "C" fn after_fork_in_child() {
    // `before_fork` took the lock for this side too. Closing is async-signal-safe, and
    // draining frees nothing.
    ForkLock(()).close_inherited();
}
