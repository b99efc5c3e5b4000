//! A matrix as a PNG, one colour a number.

use std::path::Path;

use ndarray::ArrayRef2;

use crate::png::Output;

/// From low to high: anchors of Matplotlib's "inferno" (Nathaniel J. Smith and Stefan van der Walt, CC0).
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
    // Of halves: the difference of two numbers may be none.
    let range = if greatest > least { greatest / 2.0 - least / 2.0 } else { 1.0 };

    let side = LEAST.div_ceil(rows.max(columns));
    let (width, height) = (columns * side, rows * side);
    let pixels = (0..width * height).flat_map(|pixel| {
        let (row, column) = (pixel / width / side, pixel % width / side);
        colour((matrix[[row, column]] / 2.0 - least / 2.0) / range)
    });
    output.write((width, height), &pixels.collect::<Vec<_>>()).map_err(ndshm::Error::other)
}

/// What stands for that share of the range; grey for what is none.
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

#[cfg(test)]
mod tests {
    use std::fs;

    use ndarray::{Array2, arr2};

    use super::*;

    #[test]
    fn the_ends_of_the_range_and_what_is_outside_of_it() {
        assert_eq!(colour(0.0), ANCHORS[0]);
        assert_eq!(colour(0.5), ANCHORS[4]);
        assert_eq!(colour(1.0), ANCHORS[8]);
        assert_eq!(colour(1.0 / 16.0), [16, 6, 38]); // half-way between the first two
        for none in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(colour(none), [128; 3]);
        }
    }

    #[test]
    fn every_matrix_with_elements_has_a_picture() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.png");
        let draw = |matrix: &Array2<f64>| {
            picture(&path, matrix).unwrap();
            let png = fs::read(&path).unwrap();
            let side = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().unwrap());
            (side(16), side(20))
        };
        assert_eq!(draw(&arr2(&[[7.0]])), (480, 480));
        assert_eq!(draw(&arr2(&[[0.0, 1.0, 2.0]])), (480, 160));
        assert_eq!(draw(&arr2(&[[f64::NAN; 2], [f64::INFINITY; 2]])), (480, 480));
        assert_eq!(draw(&arr2(&[[f64::MIN, f64::MAX]])), (480, 240));
        assert_eq!(draw(&Array2::zeros((500, 600))), (600, 500));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_cannot_be_drawn_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.png");
        fs::write(&path, "as it was").unwrap();
        let e = picture(&path, &Array2::zeros((0, 3))).unwrap_err();
        assert_eq!(e.to_string(), "a matrix without elements cannot be drawn");
        assert_eq!(fs::read_to_string(&path).unwrap(), "as it was");
        let e = picture(dir.path(), &Array2::zeros((2, 2))).unwrap_err();
        assert!(e.to_string().contains("not a regular file"), "{e}");
    }
}
