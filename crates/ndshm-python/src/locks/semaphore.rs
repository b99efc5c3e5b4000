//! Semaphores.

use std::path::PathBuf;

use ndshm_sync::{
    AcquireError, Layout, LayoutError, OnDeath, PostError, Semaphore, SemaphoreCell,
    SemaphorePermit, SignalSemaphore, SignalSemaphoreCell,
};
use pyo3::exceptions::{PyOverflowError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::handles;
use crate::errors;
use crate::room::{Primitive, Room};
use crate::slot::{Slot, in_slices, patience};

impl Primitive for Semaphore<'static> {
    const COUNTED: bool = true;

    fn len(permits: usize) -> usize {
        (2 + permits.div_ceil(8)) * size_of::<SemaphoreCell>()
    }

    fn place(mut layout: Layout<'static>, permits: usize) -> Result<Self, LayoutError> {
        layout.semaphore(permits, OnDeath::Return)
    }
}

#[pyclass(frozen, subclass, name = "Semaphore", module = "ndshm._ndshm")]
pub(crate) struct PySemaphore(Slot<Semaphore<'static>, SemaphorePermit<'static>>);

handles!(PySemaphore, usize);

impl PySemaphore {
    fn got(&self, py: Python<'_>, seconds: Option<f64>) -> PyResult<bool> {
        let room = self.0.room(py)?;
        let got = |result| match result {
            Ok(permit) => Some(Ok(permit)),
            Err(AcquireError::Reclaimed(reclaimed)) => Some(Ok(reclaimed.into_inner())),
            Err(AcquireError::TimedOut { .. } | AcquireError::WouldBlock { .. }) => None,
            Err(e) => Some(Err(e.without_permit())),
        };
        let result = match got(room.primitive.try_acquire()) {
            None if seconds != Some(0.0) => {
                in_slices(py, seconds, |slice| got(room.primitive.acquire_timeout(slice)))?
            }
            decided => decided,
        };
        match result {
            None => Ok(false),
            Some(Ok(permit)) => {
                self.0.hold(permit);
                Ok(true)
            }
            Some(Err(e)) => Err(errors::plain(py, "Error", e)),
        }
    }
}

#[pymethods]
impl PySemaphore {
    #[staticmethod]
    fn _create(
        py: Python<'_>,
        value: usize,
        name: Option<String>,
        dir: Option<PathBuf>,
    ) -> PyResult<Self> {
        Slot::create(py, value, name, dir).map(Self)
    }

    /// Takes a permit; False where the time is up. Those of the dead come back by themselves.
    #[pyo3(signature = (blocking=true, timeout=None))]
    fn acquire(&self, py: Python<'_>, blocking: bool, timeout: Option<f64>) -> PyResult<bool> {
        self.got(py, patience(blocking, timeout)?)
    }

    /// Gives back `n` permits that this handle has.
    #[pyo3(signature = (n=1))]
    fn release(&self, py: Python<'_>, n: usize) -> PyResult<()> {
        for _ in 0..n {
            let permit = self.0.take(py)?;
            drop(permit.ok_or_else(|| {
                PyValueError::new_err("released a permit that this handle does not have")
            })?);
        }
        Ok(())
    }

    fn __enter__(&self, py: Python<'_>) -> PyResult<bool> {
        self.got(py, None)
    }

    #[pyo3(signature = (_kind=None, _value=None, _traceback=None))]
    fn __exit__(
        &self,
        py: Python<'_>,
        _kind: Option<&Bound<'_, PyAny>>,
        _value: Option<&Bound<'_, PyAny>>,
        _traceback: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        self.release(py, 1)
    }

    /// How many permits could be had now.
    fn get_value(&self, py: Python<'_>) -> PyResult<usize> {
        Ok(self.0.room(py)?.primitive.available())
    }
}

impl Primitive for SignalSemaphore<'static> {
    fn len(_: usize) -> usize {
        size_of::<SignalSemaphoreCell>()
    }

    fn place(mut layout: Layout<'static>, initial: usize) -> Result<Self, LayoutError> {
        layout.signal_semaphore(u32::try_from(initial).unwrap_or(u32::MAX))
    }
}

#[pyclass(frozen, subclass, name = "SignalSemaphore", module = "ndshm._ndshm")]
pub(crate) struct PySignalSemaphore(Slot<SignalSemaphore<'static>, ()>);

handles!(PySignalSemaphore, u32);

#[pymethods]
impl PySignalSemaphore {
    #[staticmethod]
    fn _create(
        py: Python<'_>,
        value: u32,
        name: Option<String>,
        dir: Option<PathBuf>,
    ) -> PyResult<Self> {
        Slot::create(py, value as usize, name, dir).map(Self)
    }

    /// Takes one off the count; False where the time is up.
    #[pyo3(signature = (blocking=true, timeout=None))]
    fn acquire(&self, py: Python<'_>, blocking: bool, timeout: Option<f64>) -> PyResult<bool> {
        let (room, seconds) = (self.0.room(py)?, patience(blocking, timeout)?);
        if room.primitive.try_wait().is_ok() {
            return Ok(true);
        }
        if seconds == Some(0.0) {
            return Ok(false);
        }
        Ok(in_slices(py, seconds, |slice| room.primitive.wait_timeout(slice).ok())?.is_some())
    }

    /// Adds to the count: by any process, whether it took something or not.
    #[pyo3(signature = (n=1))]
    fn release(&self, py: Python<'_>, n: u32) -> PyResult<()> {
        self.0.room(py)?.primitive.post_many(n).map_err(|e| match e {
            PostError::Forked => errors::plain(py, "Error", e),
            _ => PyOverflowError::new_err(e.to_string()),
        })
    }

    /// The count.
    fn get_value(&self, py: Python<'_>) -> PyResult<u32> {
        Ok(self.0.room(py)?.primitive.value())
    }
}
