//! Progress is for terminals.

use super::common::{example, names, on_a_terminal};

const ESCAPE: char = '\x1b';

fn line(arguments: &str) -> String {
    format!("'{}' {arguments}", example("shared_matrix").display())
}

#[test]
fn a_terminal_shows_progress_then_the_table() {
    let dir = names();
    let what = "progress on a terminal";
    let Some(shown) = on_a_terminal(what, &line("--size 4000 --workers 2"), dir.path()) else {
        return;
    };
    assert!(shown.contains(ESCAPE) && shown.contains("% rows filled"), "{shown:?}");
    // The bar is cleared when the table comes, and does not come again.
    let (_, table) = shown.split_once("rank ").expect("a table");
    assert!(!table.contains(ESCAPE) && !table.contains('%'), "{table:?}");
    assert!(table.contains("16000000 elements of 4000 x 4000 checked: all are i + j"), "{table:?}");
    // It never goes back.
    let percent = |text: &str| text.split_whitespace().last().and_then(|n| n.parse::<u32>().ok());
    let filled: Vec<_> = shown.split(" % rows filled").filter_map(percent).collect();
    assert!(filled.is_sorted() && filled[0] < 100, "{filled:?}");
}

#[test]
fn json_and_a_piped_standard_error_show_none() {
    let dir = names();
    let what = "no progress beside JSON";
    let Some(shown) = on_a_terminal(what, &line("--size 3000 --json"), dir.path()) else { return };
    assert_eq!(shown.lines().count(), 1, "{shown:?}");
    assert!(shown.starts_with('{') && !shown.contains(ESCAPE), "{shown:?}");

    let errors = dir.path().join("errors");
    let redirected = line(&format!("--size 3000 2>'{}'", errors.display()));
    let shown = on_a_terminal(what, &redirected, dir.path()).expect("as above");
    assert!(shown.starts_with("rank ") && !shown.contains(ESCAPE), "{shown:?}");
    assert_eq!(std::fs::read_to_string(errors).expect("it is there"), "");
}
