//! A mutex.

use std::path::PathBuf;

use ndshm_sync::{Layout, LayoutError, LockError, Mutex, MutexCell};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::{Guard, got, handles, not_held, owner_died};
use crate::errors;
use crate::room::{Primitive, Room};
use crate::slot::{Slot, in_slices, patience};

impl Primitive for Mutex<'static, u64> {
    fn len(_: usize) -> usize {
        size_of::<MutexCell<u64>>()
    }

    fn place(mut layout: Layout<'static>, _: usize) -> Result<Self, LayoutError> {
        layout.mutex(0)
    }
}

#[pyclass(frozen, subclass, name = "Mutex", module = "ndshm._ndshm")]
pub(crate) struct PyMutex(Slot<Mutex<'static, u64>, Guard>);

handles!(PyMutex, usize);

impl PyMutex {
    /// Waits for it; `None` where the time is up.
    fn get(
        &self,
        py: Python<'_>,
        seconds: Option<f64>,
    ) -> PyResult<Option<Result<Guard, LockError<Guard>>>> {
        let room = self.0.room(py)?;
        in_slices(py, seconds, |slice| got(room.primitive.lock_timeout(slice)))
    }

    #[inline]
    fn locked_by(slf: &Bound<'_, Self>, seconds: Option<f64>) -> PyResult<bool> {
        let (py, this) = (slf.py(), slf.get());
        let failed = match this.0.try_hold(py, |mutex| attempts(mutex, seconds))? {
            Ok(()) => return Ok(true),
            Err(LockError::WouldBlock { .. }) if seconds == Some(0.0) => return Ok(false),
            Err(LockError::WouldBlock { .. }) => match this.get(py, seconds)? {
                None => return Ok(false),
                Some(Ok(guard)) => {
                    this.0.hold(guard);
                    return Ok(true);
                }
                Some(Err(e)) => e,
            },
            Err(e) => e,
        };
        Err(owner_died(slf, failed))
    }
}

/// A few attempts within a microsecond or so, if there is time at all: what a lock is held for in another process is often
/// less than it takes to let go of the interpreter's lock and have it again.
#[inline]
fn attempts(mutex: &Mutex<'static, u64>, seconds: Option<f64>) -> Result<Guard, LockError<Guard>> {
    let mut got = mutex.try_lock();
    let mut pauses = 1;
    while matches!(got, Err(LockError::WouldBlock { .. })) && pauses <= 16 && seconds != Some(0.0) {
        (0..pauses).for_each(|_| std::hint::spin_loop());
        pauses *= 2;
        got = mutex.try_lock();
    }
    got
}

#[pymethods]
impl PyMutex {
    #[staticmethod]
    fn _create(py: Python<'_>, name: Option<String>, dir: Option<PathBuf>) -> PyResult<Self> {
        Slot::create(py, 0, name, dir).map(Self)
    }

    /// Takes the lock; False where it was not to be had in `timeout` seconds (None or -1: for ever).
    #[pyo3(signature = (blocking=true, timeout=None))]
    fn acquire(slf: &Bound<'_, Self>, blocking: bool, timeout: Option<f64>) -> PyResult<bool> {
        Self::locked_by(slf, patience(blocking, timeout)?)
    }

    /// Gives it back.
    fn release(&self, py: Python<'_>) -> PyResult<()> {
        self.0.take(py)?.map(drop).ok_or_else(not_held)
    }

    /// Whether somebody has it.
    fn locked(&self, py: Python<'_>) -> PyResult<bool> {
        let room = self.0.room(py)?;
        Ok(room.primitive.inspect().holders.iter().any(|holder| holder.alive))
    }

    fn __enter__(slf: &Bound<'_, Self>) -> PyResult<bool> {
        Self::locked_by(slf, None)
    }

    #[pyo3(signature = (_kind=None, _value=None, _traceback=None))]
    fn __exit__(
        &self,
        py: Python<'_>,
        _kind: Option<&Bound<'_, PyAny>>,
        _value: Option<&Bound<'_, PyAny>>,
        _traceback: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        self.release(py)
    }

    /// Takes it, whether poisoned or not; False where the time is up.
    fn _take(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<bool> {
        match self.get(py, timeout)? {
            None => Ok(false),
            Some(Err(LockError::Poisoned(poisoned))) => {
                self.0.hold(poisoned.into_inner());
                Ok(true)
            }
            Some(Ok(guard)) => {
                self.0.hold(guard);
                Ok(true)
            }
            Some(Err(e)) => Err(errors::plain(py, "Error", e)),
        }
    }

    /// Declares what it guards whole again; by the one who holds it.
    fn clear_poison(&self, py: Python<'_>) -> PyResult<()> {
        let mut guard = self.0.take(py)?.ok_or_else(not_held)?;
        guard.clear_poison();
        self.0.hold(guard);
        Ok(())
    }
}
