//! What it prints and writes.

use std::fs;

use super::files::table;
use super::{common, run};
use common::{assert_empty, assert_help, assert_quiet_without_a_reader, names};

#[test]
fn without_arguments_the_wine_data() {
    let dir = names();
    let done = run(&[], dir.path()).exits(0);
    assert_eq!(done.stderr, "");
    assert!(done.stdout.starts_with("178 samples, 13 columns, 4 workers, "), "{}", done.stdout);
    assert!(done.stdout.contains("\n  0.865  Total phenols ~ Flavanoids\n"), "{}", done.stdout);
    assert_empty(dir.path());

    let json = run(&["--json", "--workers", "3"], dir.path()).exits(0).json();
    assert_eq!((&json["samples"], &json["columns"]), (&178.into(), &13.into()));
    assert_eq!((&json["workers"], &json["out"]), (&3.into(), &().into()));
    assert_eq!(json["strongest"][0][0], "Total phenols");
    assert!((json["strongest"][0][2].as_f64().expect("a number") - 0.8645635).abs() < 1e-7);
    assert_eq!(json["undefined"], serde_json::json!([]));
}

#[test]
fn the_picture_is_a_png_and_the_same_each_time() {
    let dir = names();
    let arguments = ["--png", "a.png", "--out", "r.npy"];
    let done = run(&arguments, dir.path()).exits(0);
    assert!(done.stdout.ends_with("written: r.npy\nwritten: a.png\n"), "{}", done.stdout);
    run(&["--png", "b.png", "--workers", "4"], dir.path()).exits(0);
    let [a, b] = ["a.png", "b.png"].map(|name| fs::read(dir.path().join(name)).expect("no file"));
    assert_eq!(a, b);
    assert_eq!(&a[..16], b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR");
    assert_eq!(&a[a.len() - 8..], b"IEND\xaeB`\x82");
    let side = |at: usize| u32::from_be_bytes(a[at..at + 4].try_into().expect("four bytes"));
    assert!((300..4000).contains(&side(16)) && (300..4000).contains(&side(20)));
    // What was there is replaced.
    run(&arguments, dir.path()).exits(0);
    assert_eq!(fs::read_dir(dir.path()).expect("a folder").count(), 3);
}

#[test]
fn names_of_the_columns() {
    let dir = names();
    table(&dir.path().join("x.npy"), &[&[1.0, 2.0, 5.0], &[2.0, 4.5, 5.0], &[3.0, 5.0, 5.0]]);
    let said =
        |arguments: &[&str]| run(&[&["x.npy"], arguments].concat(), dir.path()).exits(0).stdout;
    assert!(said(&[]).contains("0 ~ 1\n1 column undefined (all values equal, or not finite): 2\n"));
    fs::write(dir.path().join("other.txt"), "height\nweight\nfloor\n").expect("cannot write");
    let named = "height ~ weight\n1 column undefined (all values equal, or not finite): floor\n";
    assert!(said(&["--labels", "other.txt"]).contains(named));
    // A text beside the table is taken where it fits.
    fs::write(dir.path().join("x.txt"), "height\nweight\n").expect("cannot write");
    assert!(said(&[]).contains("0 ~ 1\n"));
    fs::write(dir.path().join("x.txt"), "height\nweight\nfloor").expect("cannot write");
    assert!(said(&["--png", "x.png"]).contains(named));
}

#[test]
fn help_names_every_option() {
    let options = ["--workers", "--out", "--png", "--labels", "--json", "-h, --help", "[FILE.npy]"];
    assert_help("correlation", &options);
}

#[test]
fn nobody_has_to_read_its_output() {
    assert_quiet_without_a_reader("correlation", &["--workers", "2"]);
}
