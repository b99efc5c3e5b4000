//! A reader-writer lock.

use std::path::PathBuf;

use ndshm_sync::{
    Layout, LayoutError, LockError, RwLock, RwLockCell, RwLockReadGuard, RwLockWriteGuard,
};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::{got, handles, not_held, owner_died};
use crate::room::{Primitive, Room};
use crate::slot::{Slot, in_slices, patience};

impl Primitive for RwLock<'static, u64> {
    fn len(_: usize) -> usize {
        size_of::<RwLockCell<u64>>()
    }

    fn place(mut layout: Layout<'static>, _: usize) -> Result<Self, LayoutError> {
        layout.rwlock(0)
    }
}

type Reading = RwLockReadGuard<'static, u64>;
type Writing = RwLockWriteGuard<'static, u64>;

/// What a handle on a reader-writer lock holds.
enum Either {
    Read(#[allow(dead_code, reason = "held for its drop")] Reading),
    Write(Writing),
}

#[pyclass(frozen, subclass, name = "RwLock", module = "ndshm._ndshm")]
pub(crate) struct PyRwLock(Slot<RwLock<'static, u64>, Either>);

handles!(PyRwLock, usize);

#[pymethods]
impl PyRwLock {
    #[staticmethod]
    fn _create(py: Python<'_>, name: Option<String>, dir: Option<PathBuf>) -> PyResult<Self> {
        Slot::create(py, 0, name, dir).map(Self)
    }

    /// Takes it together with others who read; False where the time is up.
    #[pyo3(signature = (blocking=true, timeout=None))]
    fn acquire_read(slf: &Bound<'_, Self>, blocking: bool, timeout: Option<f64>) -> PyResult<bool> {
        let (py, this, seconds) = (slf.py(), slf.get(), patience(blocking, timeout)?);
        let room = this.0.room(py)?;
        let result = match got(room.primitive.try_read()) {
            None if seconds != Some(0.0) => {
                in_slices(py, seconds, |slice| got(room.primitive.read_timeout(slice)))?
            }
            decided => decided,
        };
        match result {
            None => Ok(false),
            Some(Ok(guard)) => {
                this.0.hold(Either::Read(guard));
                Ok(true)
            }
            Some(Err(e)) => Err(owner_died(slf, e)),
        }
    }

    /// Takes it alone; False where the time is up. `mend`: also where one died writing.
    #[pyo3(signature = (blocking=true, timeout=None, mend=false))]
    fn acquire_write(
        slf: &Bound<'_, Self>,
        blocking: bool,
        timeout: Option<f64>,
        mend: bool,
    ) -> PyResult<bool> {
        let (py, this, seconds) = (slf.py(), slf.get(), patience(blocking, timeout)?);
        let room = this.0.room(py)?;
        let result = match got(room.primitive.try_write()) {
            None if seconds != Some(0.0) => {
                in_slices(py, seconds, |slice| got(room.primitive.write_timeout(slice)))?
            }
            decided => decided,
        };
        let guard = match result {
            None => return Ok(false),
            Some(Ok(guard)) => guard,
            Some(Err(LockError::Poisoned(poisoned))) if mend => poisoned.into_inner(),
            Some(Err(e)) => return Err(owner_died(slf, e)),
        };
        this.0.hold(Either::Write(guard));
        Ok(true)
    }

    /// Takes it alone, whether one died writing or not.
    fn _take(slf: &Bound<'_, Self>, timeout: Option<f64>) -> PyResult<bool> {
        Self::acquire_write(slf, true, timeout, true)
    }

    /// Gives back what this handle took last.
    fn release(&self, py: Python<'_>) -> PyResult<()> {
        self.0.take(py)?.map(drop).ok_or_else(not_held)
    }

    /// Declares what it guards whole again; by the one who writes.
    fn clear_poison(&self, py: Python<'_>) -> PyResult<()> {
        match self.0.take(py)?.ok_or_else(not_held)? {
            Either::Write(mut guard) => {
                guard.clear_poison();
                self.0.hold(Either::Write(guard));
                Ok(())
            }
            reading => {
                self.0.hold(reading);
                Err(not_held())
            }
        }
    }
}
