//! A part of an array as an object of the buffer protocol.

use std::ffi::{CString, c_int, c_void};
use std::ptr;

use ndshm_array::dynamic::DynArray;
use pyo3::exceptions::PyBufferError;
use pyo3::ffi;
use pyo3::prelude::*;

use crate::dtype;

/// Memory of an array, which it keeps mapped; whoever views it keeps this. It claims nothing.
///
/// # Invariants
///
/// 1. `shape` and `strides` have the same length, never change, and reach only elements of `array` from `address`.
#[pyclass(frozen, module = "ndshm._ndshm")]
pub(crate) struct Span {
    array: DynArray,
    address: usize,
    shape: Vec<ffi::Py_ssize_t>,
    strides: Vec<ffi::Py_ssize_t>,
    format: CString,
    itemsize: ffi::Py_ssize_t,
    read_only: bool,
}

impl Span {
    /// The part of `array` that begins at `pointer`, of that shape and those strides in bytes (invariant 1).
    pub(crate) fn new(
        array: &DynArray,
        pointer: *mut u8,
        shape: &[usize],
        strides: impl Iterator<Item = isize>,
        read_only: bool,
    ) -> PyResult<Self> {
        Ok(Self {
            address: pointer.expose_provenance(),
            shape: shape.iter().map(|n| n.cast_signed()).collect(),
            strides: strides.collect(),
            format: CString::new(dtype::format(array.dtype()))?,
            itemsize: array.dtype().size().cast_signed(),
            read_only: read_only || array.is_read_only(),
            array: array.clone(),
        })
    }

    fn is_contiguous(&self, fortran: bool) -> bool {
        let mut next = self.itemsize;
        let fits = |(&len, &stride): (&isize, &isize)| {
            let fits = len <= 1 || stride == next;
            next *= len.max(1);
            fits
        };
        let axes = self.shape.iter().zip(&self.strides);
        if fortran { axes.into_iter().all(fits) } else { axes.rev().all(fits) }
    }

    fn is_empty(&self) -> bool {
        self.shape.contains(&0)
    }
}

#[pymethods]
impl Span {
    /// # Safety
    ///
    /// Called by the interpreter, with a `view` to fill.
    unsafe fn __getbuffer__(
        slf: Bound<'_, Self>,
        view: *mut ffi::Py_buffer,
        flags: c_int,
    ) -> PyResult<()> {
        let this = slf.get();
        let asked = |flag: c_int| flags & flag == flag;
        if view.is_null() {
            return Err(PyBufferError::new_err("there is no view to fill"));
        }
        if asked(ffi::PyBUF_WRITABLE) && this.read_only {
            return Err(PyBufferError::new_err("this part of the array is read-only"));
        }
        let in_order = |fortran| this.is_empty() || this.is_contiguous(fortran);
        let (c, f) = (in_order(false), in_order(true));
        // Who asks for no strides takes it for row by row.
        let unfit = (asked(ffi::PyBUF_C_CONTIGUOUS) || !asked(ffi::PyBUF_STRIDES)) && !c
            || asked(ffi::PyBUF_F_CONTIGUOUS) && !f
            || asked(ffi::PyBUF_ANY_CONTIGUOUS) && !(c || f);
        if unfit {
            return Err(PyBufferError::new_err(
                "this part of the array does not lie in one piece as asked for",
            ));
        }
        let len = this.itemsize * this.shape.iter().product::<isize>();
        let filled = ffi::Py_buffer {
            buf: ptr::with_exposed_provenance_mut::<c_void>(this.address),
            obj: slf.clone().into_any().into_ptr(),
            len,
            itemsize: this.itemsize,
            readonly: c_int::from(this.read_only),
            ndim: this.shape.len() as c_int,
            format: if asked(ffi::PyBUF_FORMAT) {
                this.format.as_ptr().cast_mut()
            } else {
                ptr::null_mut()
            },
            shape: if asked(ffi::PyBUF_ND) {
                this.shape.as_ptr().cast_mut()
            } else {
                ptr::null_mut()
            },
            strides: if asked(ffi::PyBUF_STRIDES) {
                this.strides.as_ptr().cast_mut()
            } else {
                ptr::null_mut()
            },
            suboffsets: ptr::null_mut(),
            internal: ptr::null_mut(),
        };
        // SAFETY: not null, and the interpreter's to be filled. What it points to is in `slf`, which `obj` keeps, frozen, so
        // it stays where it is (invariant 1).
        unsafe { view.write(filled) };
        Ok(())
    }

    /// # Safety
    ///
    /// Called by the interpreter, with a view that was filled above.
    unsafe fn __releasebuffer__(&self, _view: *mut ffi::Py_buffer) {
        // The interpreter lets go of `obj`.
        let _ = &self.array;
    }
}
