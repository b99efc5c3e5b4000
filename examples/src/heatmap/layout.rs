//! Where everything goes, in shown pixels.

use super::text::{CAP_HEIGHT, Font};

/// Em of the title.
pub(super) const TITLE: f64 = 18.0;
/// Em of labels.
pub(super) const LABEL: f64 = 12.0;
/// Length of tick marks.
pub(super) const TICK: f64 = 4.0;
/// From the edge of the grid or the bar to its labels.
pub(super) const LABEL_GAP: f64 = 8.0;
/// What the colours mean.
pub(super) const BAR_CAPTION: &str = "Correlation coefficient";

/// Around everything.
const MARGIN: f64 = 24.0;
/// Between the baseline of the title and the grid.
const TITLE_GAP: f64 = 18.0;
/// From the grid to the bar.
const BAR_GAP: f64 = 26.0;
const BAR_WIDTH: f64 = 16.0;
/// The bar is no lower than its five tick labels need.
const BAR_MIN: f64 = 100.0;
/// Labels longer than this are shortened.
const LABEL_ROOM: f64 = 200.0;
/// Up to so many columns, values stand in the cells.
const NUMBERS_UP_TO: usize = 20;
/// The least height of a line of labels.
const LINE: f64 = LABEL * 1.15;
/// The picture is no narrower than this, so that short matrices have room for a title.
const NARROWEST: f64 = 360.0;

/// All measures of one heat map.
pub(super) struct Layout {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) title: String,
    pub(super) title_x: f64,
    pub(super) title_baseline: f64,
    pub(super) grid_x: f64,
    pub(super) grid_y: f64,
    /// Width and height of the grid.
    pub(super) grid_size: f64,
    /// Values stand in the cells.
    pub(super) numbers: bool,
    pub(super) number_size: f64,
    /// The labels that are drawn, with the index of their row and column.
    pub(super) labels: Vec<(usize, String)>,
    /// Column labels stand upright below their columns; otherwise they are turned.
    pub(super) columns_upright: bool,
    /// Tick marks join labels to their rows and columns.
    pub(super) ticks: bool,
    pub(super) bar_caption_x: Option<f64>,
    /// Rows and columns.
    n: usize,
    /// White space between cells.
    gap: f64,
    bar_height: f64,
}

impl Layout {
    pub(super) fn new(font: &Font, title: &str, labels: &[String], has_nan: bool) -> Self {
        let n = labels.len();
        let cell = cell_size(n);
        let grid_size = (cell * n as f64).round();
        let stride = stride(cell);
        let labels: Vec<(usize, String)> = (0..n)
            .step_by(stride)
            .map(|index| (index, font.shortened(LABEL, &labels[index], LABEL_ROOM)))
            .collect();
        let label_width =
            labels.iter().map(|(_, label)| font.width(LABEL, label)).fold(0.0, f64::max).ceil();
        let columns_upright = label_width + LABEL / 2.0 <= cell * stride as f64;

        let tick_width = font.width(LABEL, "\u{2212}0.5").ceil();
        let bar_height = grid_size.max(BAR_MIN);
        let caption_fits = font.width(LABEL, BAR_CAPTION) <= bar_height;
        let mut right = BAR_GAP + BAR_WIDTH + LABEL_GAP + tick_width;
        let caption_baseline = right + LABEL_GAP + LABEL;
        if caption_fits {
            right = caption_baseline + 3.0;
        }

        let left = label_width + LABEL_GAP;
        let content = left + grid_size + right;
        let title_width = font.width(TITLE, title);
        let wanted = content.max(title_width.min(NARROWEST - 2.0 * MARGIN)) + 2.0 * MARGIN;
        let width = wanted.ceil();
        // What is narrower than the title is centred below it.
        let grid_x = (MARGIN + left + ((width - 2.0 * MARGIN - content) / 2.0).max(0.0)).round();
        let title = font.shortened(TITLE, title, width - 2.0 * MARGIN);
        let title_x = (grid_x + (grid_size - font.width(TITLE, &title)) / 2.0)
            .min(width - MARGIN - font.width(TITLE, &title))
            .max(MARGIN);
        let title_baseline = (MARGIN + CAP_HEIGHT * TITLE).round();
        let grid_y = if title.is_empty() { MARGIN } else { title_baseline + TITLE_GAP };

        let column_labels = if columns_upright { LABEL * 1.1 } else { label_width };
        let below_grid = grid_size + LABEL_GAP + column_labels;
        let below_bar = bar_height + if has_nan { BAR_GAP + BAR_WIDTH } else { 0.0 };
        let height = grid_y + below_grid.max(below_bar) + MARGIN;

        let widest_number = font.width(1.0, "\u{2212}0.00");
        Self {
            width: width as usize,
            height: height.ceil() as usize,
            title,
            title_x,
            title_baseline,
            grid_x,
            grid_y,
            grid_size,
            numbers: n <= NUMBERS_UP_TO,
            number_size: (0.74 * cell / widest_number).min(15.0),
            labels,
            columns_upright,
            ticks: n > NUMBERS_UP_TO,
            bar_caption_x: caption_fits.then_some(grid_x + grid_size + caption_baseline),
            n,
            gap: if cell >= 12.0 { 1.0 } else { 0.0 },
            bar_height,
        }
    }

