//! A picture drawn larger than it is shown, then averaged down: edges and text come out smooth.

use plotters::backend::BitMapBackend;
use plotters::prelude::DrawingBackend;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{FontTransform, RGBColor, TextStyle};

use super::text::{Align, Font, Run};
use super::{PlotError, colours};

/// Drawn pixels per shown pixel, in each direction.
const SCALE: usize = 3;

/// A canvas; all coordinates are in shown pixels.
pub(super) struct Canvas {
    width: usize,
    height: usize,
    large: Vec<u8>,
}

impl Canvas {
    pub(super) fn new(width: usize, height: usize) -> Self {
        let RGBColor(paper, _, _) = colours::PAPER;
        Self { width, height, large: vec![paper; width * height * SCALE * SCALE * 3] }
    }

    /// Drawn rows between two heights.
    pub(super) fn rows_in(&self, top: f64, bottom: f64) -> usize {
        (drawn(bottom) - drawn(top)).max(1) as usize
    }

    /// Fills a rectangle: left, top, right, bottom. One that is thinner than a drawn pixel may vanish.
    pub(super) fn rectangle(
        &mut self,
        [left, top, right, bottom]: [f64; 4],
        colour: RGBColor,
    ) -> Result<(), PlotError> {
        // The backend leaves out the last row and column of what it fills, so neighbours do not overlap.
        let (from, to) = ((drawn(left), drawn(top)), (drawn(right), drawn(bottom)));
        self.backend()?.draw_rect(from, to, &colour, true).map_err(draw_error)
    }

    /// Text whose baseline runs through (x, baseline).
    pub(super) fn text(
        &mut self,
        font: &Font,
        run: Run,
        text: &str,
        x: f64,
        baseline: f64,
    ) -> Result<(), PlotError> {
        let along = x - shift(font, run, text);
        let (desc, drop) = font.at(run.size * SCALE as f64);
        let style = style(desc, &run);
        let position = (drawn(along), drawn(baseline) - drop.round() as i32);
        self.backend()?.draw_text(text, &style, position).map_err(draw_error)
    }

    /// Text that reads from bottom to top, with its baseline at x; what is right or left of `y` for [`Align`] is above or
    /// below it here.
    pub(super) fn text_upwards(
        &mut self,
        font: &Font,
        run: Run,
        text: &str,
        x: f64,
        y: f64,
    ) -> Result<(), PlotError> {
        let along = y + shift(font, run, text);
        let (desc, drop) = font.at(run.size * SCALE as f64);
        let style = style(desc.transform(FontTransform::Rotate270), &run);
        let position = (drawn(x) - drop.round() as i32, drawn(along));
        self.backend()?.draw_text(text, &style, position).map_err(draw_error)
    }

    /// The size in shown pixels.
    pub(super) fn size(&self) -> (usize, usize) {
        (self.width, self.height)
    }

    /// The picture as it is shown: RGB, row by row.
    pub(super) fn averaged(&self) -> Vec<u8> {
        let mut shown = vec![0; self.width * self.height * 3];
        for (index, value) in shown.iter_mut().enumerate() {
            let (pixel, channel) = (index / 3, index % 3);
            let (x, y) = (pixel % self.width * SCALE, pixel / self.width * SCALE);
            let mut sum = 0u32;
            for row in y..y + SCALE {
                for column in x..x + SCALE {
                    sum += u32::from(self.large[(row * self.width * SCALE + column) * 3 + channel]);
                }
            }
            let count = (SCALE * SCALE) as u32;
            *value = ((sum + count / 2) / count) as u8;
        }
        shown
    }

    fn backend(&mut self) -> Result<BitMapBackend<'_>, PlotError> {
        let size = ((self.width * SCALE) as u32, (self.height * SCALE) as u32);
        BitMapBackend::with_buffer_and_format(&mut self.large, size)
            .map_err(|error| PlotError::Draw(error.to_string()))
    }
}

fn drawn(coordinate: f64) -> i32 {
    (coordinate * SCALE as f64).round() as i32
}

/// How far before its position a text begins.
fn shift(font: &Font, run: Run, text: &str) -> f64 {
    match run.align {
        Align::Left => 0.0,
        Align::Centre => font.width(run.size, text) / 2.0,
        Align::Right => font.width(run.size, text),
    }
}

fn style<'a>(desc: plotters::style::FontDesc<'static>, run: &'a Run) -> TextStyle<'a> {
    TextStyle::from(desc).color(&run.colour).pos(Pos::new(HPos::Left, VPos::Top))
}

fn draw_error(error: impl std::fmt::Display) -> PlotError {
    PlotError::Draw(error.to_string())
}
