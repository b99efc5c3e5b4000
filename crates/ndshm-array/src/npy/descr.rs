//! Structured types as NPY headers describe them: Python lists of tuples.

use std::fmt::Write as _;

use py_literal::Value;

use super::compound::{ArrayDtype, Field, StructDtype};
use super::decode::check_depth;
use super::dtype::shortened;
use super::{Dtype, HeaderError, MAX_AXES};

/// The field that a subarray type stands in where it is the type of a whole file.
const ONLY: &str = "f0";

/// The list that describes a type which is not plain.
pub(super) fn text(dtype: &Dtype) -> String {
    let mut out = String::new();
    match dtype {
        Dtype::Struct(_) => write_type(&mut out, dtype),
        _ => {
            out.push('[');
            write_field(&mut out, ONLY, dtype);
            out.push(']');
        }
    }
    out
}

fn write_type(out: &mut String, dtype: &Dtype) {
    let Dtype::Struct(structure) = dtype else {
        // An array is written by the field that has it.
        let _ = write!(out, "'{}'", dtype.plain_descr().unwrap_or_default());
        return;
    };
    out.push('[');
    let mut at = 0;
    for field in structure.fields() {
        write_padding(out, field.offset() - at);
        write_field(out, field.name(), field.dtype());
        at = field.offset() + field.dtype().size();
    }
    write_padding(out, structure.size() - at);
    out.push(']');
}

fn write_padding(out: &mut String, len: usize) {
    if len > 0 {
        separate(out);
        let _ = write!(out, "('', '|V{len}')");
    }
}

fn write_field(out: &mut String, name: &str, dtype: &Dtype) {
    separate(out);
    out.push_str("('");
    for c in name.chars() {
        if matches!(c, '\\' | '\'') {
            out.push('\\');
        }
        out.push(c);
    }
    out.push_str("', ");
    if let Dtype::Array(array) = dtype {
        write_type(out, array.base());
        let shape = array.shape();
        let lengths: Vec<_> = shape.iter().map(usize::to_string).collect();
        // A tuple of one is written with a comma: (3,).
        let comma = if shape.len() == 1 { "," } else { "" };
        let _ = write!(out, ", ({}{comma})", lengths.join(", "));
    } else {
        write_type(out, dtype);
    }
    out.push(')');
}

fn separate(out: &mut String) {
    if !out.ends_with('[') {
        out.push_str(", ");
    }
}

/// The type that such a list describes.
pub(super) fn parsed(text: &str) -> Result<Dtype, HeaderError> {
    check_depth(text.as_bytes(), 0)?;
    let value = text.parse::<Value>();
    of_value(&value.map_err(|_| refused(format_args!("'{}' is no list", shortened(text))))?)
}

/// The type that the value of `descr` describes.
pub(super) fn of_value(value: &Value) -> Result<Dtype, HeaderError> {
    match value {
        Value::String(plain) => Dtype::plain(plain),
        Value::List(fields) => structure(fields),
        _ => Err(HeaderError::Malformed("the value of descr is not valid".into())),
    }
}

fn structure(list: &[Value]) -> Result<Dtype, HeaderError> {
    let mut fields: Vec<Field> = Vec::new();
    let mut at = 0_usize;
    for (i, entry) in list.iter().enumerate() {
        let (name, dtype, shape) = match entry.as_tuple().map(Vec::as_slice) {
            Some([name, dtype]) => (name, dtype, None),
            Some([name, dtype, shape]) => (name, dtype, Some(shape)),
            _ => return Err(refused(format_args!("entry {i} is no tuple of name, dtype, shape"))),
        };
        let name = match name {
            Value::String(name) => name,
            Value::Tuple(_) => return Err(refused(format_args!("field {i} has a title"))),
            _ => return Err(refused(format_args!("the name of field {i} is no text"))),
        };
        let size = match (padding(name, dtype)?, shape) {
            (Some(len), None) => len,
            (Some(_), Some(_)) => return Err(refused(format_args!("entry {i} has no name"))),
            (None, shape) => {
                if fields.iter().any(|field| field.name() == name) {
                    let name = shortened(name);
                    return Err(refused(format_args!("two fields are called '{name}'")));
                }
                let dtype = of_field(dtype, shape)?;
                let size = dtype.size();
                fields.push(Field::read(name, at, dtype));
                size
            }
        };
        at = at.checked_add(size).ok_or_else(too_large)?;
    }
    if fields.is_empty() {
        return Err(refused(format_args!("it has no fields")));
    }
    Ok(Dtype::Struct(StructDtype::read(fields, at)))
}

/// How many bytes of padding it stands for, if it has no name.
fn padding(name: &str, dtype: &Value) -> Result<Option<usize>, HeaderError> {
    if !name.is_empty() {
        return Ok(None);
    }
    let len = dtype.as_string().and_then(|text| text.strip_prefix("|V")?.parse().ok());
    match len {
        Some(len) => Ok(Some(len)),
        None => Err(refused(format_args!("a field has no name"))),
    }
}

/// The type of a field: an array where there is a shape.
fn of_field(value: &Value, shape: Option<&Value>) -> Result<Dtype, HeaderError> {
    // NumPy writes ('<f8', (2, 3)) for an array within an array.
    let mut dtype = match value.as_tuple().map(Vec::as_slice) {
        Some([element, shape]) => of_field(element, Some(shape))?,
        Some(_) => return Err(refused(format_args!("the dtype of a field is no dtype"))),
        None => of_value(value)?,
    };
    let Some(shape) = shape else { return Ok(dtype) };
    let bad = || refused(format_args!("the shape of a field is no shape"));
    let axes: Vec<&Value> = match shape {
        Value::Tuple(axes) => axes.iter().collect(),
        axis => vec![axis],
    };
    if axes.len() > MAX_AXES {
        return Err(HeaderError::TooManyAxes(axes.len()));
    }
    for axis in axes.into_iter().rev() {
        let len = axis.as_integer().and_then(|len| usize::try_from(len).ok()).ok_or_else(bad)?;
        dtype = Dtype::Array(ArrayDtype::read(dtype, len).ok_or_else(too_large)?);
    }
    Ok(dtype)
}

fn refused(why: std::fmt::Arguments<'_>) -> HeaderError {
    HeaderError::Structured(why.to_string())
}

fn too_large() -> HeaderError {
    refused(format_args!("a field has no bytes, or more than can be counted"))
}
