//! The picture in text: two pixels a character on a terminal, one of ten characters elsewhere.

use ndshm_array::inspect::Plane;

use super::colours;
use super::grid::{Fit, Grid, Shade, short};
use crate::outcome::Failure;
use crate::screen::{Colours, Screen};

/// From the least to the most, where there are no colours.
const RAMP: &[u8; 10] = b" .:-=+*#%@";

/// What NaN looks like there.
const NAN: char = '?';

/// Lines of text where there is no terminal.
const LINES: usize = 20;

/// Lines of a terminal that are left to numbers and the prompt.
const RESERVED: usize = 12;

/// Characters of the bar of colours.
const BAR: usize = 24;

/// The picture and the bar of colours below it; nothing of a plane without elements.
pub(super) fn draw(plane: &Plane<'_>, width: usize, screen: &Screen) -> Result<String, Failure> {
    if plane.rows() == 0 || plane.cols() == 0 {
        return Ok(String::new());
    }
    let lines = screen.size.map_or(LINES, |(_, lines)| lines.saturating_sub(RESERVED));
    let fit = Fit::new(plane, (2 * lines.clamp(5, 60), width), 4, 6);
    let grid = Grid::of(plane, fit.rows, fit.cols)?;
    let shade = |y: usize, x: usize| {
        (y / fit.high < grid.rows).then(|| grid.shade(y / fit.high, x / fit.wide))
    };
    let (height, width) = (grid.rows * fit.high, grid.cols * fit.wide);
    let mut text = String::new();
    for y in (0..height).step_by(2) {
        for x in 0..width {
            let upper = shade(y, x);
            text.push_str(&character(screen.colours, upper, shade(y + 1, x)));
        }
        text.push_str(end(screen.colours));
    }
    text.push_str(&legend(&grid, screen.colours));
    Ok(text)
}

/// Two pixels, one above the other; none below the picture.
fn character(colours: Colours, upper: Option<Shade>, lower: Option<Shade>) -> String {
    match colours {
        Colours::None => plain(upper, lower).to_string(),
        Colours::True => {
            let rgb = |shade| {
                let [r, g, b] = colours::of(shade);
                format!("2;{r};{g};{b}")
            };
            half_block(upper.map(rgb), lower.map(rgb))
        }
        Colours::Palette => {
            let index = |shade| format!("5;{}", colours::palette(colours::of(shade)));
            half_block(upper.map(index), lower.map(index))
        }
    }
}

fn half_block(upper: Option<String>, lower: Option<String>) -> String {
    let upper = upper.map_or(String::new(), |colour| format!("\x1b[38;{colour}m"));
    let lower = lower.map_or("\x1b[49m".to_owned(), |colour| format!("\x1b[48;{colour}m"));
    format!("{upper}{lower}▀")
}

fn plain(upper: Option<Shade>, lower: Option<Shade>) -> char {
    let (sum, count, nan) =
        [upper, lower].into_iter().flatten().fold((0.0, 0, false), |(sum, count, nan), shade| {
            match shade {
                Shade::Value(value) => (sum + value, count + 1, nan),
                Shade::Nan => (sum, count, true),
            }
        });
    if nan || count == 0 {
        return NAN;
    }
    let step = sum / f64::from(count) * RAMP.len() as f64;
    char::from(RAMP[(step as usize).min(RAMP.len() - 1)])
}

const fn end(colours: Colours) -> &'static str {
    if matches!(colours, Colours::None) { "\n" } else { "\x1b[0m\n" }
}

/// The bar of colours between the least and the most, and what stands for NaN.
fn legend(grid: &Grid, colours: Colours) -> String {
    let (Some(min), Some(max)) = (grid.statistics.min, grid.statistics.max) else {
        return grid.statistics.text() + "\n";
    };
    let step = |i: usize| Some(Shade::Value(i as f64 / (BAR - 1) as f64));
    let bar: String = (0..BAR).map(|i| character(colours, step(i), step(i))).collect();
    let reset = if colours == Colours::None { "" } else { "\x1b[0m" };
    let mut text = format!("{} |{bar}{reset}| {}", short(min), short(max));
    if grid.statistics.nan > 0 {
        let nan = character(colours, Some(Shade::Nan), Some(Shade::Nan));
        text.push_str(&format!("   {nan}{reset} NaN"));
    }
    format!("{text}\n{}\n", grid.statistics.text())
}
