//! Heat maps of correlation matrices as PNG files.
//!
//! Drawn with plotters and a font that is part of the program, so that the picture is the same on every machine, down to
//! the byte, and no font needs to be installed.

mod canvas;
mod colours;
mod layout;
#[cfg(test)]
mod tests;
mod text;

use std::path::Path;

use ndarray::ArrayView2;

pub use crate::plot_error::PlotError;
use crate::png::Output;
use canvas::Canvas;
use layout::Layout;
use text::{Align, Run};

/// Draws a correlation matrix as a heat map and writes it to `path` as a PNG.
///
/// Values from -1 to 1 run from blue over white to red; cells that are NaN are grey and get a legend entry. Up to 20 columns
/// the values stand in the cells. `labels` name the columns, and so the rows; none at all stands for the column numbers.
/// Labels are thinned out where there is no room, and long ones shortened.
///
/// The file appears whole or not at all; what was at `path` before is replaced.
///
/// ```
/// use ndarray::array;
/// use ndshm_examples::heatmap::heatmap;
///
/// # let dir = std::env::temp_dir().join(format!("ndshm-doc-heatmap-{}", std::process::id()));
/// # std::fs::create_dir_all(&dir)?;
/// let r = array![[1.0, -0.4], [-0.4, 1.0]];
/// let labels = ["height".to_string(), "speed".to_string()];
/// heatmap(&dir.join("r.png"), "Correlation", &labels, r.view())?;
/// # std::fs::remove_dir_all(&dir)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// [`PlotError`] when the matrix is empty or not square, when there are neither as many labels as columns nor none, or when
/// the file cannot be written.
pub fn heatmap(
    path: &Path,
    title: &str,
    labels: &[String],
    matrix: ArrayView2<'_, f64>,
) -> Result<(), PlotError> {
    let (rows, columns) = matrix.dim();
    if rows != columns {
        return Err(PlotError::NotSquare { rows, columns });
    }
    if rows == 0 {
        return Err(PlotError::Empty);
    }
    if !labels.is_empty() && labels.len() != rows {
        return Err(PlotError::Labels { given: labels.len(), needed: rows });
    }
    let fonts = text::Font::embedded()?;
    let numbers: Vec<String>;
    let labels = if labels.is_empty() {
        numbers = (0..rows).map(|i| i.to_string()).collect();
        &numbers
    } else {
        labels
    };
    let has_nan = matrix.iter().any(|value| value.is_nan());
    let layout = Layout::new(&fonts, title, labels, has_nan);
    let output = Output::beside(path)?;
    let mut canvas = Canvas::new(layout.width, layout.height);
    draw_title(&mut canvas, &fonts, &layout)?;
    draw_cells(&mut canvas, &fonts, &layout, matrix)?;
    draw_labels(&mut canvas, &fonts, &layout)?;
    draw_bar(&mut canvas, &fonts, &layout)?;
    if has_nan {
        draw_nan_legend(&mut canvas, &fonts, &layout)?;
    }
    output.write(canvas.size(), &canvas.averaged())
}

/// Makes sure that a file can be written to `path`, whole or not at all, and changes nothing.
///
/// # Errors
///
/// [`PlotError`] when it cannot.
pub fn writable(path: &Path) -> Result<(), PlotError> {
    Output::beside(path).map(drop)
}

fn draw_title(canvas: &mut Canvas, font: &text::Font, layout: &Layout) -> Result<(), PlotError> {
    let run = Run { size: layout::TITLE, colour: colours::INK, align: Align::Left };
    canvas.text(font, run, &layout.title, layout.title_x, layout.title_baseline)
}

