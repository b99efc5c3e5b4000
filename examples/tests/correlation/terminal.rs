//! Progress is for terminals.

use super::common::{example, names, on_a_terminal};

#[test]
fn progress_is_shown_and_cleared() {
    let dir = names();
    let line = format!("'{}' --workers 2", example("correlation").display());
    let Some(shown) = on_a_terminal("progress of correlation", &line, dir.path()) else { return };
    let (progress, said) = shown.split_once("178 samples").expect("the report");
    assert!(progress.contains('\x1b') && progress.contains("% computing"), "{progress:?}");
    assert!(!said.contains('\x1b'), "{said:?}");
    let json = on_a_terminal("as above", &format!("{line} --json"), dir.path()).expect("as above");
    assert!(json.starts_with('{') && !json.contains('\x1b'), "{json:?}");
}
