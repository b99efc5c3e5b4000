//! Element types: by their names, and as formats of the buffer protocol.

use std::fmt::Write as _;

use ndshm_array::npy::Dtype;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;

/// By its name in NumPy ('float64'), or as NumPy's files write it ('<f8', "[('x', '<f4'), ...]").
pub(crate) fn parse(text: &str) -> PyResult<Dtype> {
    if let Some(known) = Dtype::ALL.into_iter().find(|dtype| dtype.name() == text) {
        return Ok(known);
    }
    let bare =
        |text: &str| Dtype::from_descr(text).or_else(|_| Dtype::from_descr(&format!("<{text}")));
    let found = bare(text).or_else(|_| Dtype::from_descr(&format!("|{text}")));
    found.map_err(|_| match Dtype::from_descr(text) {
        Ok(_) => unreachable!("tried above"),
        Err(e) => PyTypeError::new_err(format!("no element type of a shared array: {text}: {e}")),
    })
}

/// The type that a text names, as NumPy's files write it.
#[pyfunction]
pub(crate) fn descr(text: &str) -> PyResult<String> {
    Ok(parse(text)?.descr().into_owned())
}

/// Bytes of one element.
#[pyfunction]
pub(crate) fn itemsize(text: &str) -> PyResult<usize> {
    Ok(parse(text)?.size())
}

/// The format of PEP 3118: native for plain numbers, which `memoryview` reads too; little-endian and unaligned within structures.
pub(crate) fn format(dtype: &Dtype) -> String {
    let mut out = String::new();
    write_type(&mut out, dtype, "");
    out
}

fn write_type(out: &mut String, dtype: &Dtype, order: &str) {
    let code = match dtype {
        Dtype::Bool => "?",
        Dtype::I8 => "b",
        Dtype::I16 => "h",
        Dtype::I32 => "i",
        Dtype::I64 => "q",
        Dtype::U8 => "B",
        Dtype::U16 => "H",
        Dtype::U32 => "I",
        Dtype::U64 => "Q",
        Dtype::F16 => "e",
        Dtype::F32 => "f",
        Dtype::F64 => "d",
        Dtype::C64 => "Zf",
        Dtype::C128 => "Zd",
        Dtype::Array(array) => {
            let lengths: Vec<_> = array.shape().iter().map(usize::to_string).collect();
            let _ = write!(out, "({})", lengths.join(","));
            return write_type(out, array.base(), order);
        }
        Dtype::Struct(structure) => {
            out.push_str("T{");
            let mut at = 0;
            for field in structure.fields() {
                pad(out, field.offset() - at);
                write_type(out, field.dtype(), "<");
                let _ = write!(out, ":{}:", field.name());
                at = field.offset() + field.dtype().size();
            }
            pad(out, structure.size() - at);
            out.push('}');
            return;
        }
        _ => "B",
    };
    out.push_str(order);
    out.push_str(code);
}

fn pad(out: &mut String, len: usize) {
    if len > 0 {
        let _ = write!(out, "{len}x");
    }
}