    /// Left, top, right, bottom of the grid.
    pub(super) fn grid(&self) -> [f64; 4] {
        [self.grid_x, self.grid_y, self.grid_x + self.grid_size, self.grid_y + self.grid_size]
    }

    /// Left, top, right, bottom of a cell, without the white space after it.
    pub(super) fn cell(&self, row: usize, column: usize) -> [f64; 4] {
        let at = |index: usize| self.grid_size * index as f64 / self.n as f64;
        let end = |index: usize| at(index + 1) - if index + 1 < self.n { self.gap } else { 0.0 };
        let (x, y) = (self.grid_x, self.grid_y);
        [x + at(column), y + at(row), x + end(column), y + end(row)]
    }

    /// The middle of a cell.
    pub(super) fn cell_centre(&self, row: usize, column: usize) -> (f64, f64) {
        let [left, top, right, bottom] = self.cell(row, column);
        ((left + right) / 2.0, (top + bottom) / 2.0)
    }

    /// Left, top, right, bottom of the colour bar.
    pub(super) fn bar(&self) -> [f64; 4] {
        let left = self.grid_x + self.grid_size + BAR_GAP;
        [left, self.grid_y, left + BAR_WIDTH, self.grid_y + self.bar_height]
    }

    /// Values and labels of the bar's ticks.
    pub(super) fn bar_ticks(&self) -> &'static [(f64, &'static str)] {
        &[(1.0, "1"), (0.5, "0.5"), (0.0, "0"), (-0.5, "\u{2212}0.5"), (-1.0, "\u{2212}1")]
    }

    /// Left, top, right, bottom of the box that says what grey means.
    pub(super) fn nan_box(&self) -> [f64; 4] {
        let [left, _, right, bottom] = self.bar();
        [left, bottom + BAR_GAP, right, bottom + BAR_GAP + BAR_WIDTH]
    }
}

/// Pixels of a cell: whole ones as long as the picture stays of a sensible size, so that all cells are equal.
fn cell_size(n: usize) -> f64 {
    let n = n as f64;
    if n <= NUMBERS_UP_TO as f64 {
        (680.0 / n).clamp(46.0, 120.0).floor()
    } else {
        (900.0 / n).floor().max(3.0).min((1500.0 / n).max(1.0).floor()).min(1500.0 / n)
    }
}

/// Every how manieth label is drawn, so that none overlap.
fn stride(cell: f64) -> usize {
    if cell >= LINE {
        return 1;
    }
    // Where labels must be thinned out anyway, they get air.
    let least = (2.0 * LINE / cell).ceil() as usize;
    let mut step = 1;
    loop {
        for factor in [1, 2, 5] {
            if factor * step >= least {
                return factor * step;
            }
        }
        step *= 10;
    }
}
