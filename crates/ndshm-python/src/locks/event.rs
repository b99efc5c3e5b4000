//! An event.

use std::path::PathBuf;

use ndshm_sync::{Event, EventCell, Layout, LayoutError, Reset};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::handles;
use crate::room::{Primitive, Room};
use crate::slot::{Slot, in_slices};

impl Primitive for Event<'static> {
    fn len(_: usize) -> usize {
        size_of::<EventCell>()
    }

    fn place(mut layout: Layout<'static>, _: usize) -> Result<Self, LayoutError> {
        layout.event(Reset::Manual)
    }
}

#[pyclass(frozen, subclass, name = "Event", module = "ndshm._ndshm")]
pub(crate) struct PyEvent(Slot<Event<'static>, ()>);

handles!(PyEvent, usize);

#[pymethods]
impl PyEvent {
    #[staticmethod]
    fn _create(py: Python<'_>, name: Option<String>, dir: Option<PathBuf>) -> PyResult<Self> {
        Slot::create(py, 0, name, dir).map(Self)
    }

    /// Lets all through, from now on.
    fn set(&self, py: Python<'_>) -> PyResult<()> {
        self.0.room(py)?.primitive.set();
        Ok(())
    }

    /// Lets nobody through, from now on.
    fn clear(&self, py: Python<'_>) -> PyResult<()> {
        self.0.room(py)?.primitive.reset();
        Ok(())
    }

    /// Whether it lets through.
    fn is_set(&self, py: Python<'_>) -> PyResult<bool> {
        Ok(self.0.room(py)?.primitive.is_set())
    }

    /// Waits until it is set; False where the time is up.
    #[pyo3(signature = (timeout=None))]
    fn wait(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<bool> {
        let room = self.0.room(py)?;
        if room.primitive.try_wait().is_ok() {
            return Ok(true);
        }
        let found = in_slices(py, timeout, |slice| room.primitive.wait_timeout(slice).ok())?;
        Ok(found.is_some())
    }
}