fn draw_cells(
    canvas: &mut Canvas,
    font: &text::Font,
    layout: &Layout,
    matrix: ArrayView2<'_, f64>,
) -> Result<(), PlotError> {
    canvas.rectangle(layout.grid(), colours::PAPER)?;
    for ((row, column), &value) in matrix.indexed_iter() {
        let colour = colours::of_value(value);
        canvas.rectangle(layout.cell(row, column), colour)?;
        if layout.numbers {
            let run = Run {
                size: layout.number_size,
                colour: colours::ink_on(colour),
                align: Align::Centre,
            };
            let (x, y) = layout.cell_centre(row, column);
            let baseline = y + text::CAP_HEIGHT * layout.number_size / 2.0;
            canvas.text(font, run, &number(value), x, baseline)?;
        }
    }
    Ok(())
}

/// A value as it stands in a cell.
fn number(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    let text = format!("{value:.2}");
    match text.strip_prefix('-') {
        Some("0.00") => "0.00".to_owned(),
        Some(magnitude) => format!("\u{2212}{magnitude}"),
        None => text,
    }
}

fn draw_labels(canvas: &mut Canvas, font: &text::Font, layout: &Layout) -> Result<(), PlotError> {
    let half_cap = text::CAP_HEIGHT * layout::LABEL / 2.0;
    for (index, label) in &layout.labels {
        let (x, y) = layout.cell_centre(*index, *index);
        let (left, bottom) = (layout.grid_x, layout.grid_y + layout.grid_size);
        if layout.ticks {
            canvas.rectangle([left - layout::TICK, y - 0.5, left, y + 0.5], colours::FAINT)?;
            canvas.rectangle([x - 0.5, bottom, x + 0.5, bottom + layout::TICK], colours::FAINT)?;
        }
        let run = Run { size: layout::LABEL, colour: colours::INK, align: Align::Right };
        canvas.text(font, run, label, left - layout::LABEL_GAP, y + half_cap)?;
        if layout.columns_upright {
            let run = Run { align: Align::Centre, ..run };
            let baseline = bottom + layout::LABEL_GAP + 2.0 * half_cap;
            canvas.text(font, run, label, x, baseline)?;
        } else {
            canvas.text_upwards(font, run, label, x + half_cap, bottom + layout::LABEL_GAP)?;
        }
    }
    Ok(())
}

fn draw_bar(canvas: &mut Canvas, font: &text::Font, layout: &Layout) -> Result<(), PlotError> {
    let [left, top, right, bottom] = layout.bar();
    let steps = canvas.rows_in(top, bottom);
    for step in 0..steps {
        let at = |step: usize| top + (bottom - top) * step as f64 / steps as f64;
        let value = 1.0 - 2.0 * (step as f64 + 0.5) / steps as f64;
        canvas.rectangle([left, at(step), right, at(step + 1)], colours::of_value(value))?;
    }
    let half_cap = text::CAP_HEIGHT * layout::LABEL / 2.0;
    let run = Run { size: layout::LABEL, colour: colours::INK, align: Align::Left };
    for (value, label) in layout.bar_ticks() {
        let y = top + (bottom - top) * (1.0 - value) / 2.0;
        canvas.rectangle([right, y - 0.5, right + layout::TICK, y + 0.5], colours::FAINT)?;
        canvas.text(font, run, label, right + layout::LABEL_GAP, y + half_cap)?;
    }
    if let Some(x) = layout.bar_caption_x {
        let run = Run { align: Align::Centre, ..run };
        canvas.text_upwards(font, run, layout::BAR_CAPTION, x, (top + bottom) / 2.0)?;
    }
    Ok(())
}

fn draw_nan_legend(
    canvas: &mut Canvas,
    font: &text::Font,
    layout: &Layout,
) -> Result<(), PlotError> {
    let [left, top, right, bottom] = layout.nan_box();
    canvas.rectangle([left, top, right, bottom], colours::NAN)?;
    let run = Run { size: layout::LABEL, colour: colours::INK, align: Align::Left };
    let baseline = (top + bottom) / 2.0 + text::CAP_HEIGHT * layout::LABEL / 2.0;
    canvas.text(font, run, "NaN", right + layout::LABEL_GAP, baseline)
}
