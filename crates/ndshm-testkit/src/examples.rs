//! The set-up of examples in documentation, where it would be longer than what they show.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// Fresh shared memory of 64 KiB, joined: a `ndshm_sync::Members<'static>`.
///
/// A macro, so that this crate does not depend on the one whose examples use it.
///
/// ```text
/// let members = ndshm_testkit::members!();
/// let total = members.layout().mutex(0_u64)?;
/// ```
#[macro_export]
macro_rules! members {
    () => {{
        let (base, file) = $crate::map_memfd(1 << 16);
        let file: &'static ::std::fs::File = ::std::boxed::Box::leak(::std::boxed::Box::new(file));
        let fd = ::std::os::fd::AsFd::as_fd(file);
        // SAFETY: fresh zeroed memory, mapped and open for the rest of the process's life, used for
        // nothing else.
        let region = unsafe { ::ndshm_sync::Region::new(base, 1 << 16, fd) };
        ::ndshm_sync::Members::join(region).expect("cannot join fresh memory")
    }};
}

/// Panics while it holds what `hold` returns, and catches the panic, which prints nothing: how a
/// guard leaves poison behind.
///
/// ```
/// let lock = std::sync::Mutex::new(0);
/// ndshm_testkit::panic_holding(|| lock.lock());
/// assert!(lock.is_poisoned());
/// ```
pub fn panic_holding<G>(hold: impl FnOnce() -> G) {
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let _held = hold();
        resume_unwind(Box::new(()))
    }));
    drop(panicked);
}
