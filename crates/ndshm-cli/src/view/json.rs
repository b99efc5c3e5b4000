//! The elements as JSON.

use ndshm_array::inspect::{ArrayContents, Number, Plane};
use serde::Serialize;
use serde_json::{Value, json};

use super::grid::Statistics;
use super::numbers::{EDGE, Edges};
use crate::cli::View;
use crate::outcome::Failure;

#[derive(Serialize)]
pub(super) struct Shown {
    name: String,
    dtype: String,
    /// Which number of each element is shown, where it has several.
    field: Option<String>,
    shape: Vec<usize>,
    slice: String,
    rows: usize,
    columns: usize,
    statistics: Statistics,
    /// The indices in the array that `elements` has.
    row_indices: Vec<usize>,
    column_indices: Vec<usize>,
    elements: Vec<Vec<Value>>,
    png: Option<String>,
}

pub(super) fn shown(
    given: &View,
    array: &ArrayContents,
    slice: String,
    plane: &Plane<'_>,
    statistics: Statistics,
) -> Result<Shown, Failure> {
    let shown = |len| Edges::new(len, given.all, EDGE).shown();
    let (rows, cols) = (shown(plane.rows()), shown(plane.cols()));
    let mut elements = Vec::new();
    for &row in &rows {
        let line = cols.iter().map(|&col| Ok(value(plane.number(row, col)?)));
        elements.push(line.collect::<Result<_, Failure>>()?);
    }
    Ok(Shown {
        name: given.name.clone(),
        dtype: array.dtype.to_string(),
        field: (!given.field.is_empty()).then(|| given.field.clone()),
        shape: array.shape.clone(),
        slice,
        rows: plane.rows(),
        columns: plane.cols(),
        statistics,
        row_indices: rows.iter().map(|&row| plane.indices(row, 0).0).collect(),
        column_indices: cols.iter().map(|&col| plane.indices(0, col).1).collect(),
        elements,
        png: given.png.as_ref().map(|path| path.display().to_string()),
    })
}

/// What is no number in JSON is a string; a complex number is two.
fn value(number: Number) -> Value {
    let real = |x: f64| if x.is_finite() { json!(x) } else { json!(x.to_string()) };
    match number {
        Number::Bool(b) => json!(b),
        Number::Signed(n) => json!(n),
        Number::Unsigned(n) => json!(n),
        Number::Half(x) if x.is_finite() => json!(x.to_f32()),
        Number::Single(x) if x.is_finite() => json!(x),
        Number::ComplexSingle(z) => json!([real(z.re.into()), real(z.im.into())]),
        Number::ComplexDouble(z) => json!([real(z.re), real(z.im)]),
        other => real(other.to_f64()),
    }
}
