//! Process-wide state that a forked child does not inherit.

use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

use crate::sys;

/// A value that each process has for itself: a forked child begins with a new one.
///
/// For registries behind a lock. A child forked while another thread of its parent held that lock would wait for it for
/// ever, since it does not have that thread; and what the lock guards may have been half-changed. So the child leaves
/// its parent's value alone (it is never dropped) and makes one of its own at its first use. Lock with `std::sync`,
/// whose locks are words of their own: a parking lot has tables that a fork can leave locked.
///
/// [`get`](Self::get) costs a system call.
///
/// ```
/// use std::sync::Mutex;
/// use ndshm_buffer::PerProcess;
///
/// static NAMES: PerProcess<Mutex<Vec<&str>>> = PerProcess::new();
///
/// NAMES.get().lock()?.push("one");
/// assert_eq!(*NAMES.get().lock()?, ["one"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct PerProcess<T> {
    /// # Invariants
    ///
    /// 1. Null, or a leaked `Box` that is never freed.
    current: AtomicPtr<Of<T>>,
}

#[derive(Debug)]
struct Of<T> {
    process: u32,
    value: T,
}

impl<T: Default> PerProcess<T> {
    /// Nothing yet.
    pub const fn new() -> Self {
        Self { current: AtomicPtr::new(ptr::null_mut()) }
    }

    /// The value of the running process.
    pub fn get(&'static self) -> &'static T {
        let process = sys::process_id();
        // Acquire pairs with the Release below: who sees the pointer sees the value.
        let mut found = self.current.load(Ordering::Acquire);
        loop {
            // SAFETY: null or never freed (current invariant 1), and shared only by reference.
            if let Some(of) = unsafe { found.as_ref() }
                && of.process == process
            {
                return &of.value;
            }
            let mine = Box::into_raw(Box::new(Of { process, value: T::default() }));
            match self.current.compare_exchange(found, mine, Ordering::AcqRel, Ordering::Acquire) {
                // SAFETY: leaked just now, and never freed from here on.
                Ok(_) => return unsafe { &(*mine).value },
                Err(now) => {
                    // SAFETY: another thread was first, and nobody has seen this one.
                    drop(unsafe { Box::from_raw(mine) });
                    found = now;
                }
            }
        }
    }
}

impl<T: Default> Default for PerProcess<T> {
    fn default() -> Self {
        Self::new()
    }
}
