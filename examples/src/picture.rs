//! A matrix as a PNG, one colour a number.

use std::path::Path;

use ndarray::ArrayRef2;

use crate::png::Output;

/// Anchors of Matplotlib's "inferno" (Nathaniel J. Smith and Stefan van der Walt, CC0).
const ANCHORS: [[u8; 3]; 9] = [
    [0, 0, 4],
    [31, 12, 72],
    [85, 15, 109],
    [136, 34, 106],
    [186, 54, 85],
    [227, 89, 51],
    [249, 140, 10],
    [249, 201, 50],
    [252, 255, 164],
];

/// A picture has at least so many pixels along its longer side; small matrices get squares for numbers.
const LEAST: usize = 480;

/// Draws a matrix: row 0 is at the top, the least number black, the greatest bright yellow, what is not finite grey.
///
/// The file appears whole or not at all.
///
/// ```
/// use ndshm_examples::picture::picture;
///
/// let path = std::env::temp_dir().join(format!("ndshm-doc-picture-{}.png", std::process::id()));
/// picture(&path, &ndarray::arr2(&[[0.0, 1.0], [2.0, 3.0]]))?;
/// # std::fs::remove_file(&path)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// The matrix is empty, or the file cannot be written.
pub fn picture(path: &Path, matrix: &ArrayRef2<f64>) -> ndshm::Result<()> {
    let (rows, columns) = matrix.dim();
    if matrix.is_empty() {
        return Err(ndshm::Error::other("a matrix without elements cannot be drawn"));
    }
    let output = Output::beside(path).map_err(ndshm::Error::other)?;
    let finite = || matrix.iter().copied().filter(|x| x.is_finite());
    let (least, greatest) =
        (finite().fold(f64::INFINITY, f64::min), finite().fold(f64::NEG_INFINITY, f64::max));
    let range = if greatest > least { greatest - least } else { 1.0 };

    let side = LEAST.div_ceil(rows.max(columns));
    let (width, height) = (columns * side, rows * side);
    let pixels = (0..width * height).flat_map(|pixel| {
        let (row, column) = (pixel / width / side, pixel % width / side);
        colour((matrix[[row, column]] - least) / range)
    });
    output.write((width, height), &pixels.collect::<Vec<_>>()).map_err(ndshm::Error::other)
}

fn colour(share: f64) -> [u8; 3] {
    if !share.is_finite() {
        return [128; 3];
    }
    let position = share * (ANCHORS.len() - 1) as f64;
    let below = (position as usize).min(ANCHORS.len() - 2);
    std::array::from_fn(|channel| {
        let [from, to] = [below, below + 1].map(|anchor| f64::from(ANCHORS[anchor][channel]));
        (from + (to - from) * (position - below as f64)).round() as u8
    })
}
