//! How arrays are made, opened and removed.

use std::path::PathBuf;

use ndshm_array::CreateError;
use ndshm_array::dynamic::{DynArray, DynHandle, DynOptions};
use ndshm_array::npy::Order;
use ndshm_buffer::SharedBuffer;
use pyo3::buffer::PyBuffer;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::array::{Array, prefault};
use crate::errors;

fn order(order: &str) -> PyResult<Order> {
    match order {
        "C" => Ok(Order::C),
        "F" => Ok(Order::F),
        other => Err(PyValueError::new_err(format!("order is 'C' or 'F', not {other:?}"))),
    }
}

fn options(dir: Option<PathBuf>, name: Option<String>) -> DynOptions {
    let mut options = DynArray::options();
    if let Some(dir) = dir {
        options = options.dir(dir);
    }
    if let Some(name) = name {
        options = options.name(name);
    }
    options
}

/// Why nothing was made: an error of the crates, or of Python.
enum Unmade {
    Create(CreateError),
    Python(PyErr),
}

impl From<CreateError> for Unmade {
    fn from(e: CreateError) -> Self {
        Self::Create(e)
    }
}

/// Makes an array: of zeros, of one element's bytes again and again, or of all bytes in its order.
#[pyfunction]
#[pyo3(signature = (shape, descr, order_, name, dir, persist, prefault_, threads, pattern=None, data=None))]
#[allow(clippy::too_many_arguments, reason = "called by the package alone")]
pub(crate) fn create(
    py: Python<'_>,
    shape: Vec<usize>,
    descr: &str,
    order_: &str,
    name: Option<String>,
    dir: Option<PathBuf>,
    persist: bool,
    prefault_: &str,
    threads: usize,
    pattern: Option<Vec<u8>>,
    data: Option<PyBuffer<u8>>,
) -> PyResult<Array> {
    let dtype = crate::dtype::parse(descr)?;
    let options = options(dir, name).persist(persist).prefault(prefault(prefault_, threads)?);
    let order = order(order_)?;
    let made = match data {
        Some(data) => options.make(dtype, &shape, order, |bytes| {
            if data.item_count() != bytes.len() {
                return Err(Unmade::Python(PyValueError::new_err(
                    "as many bytes as the array has",
                )));
            }
            data.copy_to_slice(py, bytes).map_err(Unmade::Python)
        }),
        None => py.detach(|| {
            options.make(dtype, &shape, order, |bytes| {
                if let Some(pattern) = &pattern {
                    bytes
                        .chunks_exact_mut(pattern.len().max(1))
                        .for_each(|e| e.copy_from_slice(pattern));
                }
                Ok::<(), Unmade>(())
            })
        }),
    };
    made.map(Array::new).map_err(|e| match e {
        Unmade::Create(e) => errors::create(py, e),
        Unmade::Python(e) => e,
    })
}

/// Opens the array of that name.
#[pyfunction]
pub(crate) fn open(
    py: Python<'_>,
    name: &str,
    dir: Option<PathBuf>,
    read_only: bool,
) -> PyResult<Array> {
    let options = options(dir, None).read_only(read_only);
    // SAFETY: that all who write to it do so through ndshm is what the documentation of `ndshm.open` asks for; Python has
    // no other place for the promise.
    let opened = unsafe { options.open(name) };
    opened.map(Array::new).map_err(|e| errors::open(py, e))
}

/// Opens what another process described.
#[pyfunction]
pub(crate) fn open_handle(py: Python<'_>, handle: &[u8]) -> PyResult<Array> {
    let handle: DynHandle = postcard::from_bytes(handle)
        .map_err(|e| PyValueError::new_err(format!("this is no description of an array: {e}")))?;
    Array::described(py, handle)
}

/// Makes an array of an `.npy` file.
#[pyfunction]
pub(crate) fn load(
    py: Python<'_>,
    path: PathBuf,
    name: Option<String>,
    dir: Option<PathBuf>,
    persist: bool,
) -> PyResult<Array> {
    let options = options(dir, name).persist(persist);
    py.detach(|| options.load(path)).map(Array::new).map_err(|e| errors::load(py, e))
}

/// Removes the names that nobody has and nobody wanted kept: theirs.
#[pyfunction]
pub(crate) fn gc(py: Python<'_>, dir: Option<PathBuf>) -> PyResult<Vec<String>> {
    let mut options = SharedBuffer::options();
    if let Some(dir) = dir {
        options = options.dir(dir);
    }
    let removed = py.detach(|| options.gc()).map_err(|e| errors::plain(py, "Error", e))?;
    Ok(removed.into_iter().map(|segment| segment.name().to_owned()).collect())
}

/// Removes a name.
#[pyfunction]
pub(crate) fn remove(py: Python<'_>, name: &str, dir: Option<PathBuf>) -> PyResult<()> {
    options(dir, None).remove(name).map_err(|e| errors::remove(py, e))
}
