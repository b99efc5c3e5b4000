//! Access to what a reader-writer lock guards.

use std::cell::UnsafeCell;
use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};

use super::cells::ReaderCell;
use super::head::Head;
use crate::member::Members;
use crate::mutex::{LockError, question_mark_drops};

/// Shared access to the value of an [`RwLock`](super::RwLock); dropping it gives the share back. A
/// panic with it poisons nothing.
///
/// ```
/// # let members = ndshm_testkit::members!();
/// let limits = members.layout().rwlock([0_u32, 9])?;
/// let (a, b) = (limits.read()?, limits.read()?); // two at once
/// assert_eq!(a[1], b[1]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Not `Send`: the thread that locks unlocks. A reference that it lends may go to scoped threads.
///
/// ```compile_fail,E0277
/// # fn f(lock: ndshm_sync::RwLock<'static, u64>) {
/// let guard = lock.read().unwrap();
/// std::thread::spawn(move || drop(guard)); // a guard stays with its thread
/// # }
/// ```
#[must_use = "the share is given back at once if the guard is not kept"]
pub struct RwLockReadGuard<'m, T> {
    /// # Invariants
    ///
    /// 1. `members` has a share in `cell`, which lies behind this head, for as long as this guard
    ///    lives.
    head: &'m Head,
    cell: &'m ReaderCell,
    value: &'m UnsafeCell<T>,
    members: &'m Members<'m>,
    not_send: PhantomData<*const ()>,
}

/// Exclusive access to the value of an [`RwLock`](super::RwLock); dropping it unlocks.
///
/// ```
/// # let members = ndshm_testkit::members!();
/// let limits = members.layout().rwlock([0_u32, 9])?;
/// let mut guard = limits.write()?;
/// guard[1] = 7; // it dereferences to the value
/// drop(guard);
/// assert_eq!(*limits.read()?, [0, 7]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Not `Send`: the thread that locks unlocks. A reference that it lends may go to scoped threads.
///
/// ```compile_fail,E0277
/// # fn f(lock: ndshm_sync::RwLock<'static, u64>) {
/// let guard = lock.write().unwrap();
/// std::thread::spawn(move || drop(guard)); // a guard stays with its thread
/// # }
/// ```
#[must_use = "the lock is released at once if the guard is not kept"]
pub struct RwLockWriteGuard<'m, T> {
    /// # Invariants
    ///
    /// 1. `members` holds the whole lock for as long as this guard lives.
    head: &'m Head,
    value: &'m UnsafeCell<T>,
    members: &'m Members<'m>,
    panicking: bool,
    not_send: PhantomData<*const ()>,
}

// SAFETY: `&RwLockReadGuard<T>` gives `&T`, which may be shared where `T` may.
unsafe impl<T: Sync> Sync for RwLockReadGuard<'_, T> {}

// SAFETY: `&RwLockWriteGuard<T>` gives `&T`, which may be shared where `T` may.
unsafe impl<T: Sync> Sync for RwLockWriteGuard<'_, T> {}

impl<'m, T> RwLockReadGuard<'m, T> {
    /// # Safety
    ///
    /// `members` has a share in `cell`, one of those behind `head`, which guards `value`, and no other
    /// guard stands for that.
    #[inline]
    pub(super) unsafe fn new(
        head: &'m Head,
        cell: &'m ReaderCell,
        value: &'m UnsafeCell<T>,
        members: &'m Members<'m>,
    ) -> Self {
        Self { head, cell, value, members, not_send: PhantomData }
    }
}

impl<'m, T> RwLockWriteGuard<'m, T> {
    /// # Safety
    ///
    /// `members` holds the whole lock of `head`, which guards `value`, and no other guard stands for
    /// that.
    #[inline]
    pub(super) unsafe fn new(
        head: &'m Head,
        value: &'m UnsafeCell<T>,
        members: &'m Members<'m>,
    ) -> Self {
        Self { head, value, members, panicking: std::thread::panicking(), not_send: PhantomData }
    }

    /// Declares the value whole again, after it was mended: later lockers are not told of the
    /// death or the panic any more. Does nothing where there is no poison.
    ///
    /// ```
    /// # let members = ndshm_testkit::members!();
    /// # let total = members.layout().rwlock(0_u64)?;
    /// # ndshm_testkit::panic_holding(|| total.write());
    /// if let Err(e) = total.write() {
    ///     let mut guard = e.into_guard().ok_or("not poisoned")?;
    ///     *guard = 0;
    ///     guard.clear_poison();
    /// }
    /// assert!(total.read().is_ok());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn clear_poison(&mut self) {
        // SAFETY: held (head invariant 1).
        unsafe { self.head.writer.clear_poison(self.members) };
    }
}

impl<T> Deref for RwLockReadGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: a share is held (head invariant 1), so nobody writes while the guard lives.
        unsafe { &*self.value.get() }
    }
}

impl<T> Deref for RwLockWriteGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the lock is held (head invariant 1), so nobody writes while the guard is borrowed.
        unsafe { &*self.value.get() }
    }
}

impl<T> DerefMut for RwLockWriteGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the lock is held (head invariant 1) and the guard borrowed exclusively.
        unsafe { &mut *self.value.get() }
    }
}

impl<T> Drop for RwLockReadGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: a share is held (head invariant 1), and the references this guard lent have ended.
        unsafe { self.head.read_unlock(self.cell, self.members) };
    }
}

impl<T> Drop for RwLockWriteGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        if !self.panicking && std::thread::panicking() {
            // SAFETY: held (head invariant 1).
            unsafe { self.head.writer.poison(self.members) };
        }
        // SAFETY: held (head invariant 1), and the references this guard lent have ended.
        unsafe { self.head.write_unlock(self.members) };
    }
}

/// What both guards have from their value, and what lets `?` return them in a boxed error.
macro_rules! as_the_value {
    ($($guard:ident)*) => {$(
        impl<T: fmt::Debug> fmt::Debug for $guard<'_, T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                (**self).fmt(f)
            }
        }

        impl<T: fmt::Display> fmt::Display for $guard<'_, T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                (**self).fmt(f)
            }
        }

        question_mark_drops!($guard<'_, T>);
    )*};
}

as_the_value!(RwLockReadGuard RwLockWriteGuard);
