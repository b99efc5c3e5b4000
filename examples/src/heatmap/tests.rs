use std::fs;
use std::path::Path;

use ndarray::{Array2, arr2};

use super::layout::Layout;
use super::text::Font;
use super::*;

fn correlations(n: usize) -> Array2<f64> {
    Array2::from_shape_fn((n, n), |(i, j)| if i == j { 1.0 } else { ((i * j) as f64).sin() })
}

fn labels(n: usize, length: usize) -> Vec<String> {
    (0..n).map(|i| format!("{i}-{}", "w".repeat(length))).collect()
}

fn count(dir: &Path) -> usize {
    fs::read_dir(dir).expect("the folder can be listed").count()
}

#[test]
fn pictures_of_all_sizes_are_written_and_the_same_each_time() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    for n in [1, 2, 13, 21, 301] {
        let path = dir.path().join("a.png");
        let draw = || {
            heatmap(&path, "Title", &labels(n, n % 40), correlations(n).view()).expect("drawn");
            fs::read(&path).expect("written")
        };
        let png = draw();
        assert!(png.starts_with(b"\x89PNG\r\n\x1a\n"), "{n}");
        let side = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().expect("four bytes"));
        assert!(
            (150..2100).contains(&side(16)) && (150..2100).contains(&side(20)),
            "{n}: {} {}",
            side(16),
            side(20)
        );
        assert!(n > 13 || png == draw(), "{n}: the second picture differs");
    }
    assert_eq!(count(dir.path()), 1);
}

#[test]
fn nothing_is_cut_off_and_labels_do_not_overlap() {
    let font = Font::embedded().unwrap_or_else(|error| panic!("{error}"));
    for n in [1, 2, 3, 9, 13, 20, 21, 45, 60, 65, 66, 99, 150, 299, 300, 301, 777, 1500, 4000] {
        for length in [0, 5, 30] {
            let title = "A title of some length";
            let layout = Layout::new(&font, title, &labels(n, length), true);
            let (width, height) = (layout.width as f64, layout.height as f64);
            let [_, _, right, bottom] = layout.nan_box();
            assert!(right < width && bottom < height);
            let longest = layout
                .labels
                .iter()
                .map(|(_, label)| font.width(layout::LABEL, label))
                .fold(0.0, f64::max);
            assert!(longest + layout::LABEL_GAP <= layout.grid_x, "{n} {length}");
            let below = if layout.columns_upright { layout::LABEL } else { longest };
            assert!(
                layout.grid_y + layout.grid_size + layout::LABEL_GAP + below < height,
                "{n} {length}"
            );
            assert!(
                layout.title_x + font.width(layout::TITLE, &layout.title) < width,
                "{n} {length}"
            );
            let caption = layout.bar_caption_x.unwrap_or(0.0);
            assert!(caption < width, "{n} {length}");
            for pair in layout.labels.windows(2) {
                let ((x, _), (next, _)) =
                    (layout.cell_centre(0, pair[0].0), layout.cell_centre(0, pair[1].0));
                let needed = if layout.columns_upright { longest } else { layout::LABEL };
                assert!(next - x > needed, "{n} {length}: {} for {needed}", next - x);
            }
        }
    }
}

#[test]
fn nan_cells_are_grey_and_have_a_legend() {
    let font = Font::embedded().unwrap_or_else(|error| panic!("{error}"));
    let names = labels(1, 0);
    let with = Layout::new(&font, "", &names, true);
    assert!(with.height > Layout::new(&font, "", &names, false).height);
    let dir = tempfile::tempdir().expect("a temporary folder");
    let path = dir.path().join("a.png");
    heatmap(&path, "", &[], arr2(&[[f64::NAN]]).view()).expect("drawn");
    assert!(path.exists());
}

#[test]
fn values_are_written_as_a_person_would() {
    assert_eq!(number(-0.456), "\u{2212}0.46");
    assert_eq!(number(-0.001), "0.00");
    assert_eq!(number(1.0), "1.00");
    assert_eq!(number(f64::NAN), "NaN");
}

#[test]
fn refusals_leave_nothing_behind() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let path = dir.path().join("a.png");
    let square = correlations(2);
    let message = |result: Result<(), PlotError>| result.expect_err("refused").to_string();
    assert!(
        message(heatmap(&path, "", &[], Array2::zeros((0, 0)).view())).contains("at least one")
    );
    assert!(message(heatmap(&path, "", &[], Array2::zeros((2, 3)).view())).contains("2 x 3"));
    assert!(
        message(heatmap(&path, "", &labels(3, 1), square.view()))
            .contains("3 labels for 2 columns")
    );
    assert!(message(heatmap(dir.path(), "", &[], square.view())).contains("not a regular file"));
    assert!(
        message(heatmap(Path::new("/dev/null"), "", &[], square.view()))
            .contains("/dev/null: not a regular")
    );
    let missing = dir.path().join("none/a.png");
    assert!(
        message(heatmap(&missing, "", &[], square.view()))
            .contains("none/a.png: cannot be written: No such file")
    );
    assert_eq!(count(dir.path()), 0);
}
