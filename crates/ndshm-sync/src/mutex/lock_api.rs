//! A mutex in shared memory, under the guards of the crate `lock_api`.

use std::time::{Duration, Instant};

use lock_api::GuardNoSend;

use super::error::{LockError, Poisoned};
use super::outcome::{Acquired, NotAcquired};
use super::raw::RawMutex;
use super::typed::Mutex;
use crate::member::Members;
use crate::wait::Deadline;

/// A lock word in shared memory together with this process's membership, as
/// [`lock_api::RawMutex`] wants it: for code that is generic over that trait, and for its guards
/// (mapped ones, say).
///
/// `lock_api::Mutex` keeps the value that it guards in itself, in the memory of this process: let
/// that be a *handle* on what is shared. The lock is shared, since all processes bind the same
/// word.
///
/// - **Death** has no place in that trait. Where the holder died, or a mutex is poisoned,
///   acquiring panics with the report of [`LockError::Poisoned`]. The word is released by that,
///   and stays poisoned: so all others are told the same, until somebody mends what it guards and
///   clears it by way of a [`Mutex`], as below, or of [`RawMutex`].
/// - **Panics** while a guard lives do not poison, as with all locks of `lock_api`.
/// - **Forked children** panic when they acquire; a guard that they have inherited releases
///   nothing.
/// - [`INIT`](lock_api::RawMutex::INIT) is bound to no word, and panics when it is used:
///   `lock_api::Mutex::new` and `default` make such a mutex. Use [`lock_api::Mutex::from_raw`].
///
/// ```
/// use std::panic::{AssertUnwindSafe, catch_unwind};
/// use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
/// use ndshm_sync::{BoundMutex, LockError, Members};
///
/// # let members = ndshm_testkit::members!();
/// // Two words, in real life somewhere in shared memory, which are to change together:
/// let pair = [const { AtomicU64::new(0) }; 2];
/// let word = members.layout().mutex(())?; // the lock alone
/// let shared = lock_api::Mutex::from_raw(BoundMutex::new(word), &pair);
///
/// let guard = shared.lock();
/// guard[0].fetch_add(1, Relaxed); // the lock orders it
/// guard[1].fetch_sub(1, Relaxed);
/// drop(guard);
///
/// // A process dies with the lock (here: a membership ends), half-way.
/// # let other = Members::join(members.region())?;
/// # let lost = other.layout().mutex(())?;
/// std::mem::forget(lost.lock());
/// # drop(other);
/// let told = catch_unwind(AssertUnwindSafe(|| drop(shared.lock()))).unwrap_err();
/// assert!(told.downcast_ref::<String>().unwrap().contains("died while holding the lock"));
/// // Somebody mends it:
/// if let Err(LockError::Poisoned(poisoned)) = word.lock() {
///     pair.iter().for_each(|p| p.store(0, Relaxed));
///     poisoned.into_inner().clear_poison();
/// }
/// assert_eq!(shared.lock()[0].load(Relaxed), 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct BoundMutex<'m>(Option<Bound<'m>>);

#[derive(Clone, Copy, Debug)]
struct Bound<'m> {
    word: &'m RawMutex,
    members: &'m Members<'m>,
}

impl<'m> BoundMutex<'m> {
    /// The lock of a mutex that guards nothing itself.
    ///
    /// ```
    /// # let members = ndshm_testkit::members!();
    /// let word = members.layout().mutex(())?;
    /// let shared = lock_api::Mutex::from_raw(ndshm_sync::BoundMutex::new(word), ());
    /// let guard = shared.lock();
    /// assert!(word.try_lock().is_err()); // the same lock
    /// # drop(guard);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn new(mutex: Mutex<'m, ()>) -> Self {
        let (word, members) = mutex.parts();
        Self::of(word, members)
    }

    /// The lock at `word`, for this membership.
    ///
    /// ```
    /// use ndshm_sync::{BoundMutex, RawMutex};
    ///
    /// # let members = ndshm_testkit::members!();
    /// let word = RawMutex::new(); // in shared memory
    /// let shared = lock_api::Mutex::from_raw(BoundMutex::of(&word, &members), 7);
    /// assert_eq!(*shared.lock(), 7);
    /// ```
    #[must_use]
    pub const fn of(word: &'m RawMutex, members: &'m Members<'m>) -> Self {
        Self(Some(Bound { word, members }))
    }

    fn bound(&self) -> Bound<'m> {
        self.0.expect(
            "a BoundMutex that is bound to no lock was used: make it by BoundMutex::new or of, \
             and the lock_api::Mutex around it by from_raw",
        )
    }

    /// Whether it was had in time.
    ///
    /// # Panics
    ///
    /// As the type says. Nothing is held then.
    fn acquire(&self, deadline: Deadline) -> bool {
        let Bound { word, members } = self.bound();
        match word.lock_until(members, deadline) {
            Ok(Acquired::Clean) => true,
            Ok(Acquired::Poisoned(by)) => {
                // SAFETY: acquired just now, and nobody was told so.
                unsafe { word.unlock(members) };
                panic!("{}", Poisoned::new((), by, members))
            }
            Err(NotAcquired::Held(_)) => false,
            Err(NotAcquired::Forked) => panic!("{}", LockError::<()>::Forked),
        }
    }
}

// SAFETY: `acquire` returns true only where the word was taken for this membership, which keeps
// all others out, threads of this process as well as other processes, until `unlock`; where it
// panics, nobody is told that the lock is held. An unbound one is never acquired.
unsafe impl lock_api::RawMutex for BoundMutex<'_> {
    #[allow(clippy::declare_interior_mutable_const, reason = "the trait asks for it")]
    const INIT: Self = Self(None);

    type GuardMarker = GuardNoSend;

    fn lock(&self) {
        let had = self.acquire(Deadline::Never);
        debug_assert!(had, "for ever is long enough");
    }

    fn try_lock(&self) -> bool {
        self.acquire(Deadline::Passed)
    }

    unsafe fn unlock(&self) {
        let Bound { word, members } = self.bound();
        // SAFETY: held in the current context (caller's promise), thus for this membership.
        unsafe { word.unlock(members) };
    }

    fn is_locked(&self) -> bool {
        self.bound().word.owner().is_some()
    }
}

// SAFETY: as for `RawMutex`.
unsafe impl lock_api::RawMutexTimed for BoundMutex<'_> {
    type Duration = Duration;
    type Instant = Instant;

    fn try_lock_for(&self, timeout: Duration) -> bool {
        self.acquire(Deadline::after(timeout))
    }

    fn try_lock_until(&self, deadline: Instant) -> bool {
        self.acquire(Deadline::At(deadline))
    }
}
