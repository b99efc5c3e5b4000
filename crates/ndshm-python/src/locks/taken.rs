//! What a `with` block takes of a lock.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::errors;

/// How a lock is taken, by which method of it.
#[derive(Clone, Copy, PartialEq)]
enum How {
    Read,
    Write,
    /// Whether poisoned or not, and declared whole at the regular end of the block.
    Mend,
}

/// A lock, as the context of a block: taken at its beginning, given back at its end. Here, rather than in Python, where a handler of a
/// signal could raise when the lock is taken and the block has not begun.
#[pyclass(frozen, module = "ndshm._ndshm")]
pub(crate) struct Taken {
    lock: Py<PyAny>,
    how: How,
    timeout: Option<f64>,
}

#[pymethods]
impl Taken {
    #[new]
    fn new(lock: Py<PyAny>, how: &str, timeout: Option<f64>) -> PyResult<Self> {
        let how = match how {
            "read" => How::Read,
            "write" => How::Write,
            "mend" => How::Mend,
            other => return Err(PyValueError::new_err(format!("not {other:?}"))),
        };
        Ok(Self { lock, how, timeout })
    }

    fn __enter__(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let (lock, timeout) = (self.lock.bind(py), self.timeout);
        let taken = match self.how {
            How::Read => lock.call_method1("acquire_read", (true, timeout)),
            How::Write => lock.call_method1("acquire_write", (true, timeout)),
            How::Mend => lock.call_method1("_take", (timeout,)),
        };
        match taken?.is_truthy()? {
            true => Ok(self.lock.clone_ref(py)),
            false => Err(errors::plain(py, "TimedOut", "timed out waiting for a lock")),
        }
    }

    #[pyo3(signature = (kind=None, _value=None, _traceback=None))]
    fn __exit__(
        &self,
        py: Python<'_>,
        kind: Option<&Bound<'_, PyAny>>,
        _value: Option<&Bound<'_, PyAny>>,
        _traceback: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let lock = self.lock.bind(py);
        if self.how == How::Mend && kind.is_none() {
            lock.call_method0("clear_poison")?;
        }
        lock.call_method0("release").map(drop)
    }
}
