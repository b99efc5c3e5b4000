//! A family of groups, drawn: how many times as long each takes as the yardstick of its group.

use std::error::Error;
use std::path::Path;

use ndshm_benches::{Report, Spread};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::tables::number;

const WIDTH: u32 = 760;
/// Names stand left of this.
const LEFT: i32 = 250;
/// And figures right of this.
const RIGHT: i32 = 690;
const ROW: i32 = 18;
const HEAD: i32 = 26;
const FOOT: i32 = 30;

const OURS: RGBColor = RGBColor(0, 110, 180);
const THEIRS: RGBColor = RGBColor(150, 150, 150);
const THEIR_TEXT: RGBColor = RGBColor(90, 90, 90);
const LINES: RGBColor = RGBColor(215, 215, 215);

/// Draws them one beneath the other, on one logarithmic axis.
pub(crate) fn draw(reports: &[&Report], to: &Path) -> Result<(), Box<dyn Error>> {
    let rows: usize = reports.iter().map(|report| report.measured.len()).sum();
    let height = i32::try_from(rows)? * ROW + i32::try_from(reports.len())? * HEAD + FOOT;
    let area = SVGBackend::new(to, (WIDTH, u32::try_from(height)?)).into_drawing_area();
    area.fill(&WHITE)?;
    let axis = Axis::of(reports);
    for tick in axis.ticks() {
        let x = axis.x(tick);
        let colour = if tick == 1.0 { BLACK } else { LINES };
        area.draw(&PathElement::new([(x, 6), (x, height - FOOT + 4)], colour))?;
        let label = text(HPos::Center, BLACK);
        area.draw(&Text::new(
            format!("{} x", number_of_tick(tick)),
            (x, height - FOOT / 2),
            label,
        ))?;
    }
    let mut y = 0;
    for report in reports {
        let title = format!("{}; 1 is {}", report.group, report.yardstick);
        area.draw(&Text::new(title, (4, y + HEAD / 2), text(HPos::Left, BLACK)))?;
        y += HEAD;
        for one in &report.measured {
            let Spread { low, median, high } = one.beside(report.yardstick());
            let ours = one.name.starts_with("ndshm");
            let (colour, ink) = if ours { (OURS, OURS) } else { (THEIRS, THEIR_TEXT) };
            let (from, to, middle) = (axis.x(1.0), axis.x(median), y + ROW / 2);
            let bar = [(from.min(to), y + 4), (from.max(to).max(from.min(to) + 1), y + ROW - 4)];
            area.draw(&Rectangle::new(bar, colour.filled()))?;
            let spread = [(axis.x(low), middle), (axis.x(high), middle)];
            area.draw(&PathElement::new(spread, BLACK))?;
            area.draw(&Text::new(one.name.clone(), (LEFT - 10, middle), text(HPos::Right, ink)))?;
            area.draw(&Text::new(number(median), (RIGHT + 12, middle), text(HPos::Left, ink)))?;
            y += ROW;
        }
    }
    area.present()?;
    Ok(())
}

fn text(horizontal: HPos, colour: RGBColor) -> TextStyle<'static> {
    let colour = colour.to_backend_color();
    let style = TextStyle { color: colour, ..TextStyle::from(("sans-serif", 12)) };
    style.pos(Pos::new(horizontal, VPos::Center))
}

/// From the least to the most that is drawn, with one in between.
struct Axis {
    least: f64,
    most: f64,
}

impl Axis {
    fn of(reports: &[&Report]) -> Self {
        let all = reports
            .iter()
            .flat_map(|report| report.measured.iter().map(|one| one.beside(report.yardstick())));
        let (least, most) = all.fold((0.5_f64, 2.0_f64), |(least, most), spread| {
            (least.min(spread.median).min(spread.low), most.max(spread.median).max(spread.high))
        });
        Self { least: least * 0.9, most: most * 1.1 }
    }

    #[allow(clippy::cast_possible_truncation, reason = "a place on a picture")]
    fn x(&self, ratio: f64) -> i32 {
        let share = (ratio / self.least).ln() / (self.most / self.least).ln();
        LEFT + (share.clamp(0.0, 1.0) * f64::from(RIGHT - LEFT)).round() as i32
    }

    /// Powers of ten; of two as well, where there is room.
    fn ticks(&self) -> Vec<f64> {
        let step: i32 = if self.most / self.least > 100.0 { 10 } else { 2 };
        let ticks = (-20..=20).map(|power| f64::from(step).powi(power));
        ticks.filter(|tick| (self.least..=self.most).contains(tick)).collect()
    }
}

fn number_of_tick(tick: f64) -> String {
    if tick >= 1.0 { format!("{tick:.0}") } else { format!("{tick}") }
}
