//! The picture as a PNG, with axes and a bar of colours; the font is part of the program.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::OnceLock;

use ndshm_array::inspect::Plane;
use plotters::prelude::*;
use plotters::style::{FontStyle, register_font};

use super::colours;
use super::grid::{Fit, Grid, Shade, Statistics, short};
use crate::outcome::Failure;

static FONT: &[u8] = include_bytes!("../../assets/DejaVuSans-subset.ttf");
const FAMILY: &str = "ndshm-dejavu-sans";

/// Pixels that the elements may take, and of the larger side at least.
const ROOM: usize = 800;
const LEAST: usize = 40;

const MARGIN: u32 = 12;
const TITLE: u32 = 34;
const LABELS: u32 = 30;
const LEFT: u32 = 64;
const BAR: u32 = 110;

/// Draws the plane into a file, which appears whole or not at all.
pub(super) fn draw(path: &Path, title: &str, plane: &Plane<'_>) -> Result<Statistics, Failure> {
    let fail = |why: &dyn std::fmt::Display| {
        Failure::new(format_args!("{}: cannot be drawn: {why}", path.display()))
    };
    if plane.rows() == 0 || plane.cols() == 0 {
        return Err(fail(&"there are no elements"));
    }
    if fs::metadata(path).is_ok_and(|meta| !meta.is_file()) {
        return Err(fail(&"it is no regular file"));
    }
    let registered =
        FAMILY_REGISTERED.get_or_init(|| register_font(FAMILY, FontStyle::Normal, FONT).is_ok());
    if !registered {
        return Err(fail(&"the font of the program cannot be used"));
    }
    let fit = Fit::new(plane, (ROOM, ROOM), LEAST, 40);
    let grid = Grid::of(plane, fit.rows, fit.cols)?;

    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let temporary = tempfile::Builder::new()
        .prefix(".ndshm-")
        .suffix(".png")
        // As any program makes files; the umask takes its share.
        .permissions(fs::Permissions::from_mode(0o666))
        .tempfile_in(folder)
        .map_err(|e| fail(&e))?;
    picture(temporary.path(), title, plane, &grid, fit).map_err(|e| fail(&e))?;
    temporary.persist(path).map_err(|e| fail(&e.error))?;
    Ok(grid.statistics)
}

static FAMILY_REGISTERED: OnceLock<bool> = OnceLock::new();

fn picture(
    path: &Path,
    title: &str,
    plane: &Plane<'_>,
    grid: &Grid,
    fit: Fit,
) -> Result<(), Box<dyn std::error::Error>> {
    let (width, height) = ((grid.cols * fit.wide) as u32, (grid.rows * fit.high) as u32);
    // Wide enough for the title, high enough for the bar.
    let (body_width, body_height) = (width.max(200), height.max(120));
    let size = (LEFT + body_width + BAR + MARGIN, TITLE + body_height + LABELS + 2 * MARGIN);
    let root = BitMapBackend::new(path, size).into_drawing_area();
    root.fill(&WHITE)?;
    let ink = |size: u32| (FAMILY, size).into_font().color(&RGBColor(38, 38, 38));
    // A character is about half as wide as it is high.
    let title = crate::table::shortened(title, (size.0 - 2 * MARGIN) as usize / 9);
    root.draw_text(&title, &ink(18), (MARGIN as i32, MARGIN as i32))?;

    let (first, last) = (plane.indices(0, 0), plane.indices(plane.rows() - 1, plane.cols() - 1));
    let (left, top) = (LEFT as i32, (TITLE + MARGIN) as i32);
    for row in 0..grid.rows {
        for col in 0..grid.cols {
            let [r, g, b] = colours::of(grid.shade(row, col));
            let x = left + (col * fit.wide) as i32;
            let y = top + (row * fit.high) as i32;
            let (right, bottom) = (x + fit.wide as i32, y + fit.high as i32);
            // The backend leaves out the last row and column of what it fills.
            root.draw(&Rectangle::new([(x, y), (right, bottom)], RGBColor(r, g, b).filled()))?;
        }
    }
    let right = left + width as i32;
    let bottom = top + height as i32;
    let frame = Rectangle::new([(left - 1, top - 1), (right, bottom)], RGBColor(130, 130, 130));
    root.draw(&frame)?;

    // Indices at the ends of both axes.
    use plotters::style::text_anchor::{HPos, Pos, VPos};
    let at = |h, v| ink(13).pos(Pos::new(h, v));
    root.draw_text(&first.0.to_string(), &at(HPos::Right, VPos::Top), (left - 6, top))?;
    root.draw_text(&first.1.to_string(), &at(HPos::Left, VPos::Top), (left, bottom + 6))?;
    if last.0 != first.0 {
        root.draw_text(&last.0.to_string(), &at(HPos::Right, VPos::Bottom), (left - 6, bottom))?;
    }
    if last.1 != first.1 {
        root.draw_text(&last.1.to_string(), &at(HPos::Right, VPos::Top), (right, bottom + 6))?;
    }

    let bar_left = left + body_width as i32 + 20;
    bar(&root, grid, bar_left, top, (body_height as i32).min(400), &at)?;
    root.present()?;
    Ok(())
}

/// The bar of colours, the most above, and what stands for NaN.
fn bar<'a>(
    root: &DrawingArea<BitMapBackend<'_>, plotters::coord::Shift>,
    grid: &Grid,
    left: i32,
    top: i32,
    height: i32,
    at: &impl Fn(
        plotters::style::text_anchor::HPos,
        plotters::style::text_anchor::VPos,
    ) -> TextStyle<'a>,
) -> Result<(), Box<dyn std::error::Error>> {
    use plotters::style::text_anchor::{HPos, VPos};
    const WIDTH: i32 = 16;
    let statistics = &grid.statistics;
    let mut bottom = top + height;
    if statistics.nan > 0 {
        bottom -= 30;
        let [r, g, b] = colours::NAN;
        let sample = [(left, bottom + 12), (left + WIDTH, bottom + 28)];
        root.draw(&Rectangle::new(sample, RGBColor(r, g, b).filled()))?;
        let count = format!("{} NaN", statistics.nan);
        root.draw_text(&count, &at(HPos::Left, VPos::Center), (left + WIDTH + 6, bottom + 20))?;
    }
    for y in top..bottom {
        let value = 1.0 - f64::from(y - top) / f64::from((bottom - top - 1).max(1));
        let [r, g, b] = colours::of(Shade::Value(value));
        root.draw(&Rectangle::new([(left, y), (left + WIDTH, y + 1)], RGBColor(r, g, b).filled()))?;
    }
    if let (Some(min), Some(max)) = (statistics.min, statistics.max) {
        let x = left + WIDTH + 6;
        root.draw_text(&short(max), &at(HPos::Left, VPos::Top), (x, top))?;
        root.draw_text(&short(min), &at(HPos::Left, VPos::Bottom), (x, bottom))?;
    }
    Ok(())
}
