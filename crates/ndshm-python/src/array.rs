//! Arrays.

use std::ffi::c_int;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use ndshm_array::dynamic::{DynArray, DynHandle};
use ndshm_array::npy::Order;
use ndshm_array::{ClaimError, Mode, OpenError, Prefault};
use pyo3::exceptions::PyValueError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::add::add_at;
use crate::claim::Claim;
use crate::errors;
use crate::index;
use crate::span::Span;
use crate::wait::{SLICE, timeout};

/// An array, as far as this process has it open.
#[pyclass(frozen, subclass, module = "ndshm._ndshm")]
pub(crate) struct Array {
    /// Locked only while the interpreter's lock is held, and never over anything that lets go of that: no code of Python, so
    /// no error is made. So no fork finds it locked, and no two threads wait for each other's lock.
    now: Mutex<Now>,
}

enum Now {
    Open(DynArray),
    /// What was described was gone when it was unpickled: told of at its first use, as it may be by one that lives on.
    Gone(DynHandle),
    Closed,
}

impl Array {
    pub(crate) fn new(array: DynArray) -> Self {
        Self { now: Mutex::new(Now::Open(array)) }
    }

    /// What another process described.
    pub(crate) fn described(py: Python<'_>, handle: DynHandle) -> PyResult<Self> {
        // SAFETY: as for `ndshm.open`: who unpickles trusts what is unpickled.
        match unsafe { handle.open() } {
            Ok(array) => Ok(Self::new(array)),
            Err(e) if errors::is_gone(&e) => Ok(Self { now: Mutex::new(Now::Gone(handle)) }),
            Err(e) => Err(errors::open(py, e)),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The array, opened anew where this process was forked since.
    fn get(&self, py: Python<'_>) -> PyResult<DynArray> {
        self.opened().map_err(|e| match e {
            Some(e) => errors::open(py, e),
            None => errors::plain(py, "Closed", "the array was closed"),
        })
    }

    /// The same, or why not; `None` where it was closed.
    fn opened(&self) -> Result<DynArray, Option<OpenError>> {
        let mut now = self.lock();
        let handle = match &*now {
            Now::Open(array) if array.is_mine() => return Ok(array.clone()),
            Now::Open(array) => array.handle(),
            Now::Gone(handle) => handle.clone(),
            Now::Closed => return Err(None),
        };
        // SAFETY: as for `ndshm.open`: who uses the package trusts those whose arrays it opens.
        let anew = unsafe { handle.open() }.map_err(Some)?;
        // One from before a fork keeps what views of that time show.
        std::mem::forget(std::mem::replace(&mut *now, Now::Open(anew.clone())));
        Ok(anew)
    }
}

#[pymethods]
impl Array {
    /// Another handle to the same array: how the package makes its own class of one.
    #[new]
    fn of(py: Python<'_>, of: &Bound<'_, Array>) -> PyResult<Self> {
        let gone = match &*of.get().lock() {
            Now::Gone(handle) => Some(handle.clone()),
            _ => None,
        };
        match gone {
            Some(handle) => Ok(Self { now: Mutex::new(Now::Gone(handle)) }),
            None => of.get().get(py).map(Self::new),
        }
    }

    /// # Safety
    ///
    /// Called by the interpreter, with a `view` to fill.
    unsafe fn __getbuffer__(
        slf: Bound<'_, Self>,
        view: *mut ffi::Py_buffer,
        flags: c_int,
    ) -> PyResult<()> {
        let py = slf.py();
        let span = Bound::new(py, slf.get()._span(py, true)?)?;
        // SAFETY: `view` is the interpreter's to be filled; the span fills it, and is kept by it.
        match unsafe { ffi::PyObject_GetBuffer(span.as_ptr(), view, flags) } {
            0 => Ok(()),
            _ => Err(PyErr::fetch(py)),
        }
    }

    #[getter]
    fn shape(&self, py: Python<'_>) -> PyResult<Vec<usize>> {
        Ok(self.get(py)?.shape().to_vec())
    }

    #[getter]
    fn strides(&self, py: Python<'_>) -> PyResult<Vec<usize>> {
        Ok(self.get(py)?.strides())
    }

    #[getter]
    fn descr(&self, py: Python<'_>) -> PyResult<String> {
        Ok(self.get(py)?.dtype().descr().into_owned())
    }

    #[getter]
    fn dtype_name(&self, py: Python<'_>) -> PyResult<String> {
        Ok(self.get(py)?.dtype().to_string())
    }

    #[getter]
    fn itemsize(&self, py: Python<'_>) -> PyResult<usize> {
        Ok(self.get(py)?.dtype().size())
    }

    #[getter]
    fn nbytes(&self, py: Python<'_>) -> PyResult<usize> {
        Ok(self.get(py)?.nbytes())
    }

    #[getter]
    fn order(&self, py: Python<'_>) -> PyResult<&'static str> {
        Ok(if self.get(py)?.order() == Order::C { "C" } else { "F" })
    }

    #[getter]
    fn name(&self, py: Python<'_>) -> PyResult<Option<String>> {
        Ok(self.get(py)?.name().map(str::to_owned))
    }

    #[getter]
    fn path(&self, py: Python<'_>) -> PyResult<Option<PathBuf>> {
        Ok(self.get(py)?.path().map(ToOwned::to_owned))
    }

    #[getter]
    fn read_only(&self, py: Python<'_>) -> PyResult<bool> {
        Ok(self.get(py)?.is_read_only())
    }

    #[getter]
    fn closed(&self) -> bool {
        matches!(*self.lock(), Now::Closed)
    }

    /// Whether all who had it have ended before it was unpickled here.
    #[getter]
    fn gone(&self) -> bool {
        matches!(*self.lock(), Now::Gone(_))
    }

    fn close(&self) {
        let array = std::mem::replace(&mut *self.lock(), Now::Closed);
        drop(array);
    }

    fn persist(&self, py: Python<'_>) -> PyResult<()> {
        self.get(py)?.persist().map_err(|e| errors::plain(py, "Error", e))
    }

    fn unlink(&self, py: Python<'_>) -> PyResult<bool> {
        self.get(py)?.unlink().map_err(|e| errors::remove(py, e))
    }

    fn save(&self, py: Python<'_>, path: PathBuf) -> PyResult<()> {
        let array = self.get(py)?;
        py.detach(|| array.save(path)).map_err(|e| errors::save(py, e))
    }

    fn _handle<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let bytes = postcard::to_stdvec(&self.get(py)?.handle());
        let bytes = bytes.map_err(|e| PyValueError::new_err(e.to_string()))?;
        Ok(PyBytes::new(py, &bytes))
    }

    /// Has the page tables of these rows filled: bytes in huge pages, in small ones.
    fn _prefault(
        &self,
        py: Python<'_>,
        how: &str,
        threads: usize,
        rows: Option<(usize, usize)>,
    ) -> PyResult<(u64, u64)> {
        let array = self.get(py)?;
        let how = prefault(how, threads)?;
        let got = py.detach(|| match rows {
            None => array.prefault(.., &how),
            Some((from, to)) => array.prefault(from..to, &how),
        });
        let got = got.map_err(|e| errors::plain(py, "Error", e))?;
        Ok((got.huge, got.small))
    }

    fn _prefaulted(&self, py: Python<'_>) -> PyResult<(u64, u64)> {
        let got = self.get(py)?.prefaulted();
        Ok((got.huge, got.small))
    }

    /// All elements, without a claim.
    fn _span(&self, py: Python<'_>, read_only: bool) -> PyResult<Span> {
        let array = self.get(py)?;
        let strides = array.strides();
        let strides = strides.iter().map(|n| n.cast_signed());
        Span::new(&array, array.as_ptr(), array.shape(), strides, read_only)
    }

    /// Claims a part: 'r' shared, 'w' exclusive. `seconds` 0: at once or not at all; `None`: for ever. `mend`: poisoned parts, too; `mends`: whole
    /// again at the regular end of its block.
    fn _claim(
        &self,
        py: Python<'_>,
        index: &Bound<'_, PyAny>,
        mode: &str,
        seconds: Option<f64>,
        mend: bool,
        mends: bool,
    ) -> PyResult<Claim> {
        let array = self.get(py)?;
        let part = index::parse(index, array.shape())?;
        let mode = if mode == "r" { Mode::Shared } else { Mode::Exclusive };
        Claim::new(py, &array, &part, mode, timeout(seconds)?, mend, mends)
    }

    /// The bytes of a part, row by row, of one moment between two writers.
    fn _snapshot<'py>(
        &self,
        py: Python<'py>,
        index: &Bound<'py, PyAny>,
        seconds: Option<f64>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let array = self.get(py)?;
        let part = index::parse(index, array.shape())?;
        let deadline = timeout(seconds)?.and_then(|timeout| Instant::now().checked_add(timeout));
        loop {
            let left = deadline.map_or(SLICE, |at| at.saturating_duration_since(Instant::now()));
            match py.detach(|| array.snapshot_part(&part, left.min(SLICE))) {
                Ok(bytes) => return Ok(PyBytes::new(py, &bytes)),
                Err(ClaimError::Overlap { .. } | ClaimError::Busy { .. }) if left >= SLICE => {
                    py.check_signals()?;
                }
                Err(e) => return Err(errors::claim(py, e, true)),
            }
        }
    }

    /// Adds to one element, atomically; what it was.
    fn _add_at<'py>(
        &self,
        py: Python<'py>,
        index: &Bound<'py, PyAny>,
        value: &Bound<'py, PyAny>,
        seconds: Option<f64>,
    ) -> PyResult<Bound<'py, PyAny>> {
        add_at(py, &self.get(py)?, index, value, timeout(seconds)?)
    }
}

/// What the memory of an array is got by, as Python says it.
pub(crate) fn prefault(how: &str, threads: usize) -> PyResult<Prefault> {
    let prefault = match how {
        "none" => Prefault::none(),
        "pages" => Prefault::pages(),
        "huge" => Prefault::huge(),
        other => {
            let text = format!("prefault is None, 'pages' or 'huge', not {other:?}");
            return Err(PyValueError::new_err(text));
        }
    };
    Ok(prefault.threads(threads.max(1)))
}
