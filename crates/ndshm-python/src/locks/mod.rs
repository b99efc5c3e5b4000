//! Locks, with the interface of `threading` and `multiprocessing`.

mod condition;
mod event;
mod locked;
mod mutex;
mod rwlock;
mod semaphore;
mod taken;

use ndshm_sync::{LockError, Member, MutexGuard};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

pub(crate) use condition::PyCondition;
pub(crate) use event::PyEvent;
pub(crate) use mutex::PyMutex;
pub(crate) use rwlock::PyRwLock;
pub(crate) use semaphore::{PySemaphore, PySignalSemaphore};
pub(crate) use taken::Taken;

use crate::errors;

/// What all handles have: where it is, and how it gets to other processes.
macro_rules! handles {
    ($class:ident, $count:ty) => {
        #[pymethods]
        impl $class {
            #[staticmethod]
            fn _open(
                py: Python<'_>,
                name: &str,
                dir: Option<PathBuf>,
                count: $count,
            ) -> PyResult<Self> {
                Ok(Self(Slot::new(Room::open(py, name, dir, count as usize)?)))
            }

            #[staticmethod]
            fn _of(py: Python<'_>, handle: &[u8]) -> PyResult<Self> {
                Ok(Self(Slot::new(Room::open_handle(py, handle)?)))
            }

            /// Another handle to the same.
            #[new]
            fn new(py: Python<'_>, of: &Bound<'_, Self>) -> PyResult<Self> {
                Ok(Self(Slot::new(of.get().0.room(py)?)))
            }

            fn _handle<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
                Ok(PyBytes::new(py, &self.0.room(py)?.handle()?))
            }

            #[getter]
            fn name(&self, py: Python<'_>) -> PyResult<Option<String>> {
                Ok(self.0.room(py)?.name().map(str::to_owned))
            }
        }
    };
}

/// Locked by one that died: told, and let go of again; `mend` of the exception takes it.
pub(crate) fn owner_died<T, G>(slf: &Bound<'_, T>, e: LockError<G>) -> PyErr {
    let LockError::Poisoned(poisoned) = e else { return errors::plain(slf.py(), "Error", e) };
    let by = poisoned.member();
    drop(poisoned);
    died(slf, by)
}

/// The same, of a lock that the caller still has, or has no more.
pub(crate) fn died<T>(slf: &Bound<'_, T>, by: Member) -> PyErr {
    let py = slf.py();
    let text = format!(
        "{by} died while holding the lock: what it guards may be half-changed; mend it within `with error.mend():`"
    );
    errors::raise(py, "OwnerDied", text, |attrs| {
        attrs.set_item("by", errors::who(py, by)?)?;
        attrs.set_item("_mend", slf.as_any().getattr("_mending")?)
    })
}

pub(crate) fn not_held() -> PyErr {
    PyRuntimeError::new_err("this handle does not hold the lock")
}

pub(crate) type Guard = MutexGuard<'static, u64>;

/// Whether it was got, or why never; `None`: not yet.
pub(crate) fn got<G>(result: Result<G, LockError<G>>) -> Option<Result<G, LockError<G>>> {
    match result {
        Err(LockError::TimedOut { .. } | LockError::WouldBlock { .. }) => None,
        decided => Some(decided),
    }
}

pub(crate) use handles;
