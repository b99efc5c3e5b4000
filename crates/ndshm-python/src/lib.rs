//! The extension module `ndshm._ndshm`: what the package `ndshm` cannot say in Python.
//!
//! It holds arrays, claims and locks, and waits for them with the interpreter's lock released; contexts, NumPy and
//! pickling are in `python/ndshm`, which is the public face.

mod add;
mod array;
mod barrier;
mod claim;
mod create;
mod dtype;
mod errors;
mod index;
mod locks;
mod room;
mod slot;
mod span;
mod wait;

use pyo3::prelude::*;

#[pymodule]
fn _ndshm(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_class::<array::Array>()?;
    m.add_class::<claim::Claim>()?;
    m.add_class::<span::Span>()?;
    m.add_class::<locks::PyMutex>()?;
    m.add_class::<locks::PyRwLock>()?;
    m.add_class::<locks::PyCondition>()?;
    m.add_class::<locks::PyEvent>()?;
    m.add_class::<locks::PySemaphore>()?;
    m.add_class::<locks::PySignalSemaphore>()?;
    m.add_class::<locks::Taken>()?;
    m.add_class::<barrier::PyBarrier>()?;
    m.add_class::<barrier::Launched>()?;
    m.add_function(wrap_pyfunction!(barrier::set_rank, m)?)?;
    m.add_function(wrap_pyfunction!(create::create, m)?)?;
    m.add_function(wrap_pyfunction!(create::open, m)?)?;
    m.add_function(wrap_pyfunction!(create::open_handle, m)?)?;
    m.add_function(wrap_pyfunction!(create::load, m)?)?;
    m.add_function(wrap_pyfunction!(create::gc, m)?)?;
    m.add_function(wrap_pyfunction!(create::remove, m)?)?;
    m.add_function(wrap_pyfunction!(dtype::descr, m)?)?;
    m.add_function(wrap_pyfunction!(dtype::itemsize, m)?)?;
    Ok(())
}
