//! How a mutex is taken: one by itself, or that of a condition.

use ndshm_sync::{LockError, Mutex};
use pyo3::prelude::*;

use super::{Guard, got, not_held, owner_died};
use crate::errors;
use crate::room::Primitive;
use crate::slot::{Slot, in_slices};

/// What has a mutex.
pub(crate) trait Locked: Primitive {
    fn mutex(&self) -> &Mutex<'static, u64>;
}

impl<P: Locked> Slot<P, Guard> {
    /// Takes it for that handle; false where the time is up.
    #[inline]
    pub(super) fn acquire<T>(&self, handle: &Bound<'_, T>, seconds: Option<f64>) -> PyResult<bool> {
        match self.try_hold(handle.py(), |of| of.mutex().try_lock())? {
            Ok(()) => Ok(true),
            Err(LockError::WouldBlock { .. }) if seconds == Some(0.0) => Ok(false),
            Err(e) => self.acquire_contended(handle, seconds, e),
        }
    }

    #[cold]
    fn acquire_contended<T>(
        &self,
        handle: &Bound<'_, T>,
        seconds: Option<f64>,
        mut failed: LockError<Guard>,
    ) -> PyResult<bool> {
        let py = handle.py();
        // A few attempts within a microsecond or so: what a lock is held for in another process is often less than it takes
        // to let go of the interpreter's lock and have it again.
        let mut pauses = 1;
        while let LockError::WouldBlock { .. } = failed {
            if pauses > 16 {
                return match self.waited(py, seconds)? {
                    None => Ok(false),
                    Some(Ok(guard)) => {
                        self.hold(guard);
                        Ok(true)
                    }
                    Some(Err(e)) => Err(owner_died(handle, e)),
                };
            }
            (0..pauses).for_each(|_| std::hint::spin_loop());
            pauses *= 2;
            match self.try_hold(py, |of| of.mutex().try_lock())? {
                Ok(()) => return Ok(true),
                Err(e) => failed = e,
            }
        }
        Err(owner_died(handle, failed))
    }

    /// Takes it, whether poisoned or not.
    pub(super) fn acquire_poisoned(&self, py: Python<'_>, seconds: Option<f64>) -> PyResult<bool> {
        let guard = match self.waited(py, seconds)? {
            None => return Ok(false),
            Some(Ok(guard)) => guard,
            Some(Err(LockError::Poisoned(poisoned))) => poisoned.into_inner(),
            Some(Err(e)) => return Err(errors::plain(py, "Error", e)),
        };
        self.hold(guard);
        Ok(true)
    }

    /// Declares what it guards whole again; by the one who holds it.
    pub(super) fn clear_poison(&self, py: Python<'_>) -> PyResult<()> {
        let mut guard = self.take(py)?.ok_or_else(not_held)?;
        guard.clear_poison();
        self.hold(guard);
        Ok(())
    }

    /// Waits for it; `None` where the time is up.
    fn waited(
        &self,
        py: Python<'_>,
        seconds: Option<f64>,
    ) -> PyResult<Option<Result<Guard, LockError<Guard>>>> {
        let room = self.room(py)?;
        in_slices(py, seconds, |slice| got(room.primitive.mutex().lock_timeout(slice)))
    }
}
