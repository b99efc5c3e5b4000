//! The course as who follows it sees it: every numbered example as a process, with small sizes. The first and the fifth have
//! suites of their own, `shared_matrix` and `correlation`.

#[path = "../common/mod.rs"]
#[allow(dead_code, reason = "none of these has JSON or a NumPy to agree with")]
mod common;

mod counts;
mod deaths;
mod frames;
mod grids;
mod names;
mod refusals;

use std::path::Path;

use common::{Run, command};

/// Runs it in `dir`, so that names of files without a folder are there; all goes well.
#[track_caller]
fn run(name: &str, arguments: &[&str], dir: &Path) -> String {
    let run = Run::of(command(name, arguments, dir).current_dir(dir)).exits(0);
    assert_eq!(run.stderr, "");
    run.stdout
}

#[test]
fn all_of_the_course_is_there() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files =
        folder.read_dir().expect("a folder").map(|entry| entry.expect("a file").file_name());
    let mut course: Vec<_> = files
        .filter_map(|name| name.into_string().ok())
        .filter(|name| name.starts_with(|c: char| c.is_ascii_digit()))
        .collect();
    course.sort();
    assert_eq!(course.len(), 10); // nine, one of which is two programs
    let page = |path: &str| std::fs::read_to_string(folder.join(path)).expect("a page");
    let (readme, guide) = (page("README.md"), page("../docs/guide.md"));
    for file in course {
        let (number, name) = file.trim_end_matches(".rs").split_once('_').expect("NN_name.rs");
        common::example(name);
        assert!(readme.contains(&format!("({file})")), "no {number} {name} in the README");
        assert!(guide.contains(&format!("--example {name}")), "no {number} {name} in the guide");
    }
}
