//! `ndshm view`: the elements, as numbers and as a picture.

mod colours;
mod grid;
mod json;
mod numbers;
mod picture;
mod png;
mod slice;

use std::fmt::Display;

use ndshm_array::inspect::{ArrayContents, Contents, PickError, SegmentFile};
use ndshm_array::npy::Order;

use crate::cli::{Common, View};
use crate::outcome::{Failure, Outcome, Verdict};
use crate::output::{print, print_json};
use crate::screen::{Screen, Style};
use crate::target::{Target, find};
use grid::Grid;
pub(crate) use slice::Slice;

/// Columns to fill where there is no terminal.
const WIDTH: usize = 80;

pub(crate) fn run(common: &Common, given: &View) -> Outcome {
    let file = match find(&given.name, common.dir.as_deref())? {
        Target::Segment(info) => SegmentFile::open_no_follow(info.path())?,
        Target::File(path) => SegmentFile::open(path)?,
    };
    let failure =
        |why: &dyn Display| Failure::new(format_args!("{}: {why}", file.path().display()));
    let Contents::Array(array) = file.contents() else {
        let holds = file.contents().name();
        return Err(failure(&format_args!("holds {holds}, no elements to show; try `ndshm info`")));
    };
    let picks = given.slice.or_first_plane(array.shape.len());
    let slice = slice::text(&picks, array.shape.len());
    let plane = file.plane_of_field(&given.field, &picks).map_err(|e| match e {
        PickError::NotANumber { .. } => failure(&format_args!("{e} (--field)")),
        PickError::NoField { .. } => failure(&e),
        _ => failure(&format_args!("slice {slice}: {e}")),
    })?;
    let title = match &*given.field {
        "" => format!("{} {slice}", given.name),
        field => format!("{} {field} {slice}", given.name),
    };

    if common.json {
        let png = given.png.as_deref();
        let statistics = match png {
            Some(path) => png::draw(path, &title, &plane)?,
            None => Grid::of(&plane, 1, 1)?.statistics,
        };
        print_json(&json::shown(given, array, slice, &plane, statistics)?)?;
        return Ok(Verdict::Fine);
    }
    let screen = Screen::of_stdout();
    let width = given.width.or(screen.size.map(|(columns, _)| columns)).unwrap_or(WIDTH);
    let mut text = String::new();
    if !given.no_numbers {
        text = screen.paint(Style::Faint, &heading(given, array, &slice)) + "\n";
        text.push_str(&numbers::text(&plane, given, width)?);
    }
    if let Some(path) = &given.png {
        let statistics = png::draw(path, &title, &plane)?;
        text.push_str(&format!("{}\nwritten: {}\n", statistics.text(), path.display()));
    } else if !given.no_picture {
        text.push_str(&picture::draw(&plane, width, &screen)?);
    }
    print(&text)?;
    Ok(Verdict::Fine)
}

/// `heat[0, :, :]: float64, 3 x 2000 x 2000, C order`; of a field `path[:]: time of [('time', ...`.
fn heading(given: &View, array: &ArrayContents, slice: &str) -> String {
    let shape: Vec<_> = array.shape.iter().map(usize::to_string).collect();
    let shape = if shape.is_empty() { "()".to_owned() } else { shape.join(" x ") };
    let order = if array.order == Order::C { "C" } else { "F" };
    let field = match &*given.field {
        "" => String::new(),
        field => format!("{field} of "),
    };
    format!("{}{slice}: {field}{}, {shape}, {order} order", given.name, array.dtype)
}
