//! Access to what a mutex guards.

use std::cell::UnsafeCell;
use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};

use super::error::{LockError, Poisoned};
use super::outcome::{Acquired, NotAcquired};
use super::raw::RawMutex;
use crate::member::Members;

/// Exclusive access to the value of a [`Mutex`](super::Mutex); dropping it unlocks.
///
/// ```
/// # let members = ndshm_testkit::members!();
/// let best = members.layout().mutex([0_u32; 2])?;
/// let mut guard = best.lock()?;
/// guard[1] = 7; // it dereferences to the value
/// drop(guard);
/// assert_eq!(*best.lock()?, [0, 7]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Not `Send`: the thread that locks unlocks. A reference that it lends may go to scoped threads.
///
/// ```compile_fail,E0277
/// # fn f(mutex: ndshm_sync::Mutex<'static, u64>) {
/// let guard = mutex.lock().unwrap();
/// std::thread::spawn(move || drop(guard)); // a guard stays with its thread
/// # }
/// ```
#[must_use = "the lock is released at once if the guard is not kept"]
pub struct MutexGuard<'m, T> {
    /// # Invariants
    ///
    /// 1. Held by `members` for as long as this guard lives.
    raw: &'m RawMutex,
    value: &'m UnsafeCell<T>,
    members: &'m Members<'m>,
    panicking: bool,
    not_send: PhantomData<*const ()>,
}

// SAFETY: `&MutexGuard<T>` gives `&T`, which may be shared where `T` may.
unsafe impl<T: Sync> Sync for MutexGuard<'_, T> {}

impl<'m, T> MutexGuard<'m, T> {
    /// # Safety
    ///
    /// `members` holds `of.raw`, and no other guard stands for that.
    #[inline]
    pub(crate) unsafe fn new(of: Unlocked<'m, T>) -> Self {
        let Unlocked { raw, value, members } = of;
        Self { raw, value, members, panicking: std::thread::panicking(), not_send: PhantomData }
    }

    /// What it takes to lock again.
    pub(crate) const fn lock_of(&self) -> Unlocked<'m, T> {
        Unlocked { raw: self.raw, value: self.value, members: self.members }
    }

    /// Declares the value whole again, after it was mended: later lockers are not told of the
    /// death or the panic any more. Does nothing where there is no poison.
    ///
    /// ```
    /// # let members = ndshm_testkit::members!();
    /// # let total = members.layout().mutex(0_u64)?;
    /// # ndshm_testkit::panic_holding(|| total.lock());
    /// if let Err(e) = total.lock() {
    ///     let mut guard = e.into_guard().ok_or("not poisoned")?;
    ///     *guard = 0;
    ///     guard.clear_poison();
    /// }
    /// assert!(total.lock().is_ok());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn clear_poison(&mut self) {
        // SAFETY: held (raw invariant 1).
        unsafe { self.raw.clear_poison(self.members) };
    }
}

/// A lock, the value it guards, and who would hold it.
#[derive(Debug)]
pub(crate) struct Unlocked<'m, T> {
    /// # Invariants
    ///
    /// 1. Guards `value`.
    raw: &'m RawMutex,
    value: &'m UnsafeCell<T>,
    members: &'m Members<'m>,
}

impl<T> Clone for Unlocked<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Unlocked<'_, T> {}

impl<'m, T> Unlocked<'m, T> {
    /// `raw` guards `value`.
    pub(crate) const fn new(
        raw: &'m RawMutex,
        value: &'m UnsafeCell<T>,
        members: &'m Members<'m>,
    ) -> Self {
        Self { raw, value, members }
    }

    pub(crate) fn raw(self) -> &'m RawMutex {
        self.raw
    }

    pub(crate) fn members(self) -> &'m Members<'m> {
        self.members
    }

    /// As [`Mutex::lock`](super::Mutex::lock).
    pub(crate) fn lock(self) -> Result<MutexGuard<'m, T>, LockError<MutexGuard<'m, T>>> {
        let got = self.raw.lock(self.members);
        // SAFETY: what came of locking it just now.
        unsafe { self.finish(got) }
    }

    /// What came of locking, with a guard where it was had.
    ///
    /// # Safety
    ///
    /// `got` came of locking `raw` for `members`, and nobody else makes a guard of it.
    #[inline]
    pub(super) unsafe fn finish(
        self,
        got: Result<Acquired, NotAcquired>,
    ) -> Result<MutexGuard<'m, T>, LockError<MutexGuard<'m, T>>> {
        // Apart from the rest, so that it is inlined: an error is large, and to pass one through
        // memory would double what a lock costs.
        if got == Ok(Acquired::Clean) {
            // SAFETY: held, and this is the one guard (caller's promise).
            return Ok(unsafe { MutexGuard::new(self) });
        }
        // SAFETY: the caller's promise.
        unsafe { self.finish_otherwise(got) }
    }

    /// # Safety
    ///
    /// As for [`finish`](Self::finish).
    #[cold]
    unsafe fn finish_otherwise(
        self,
        got: Result<Acquired, NotAcquired>,
    ) -> Result<MutexGuard<'m, T>, LockError<MutexGuard<'m, T>>> {
        let by = match got {
            // SAFETY: held, and this is the one guard (caller's promise).
            Ok(Acquired::Clean) => return Ok(unsafe { MutexGuard::new(self) }),
            Ok(Acquired::Poisoned(by)) => by,
            Err(not) => return Err(LockError::of(not, self.members)),
        };
        // SAFETY: held, and this is the one guard (caller's promise).
        let guard = unsafe { MutexGuard::new(self) };
        Err(LockError::Poisoned(Poisoned::new(guard, by, self.members)))
    }
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the lock is held (raw invariant 1), so nobody writes while the guard is borrowed.
        unsafe { &*self.value.get() }
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the lock is held (raw invariant 1) and the guard borrowed exclusively.
        unsafe { &mut *self.value.get() }
    }
}

impl<T> Drop for MutexGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        if !self.panicking && std::thread::panicking() {
            // SAFETY: held (raw invariant 1).
            unsafe { self.raw.poison(self.members) };
        }
        // SAFETY: held (raw invariant 1), and the references this guard lent have ended.
        unsafe { self.raw.unlock(self.members) };
    }
}

impl<T: fmt::Debug> fmt::Debug for MutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: fmt::Display> fmt::Display for MutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
