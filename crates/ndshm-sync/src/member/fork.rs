//! What a fork does to a membership: nothing in the parent, and in the child it ends it.
//!
//! Two things see to that. An identity is a number kept twice: in the membership, and on a page
//! that the kernel wipes in every child (`_Fork` and raw `clone` included, which run no handler).
//! And a list of the liveness descriptors lets a child close what it inherited: closing, because
//! an unlock in the child would drop the parent's lock, and at once, because as long as the child
//! keeps the descriptor the parent's death goes unnoticed.

use std::cell::UnsafeCell;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, Ordering};

use crate::sys::{self, Listed};

/// Which process a membership belongs to, told apart from a forked copy of itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct Identity {
    page: &'static AtomicU64,
    value: u64,
}

/// The wiped page, once there is one. Written under the [`ForkLock`].
static PAGE: AtomicPtr<AtomicU64> = AtomicPtr::new(std::ptr::null_mut());

/// The last identity that this process or one it descends from took.
static LAST: AtomicU64 = AtomicU64::new(0);

impl Identity {
    /// The identity of the running process. The lock shows that no fork comes between.
    pub(super) fn of_this_process(list: &mut ForkLock) -> io::Result<Self> {
        let found = PAGE.load(Ordering::Relaxed);
        let page = if found.is_null() {
            let page = sys::wiped_on_fork()?;
            sys::at_fork(before_fork, after_fork_in_parent, after_fork_in_child)?;
            PAGE.store(std::ptr::from_ref(page).cast_mut(), Ordering::Relaxed);
            page
        } else {
            // SAFETY: only ever set to the reference above, which is `'static`.
            unsafe { &*found }
        };
        let mut value = page.load(Ordering::Relaxed);
        if value == 0 {
            // First join of this process. A child forked without handlers still has what its
            // parent listed: close it now.
            list.close_inherited();
            // Larger than any identity that inherited memory can hold.
            value = LAST.fetch_add(1, Ordering::Relaxed) + 1;
            page.store(value, Ordering::Relaxed);
        }
        Ok(Self { page, value })
    }

    /// Relaxed: the page changes only by the fork itself, before the child runs.
    #[inline]
    pub(super) fn is_current(&self) -> bool {
        self.page.load(Ordering::Relaxed) == self.value
    }
}

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

    pub(super) fn remove(&mut self, descriptor: Listed) {
        self.list().retain(|&other| other != descriptor);
    }

    fn close_inherited(&mut self) {
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
