//! Which process a membership belongs to: a number kept twice, in the membership, and on a page that
//! the kernel wipes in every child (`_Fork` and raw `clone` included, which run no handler).

use std::io;
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

use crate::member::fork::ForkLock;
use crate::sys;

/// Which process a membership belongs to, told apart from a forked copy of itself.
#[derive(Clone, Copy, Debug)]
pub(in crate::member) struct Identity {
    page: &'static AtomicU64,
    value: u64,
}

/// The wiped page, once there is one. Written under the [`ForkLock`].
static PAGE: AtomicPtr<AtomicU64> = AtomicPtr::new(std::ptr::null_mut());

/// The last identity that this process or one it descends from took.
static LAST: AtomicU64 = AtomicU64::new(0);

impl Identity {
    /// The identity of the running process. The lock shows that no fork comes between.
    pub(in crate::member) fn of_this_process(list: &mut ForkLock) -> io::Result<Self> {
        let found = PAGE.load(Ordering::Relaxed);
        let page = if found.is_null() {
            let page = sys::wiped_on_fork()?;
            list.watch_forks()?;
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
    pub(in crate::member) fn is_current(&self) -> bool {
        self.page.load(Ordering::Relaxed) == self.value
    }
}
