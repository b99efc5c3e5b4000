//! A mutex.

use std::path::PathBuf;

use ndshm_sync::{Layout, LayoutError, Mutex, MutexCell};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::locked::Locked;
use super::{Guard, handles, not_held};
use crate::room::{Primitive, Room};
use crate::slot::{Slot, patience};

impl Primitive for Mutex<'static, u64> {
    fn len(_: usize) -> usize {
        size_of::<MutexCell<u64>>()
    }

    fn place(mut layout: Layout<'static>, _: usize) -> Result<Self, LayoutError> {
        layout.mutex(0)
    }
}

impl Locked for Mutex<'static, u64> {
    #[inline]
    fn mutex(&self) -> &Mutex<'static, u64> {
        self
    }
}

#[pyclass(frozen, subclass, name = "Mutex", module = "ndshm._ndshm")]
pub(crate) struct PyMutex(Slot<Mutex<'static, u64>, Guard>);

handles!(PyMutex, usize);

#[pymethods]
impl PyMutex {
    #[staticmethod]
    fn _create(py: Python<'_>, name: Option<String>, dir: Option<PathBuf>) -> PyResult<Self> {
        Slot::create(py, 0, name, dir).map(Self)
    }

    /// Takes the lock; False where it was not to be had in `timeout` seconds (None or -1: for ever).
    #[pyo3(signature = (blocking=true, timeout=None))]
    fn acquire(slf: &Bound<'_, Self>, blocking: bool, timeout: Option<f64>) -> PyResult<bool> {
        slf.get().0.acquire(slf, patience(blocking, timeout)?)
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
        slf.get().0.acquire(slf, None)
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
        self.0.acquire_poisoned(py, timeout)
    }

    /// Declares what it guards whole again; by the one who holds it.
    fn clear_poison(&self, py: Python<'_>) -> PyResult<()> {
        self.0.clear_poison(py)
    }
}
