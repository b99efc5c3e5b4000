//! The words of what is done once, and how they change.

use std::cell::UnsafeCell;

use super::error::OnceError;
use crate::layout::Place;
use crate::member::Members;
use crate::mutex::{Acquired, Culprit, MutexGuard, NotAcquired, RawMutex, Unlocked};
use crate::park::{Look, Sleepers};
use crate::wait::{Deadline, Spin};

/// Has `write` write the first value of what lies at `place`, under its lock, unless somebody has.
///
/// The mark is set last. So one that dies or panics under the lock leaves poison and no mark, and
/// the next does all of it again; a mark that is there stands for a whole value, whatever the poison
/// says.
pub(crate) fn initialise(
    place: &Place,
    lock: &RawMutex,
    members: &Members<'_>,
    deadline: Deadline,
    write: impl FnOnce(),
) -> Result<(), NotAcquired> {
    if place.is_ready() {
        return Ok(());
    }
    let got = lock.lock_until(members, deadline)?;
    let nothing = UnsafeCell::new(());
    // SAFETY: locked just now, for this membership; what the lock guards is reached through `write`
    // alone, which ends before the guard does.
    let mut guard = unsafe { MutexGuard::new(Unlocked::new(lock, &nothing, members)) };
    if !place.is_ready() {
        if got != Acquired::Clean {
            guard.clear_poison();
        }
        write();
        if !members.is_mine() {
            return Err(NotAcquired::Forked); // It has forked in there: the value is the parent's.
        }
        place.set_ready();
    }
    Ok(())
}

/// What is done once: whether it is done, and who is doing it. Valid when zeroed.
#[repr(C)]
#[derive(Debug)]
pub(super) struct RawOnce {
    pub(super) place: Place,
    lock: RawMutex,
    sleepers: Sleepers,
    reserved: u32,
}

impl RawOnce {
    /// One load.
    #[inline]
    pub(super) fn is_done(&self) -> bool {
        self.place.is_ready()
    }

    /// Runs `work`, unless it is done; waits for another that is at it.
    pub(super) fn call(
        &self,
        members: &Members<'_>,
        deadline: Deadline,
        work: impl FnOnce(),
    ) -> Result<(), OnceError> {
        if self.is_done() {
            return Ok(());
        }
        // After the mark, or after a panic has let go of the lock: those who wait learn of either.
        let _wake = WakeAtEnd { sleepers: &self.sleepers, members };
        initialise(&self.place, &self.lock, members, deadline, work).map_err(|e| match e {
            NotAcquired::Held(by) => OnceError::TimedOut { by: by.map(|by| members.describe(by)) },
            NotAcquired::Forked => OnceError::Forked,
        })
    }

    /// Waits until somebody has done it.
    pub(super) fn wait(&self, members: &Members<'_>, deadline: Deadline) -> Result<(), OnceError> {
        if self.is_done() {
            return Ok(());
        }
        if !members.is_mine() {
            return Err(OnceError::Forked);
        }
        // One waits for one.
        let mut spin = if deadline.is_passed() { Spin::none() } else { Spin::for_parties(2) };
        let ended = self.sleepers.wait(members, &mut spin, deadline, |look| {
            if self.is_done() {
                return Some(Ok(()));
            }
            if look == Look::Quick {
                return None;
            }
            let by = self.abandoned_by(members)?;
            // Another may have begun anew and come to the end meanwhile.
            Some(if self.is_done() { Ok(()) } else { Err(abandoned(by, members)) })
        });
        let by = || self.lock.owner().map(|by| members.describe(by));
        ended.unwrap_or_else(|| Err(OnceError::TimedOut { by: by() }))
    }

    /// Who died or panicked at work, where nobody has begun since.
    pub(super) fn abandoned_by(&self, members: &Members<'_>) -> Option<Culprit> {
        self.lock.abandoned_by(members)
    }

    /// The lock under which it is done.
    pub(super) const fn lock(&self) -> &RawMutex {
        &self.lock
    }

    pub(super) fn has_sleepers(&self) -> bool {
        self.sleepers.any() || self.lock.has_sleepers()
    }
}

fn abandoned(by: Culprit, members: &Members<'_>) -> OnceError {
    let panicked = matches!(by, Culprit::Panicked(_));
    OnceError::Abandoned { by: members.describe(by.member()), panicked }
}

/// Wakes those who wait for the work to be done, also where it panics.
struct WakeAtEnd<'a> {
    sleepers: &'a Sleepers,
    members: &'a Members<'a>,
}

impl Drop for WakeAtEnd<'_> {
    fn drop(&mut self) {
        if self.members.is_mine() {
            self.sleepers.wake_all(self.members);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::mem::offset_of;

    #[test]
    fn the_layout_is_as_documented() {
        assert_eq!(offset_of!(RawOnce, place), 0);
        assert_eq!(offset_of!(RawOnce, lock), 8);
        assert_eq!(offset_of!(RawOnce, sleepers), 32);
        assert_eq!(size_of::<RawOnce>(), 40);
    }
}
