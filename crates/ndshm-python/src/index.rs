//! What stands in square brackets, as ndarray says it.

use ndarray::SliceInfoElem;
use pyo3::exceptions::{PyIndexError, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::{PyEllipsis, PySlice, PyTuple};

/// One element for each axis of that shape; with NumPy's meaning of what is outside.
pub(crate) fn parse(index: &Bound<'_, PyAny>, shape: &[usize]) -> PyResult<Vec<SliceInfoElem>> {
    let given: Vec<Bound<'_, PyAny>> = match index.cast::<PyTuple>() {
        Ok(tuple) => tuple.iter().collect(),
        Err(_) => vec![index.clone()],
    };
    let is_rest = |item: &Bound<'_, PyAny>| item.is_instance_of::<PyEllipsis>();
    let (rests, axes) = (given.iter().filter(|item| is_rest(item)).count(), shape.len());
    if rests > 1 {
        return Err(PyIndexError::new_err("an index has one ellipsis ('...') at most"));
    }
    let Some(missing) = axes.checked_sub(given.len() - rests) else {
        let text = format!(
            "too many indices: the array has {axes} axes, and {} were given",
            given.len() - rests
        );
        return Err(PyIndexError::new_err(text));
    };
    let mut parsed = Vec::with_capacity(axes);
    for item in &given {
        if is_rest(item) {
            parsed.extend(std::iter::repeat_n(SliceInfoElem::from(..), missing));
        } else {
            let axis = parsed.len();
            parsed.push(one(item, axis, shape[axis])?);
        }
    }
    parsed.resize(axes, SliceInfoElem::from(..));
    Ok(parsed)
}

fn one(item: &Bound<'_, PyAny>, axis: usize, len: usize) -> PyResult<SliceInfoElem> {
    let signed = len.cast_signed();
    if let Ok(slice) = item.cast::<PySlice>() {
        let found = slice.indices(signed)?;
        let (start, step, count) = (found.start, found.step, found.slicelength.cast_signed());
        if count == 0 {
            return Ok(SliceInfoElem::Slice { start: 0, end: Some(0), step: 1 });
        }
        // Both bounds from below, whichever way it goes.
        let last = start + (count - 1) * step;
        let (low, high) = (start.min(last), start.max(last));
        return Ok(SliceInfoElem::Slice { start: low, end: Some(high + 1), step });
    }
    if item.is_instance_of::<pyo3::types::PyBool>() || item.is_none() {
        return Err(refused(item));
    }
    if !item.hasattr("__index__")? {
        return Err(refused(item));
    }
    let index: isize = item.call_method0("__index__")?.extract()?;
    if !(-signed..signed).contains(&index) {
        let text = format!("index {index} is out of bounds for axis {axis} with size {len}");
        return Err(PyIndexError::new_err(text));
    }
    Ok(SliceInfoElem::Index(index))
}

fn refused(item: &Bound<'_, PyAny>) -> PyErr {
    let kind = item.get_type().qualname().map(|name| name.to_string()).unwrap_or_default();
    PyTypeError::new_err(format!(
        "a part is of integers, slices and '...', not of {kind}: use that on the array that a claim gives"
    ))
}

/// The index of one element.
pub(crate) fn element(index: &Bound<'_, PyAny>, shape: &[usize]) -> PyResult<Vec<SliceInfoElem>> {
    let parsed = parse(index, shape)?;
    if parsed.iter().any(|item| !matches!(item, SliceInfoElem::Index(_))) {
        return Err(PyTypeError::new_err("one element is wanted: an integer for each axis"));
    }
    Ok(parsed)
}
