//! A condition variable with its lock.

use std::path::PathBuf;

use ndshm_sync::{Condvar, CondvarCell, Layout, LayoutError, LockError, Mutex, MutexCell};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::locked::Locked;
use super::{Guard, died, handles, not_held};
use crate::errors;
use crate::room::{Primitive, Room};
use crate::slot::{Slot, patience};

/// A mutex around a count of notifications, and what is slept on.
pub(crate) struct Notified {
    mutex: Mutex<'static, u64>,
    condvar: Condvar<'static>,
}

impl Primitive for Notified {
    fn len(_: usize) -> usize {
        size_of::<MutexCell<u64>>() + size_of::<CondvarCell>()
    }

    fn place(mut layout: Layout<'static>, _: usize) -> Result<Self, LayoutError> {
        let condvar = layout.condvar()?;
        Ok(Self { mutex: layout.mutex(0)?, condvar })
    }
}

impl Locked for Notified {
    #[inline]
    fn mutex(&self) -> &Mutex<'static, u64> {
        &self.mutex
    }
}

#[pyclass(frozen, subclass, name = "Condition", module = "ndshm._ndshm")]
pub(crate) struct PyCondition(Slot<Notified, Guard>);

handles!(PyCondition, usize);

#[pymethods]
impl PyCondition {
    #[staticmethod]
    fn _create(py: Python<'_>, name: Option<String>, dir: Option<PathBuf>) -> PyResult<Self> {
        Slot::create(py, 0, name, dir).map(Self)
    }

    /// Takes its lock; False where the time is up.
    #[pyo3(signature = (blocking=true, timeout=None))]
    fn acquire(slf: &Bound<'_, Self>, blocking: bool, timeout: Option<f64>) -> PyResult<bool> {
        slf.get().0.acquire(slf, patience(blocking, timeout)?)
    }

    /// Gives its lock back.
    fn release(&self, py: Python<'_>) -> PyResult<()> {
        self.0.take(py)?.map(drop).ok_or_else(not_held)
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

    /// Gives the lock back, waits to be notified, takes it again; False where the time is up. It may also return True without
    /// a notification that was meant for this one: look, and wait again.
    #[pyo3(signature = (timeout=None))]
    fn wait(slf: &Bound<'_, Self>, timeout: Option<f64>) -> PyResult<bool> {
        let (py, this) = (slf.py(), slf.get());
        let mut guard = this.0.take(py)?.ok_or_else(not_held)?;
        let room = this.0.room(py)?;
        let seen = *guard;
        let deadline =
            crate::wait::timeout(timeout)?.and_then(|t| std::time::Instant::now().checked_add(t));
        loop {
            let left = deadline.map_or(crate::wait::SLICE, |at| {
                at.saturating_duration_since(std::time::Instant::now())
            });
            let moved = crate::slot::Moved((guard, &room.primitive.condvar));
            let waited = py.detach(move || {
                let moved = moved;
                let (guard, condvar) = moved.0;
                crate::slot::Moved(condvar.wait_timeout(guard, left.min(crate::wait::SLICE)))
            });
            guard = match waited.0 {
                Ok((guard, _)) => guard,
                Err(LockError::Poisoned(poisoned)) => {
                    let by = poisoned.member();
                    // The lock stays held, as after any wait; its poison is told at the next `acquire`, too.
                    this.0.hold(poisoned.into_inner().0);
                    return Err(died(slf, by));
                }
                Err(e) => return Err(errors::plain(py, "Error", e)),
            };
            // The count tells, so that a notification between two slices is not missed.
            let notified = *guard != seen;
            let over = notified || left < crate::wait::SLICE;
            let signal = if over { Ok(()) } else { py.check_signals() };
            if over || signal.is_err() {
                this.0.hold(guard);
                return signal.map(|()| notified);
            }
        }
    }

    /// Wakes those who wait; by the one who holds the lock.
    fn notify_all(&self, py: Python<'_>) -> PyResult<()> {
        let mut guard = self.0.take(py)?.ok_or_else(not_held)?;
        *guard = guard.wrapping_add(1);
        self.0.hold(guard);
        self.0.room(py)?.primitive.condvar.notify_all();
        Ok(())
    }

    /// The same: who is woken looks whether it was meant.
    #[pyo3(signature = (n=1))]
    fn notify(&self, py: Python<'_>, n: usize) -> PyResult<()> {
        if n == 0 { Ok(()) } else { self.notify_all(py) }
    }

    fn _take(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<bool> {
        self.0.acquire_poisoned(py, timeout)
    }

    /// Declares what it guards whole again; by the one who holds the lock.
    fn clear_poison(&self, py: Python<'_>) -> PyResult<()> {
        self.0.clear_poison(py)
    }
}
