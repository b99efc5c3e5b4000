//! What it computes and prints.

use std::collections::HashSet;

use serde_json::Value;

use super::{common, run};
use common::{assert_empty, assert_help, assert_quiet_without_a_reader, names};

const KEYS: [&str; 8] = [
    "checksum",
    "elements_checked",
    "locked_total",
    "mismatches",
    "pids",
    "seconds",
    "size",
    "workers",
];

#[track_caller]
fn assert_report(report: &Value, n: u64, p: usize, mismatches: u64) {
    let object = report.as_object().expect("an object");
    assert_eq!(object.keys().collect::<Vec<_>>(), KEYS);
    assert_eq!(object["size"], n);
    assert_eq!(object["workers"], p);
    assert_eq!(object["elements_checked"], n * n);
    assert_eq!(object["mismatches"], mismatches);
    let sum = (n * n * (n - 1)) as f64;
    assert_eq!(object["checksum"], if mismatches == 0 { sum } else { sum + 0.5 });
    assert_eq!(object["locked_total"], sum * p as f64);
    assert!((0.0..120.0).contains(&object["seconds"].as_f64().expect("a number")));
    let pids = object["pids"].as_array().expect("an array");
    let distinct: HashSet<_> = pids.iter().map(|pid| pid.as_u64().expect("a number")).collect();
    assert_eq!((pids.len(), distinct.len()), (p, p), "{pids:?}");
    assert!(distinct.iter().all(|&pid| pid > 1));
}

#[test]
fn json_is_right_for_many_sizes_and_workers() {
    let dir = names();
    for (n, p) in [(1, 1), (1, 3), (2, 2), (3, 4), (7, 3), (64, 1), (65, 2), (101, 5), (10, 16)] {
        let (size, workers) = (n.to_string(), p.to_string());
        let done = run(&["--size", &size, "--workers", &workers, "--json"], dir.path()).exits(0);
        assert_eq!(done.stderr, "");
        assert_report(&done.json(), n, p, 0);
    }
    assert_empty(dir.path());
}

#[test]
fn the_defaults_are_four_workers_and_four_million_elements() {
    let dir = names();
    let done = run(&["--json"], dir.path()).exits(0);
    assert_report(&done.json(), 2000, 4, 0);
}

#[test]
fn more_workers_than_a_machine_has_processors() {
    let dir = names();
    let done = run(&["--size", "50", "--workers", "120", "--json"], dir.path()).exits(0);
    assert_report(&done.json(), 50, 120, 0);
}

#[test]
fn text_has_a_table_and_the_verdict() {
    let dir = names();
    let done = run(&["--size", "10", "--workers", "3"], dir.path()).exits(0);
    assert_eq!(done.stderr, "");
    let lines: Vec<Vec<_>> = done.stdout.lines().map(|l| l.split_whitespace().collect()).collect();
    assert_eq!(lines[0], ["rank", "pid", "rows", "sum", "of", "all"]);
    for (rank, rows) in ["0..4", "4..7", "7..10"].iter().enumerate() {
        let row = &lines[1 + rank];
        assert_eq!((row[0], row[2], row[3]), (&*rank.to_string(), *rows, "900"), "{row:?}");
    }
    // The columns are aligned at their right ends.
    let table: Vec<_> = done.stdout.lines().take(4).collect();
    assert!(table.iter().all(|line| line.len() == table[0].len()), "{table:?}");
    assert_eq!(lines[4].join(" "), "sums added under the mutex: 2700");
    assert_eq!(lines[5].join(" "), "100 elements of 10 x 10 checked: all are i + j");
    assert_eq!((lines[6].len(), lines[6][1]), (2, "s"));
    assert_eq!(lines.len(), 7);
}

#[test]
fn the_check_finds_an_element_that_was_spoilt() {
    let dir = names();
    for at in ["0,0", "3,7", "99,99"] {
        let arguments = ["--size", "100", "--workers", "2", "--corrupt", at];
        let done = run(&[&arguments[..], &["--json"]].concat(), dir.path()).exits(1);
        assert_report(&done.json(), 100, 2, 1);
        let done = run(&arguments, dir.path()).exits(1);
        let (i, j) = at.split_once(',').expect("a pair");
        let sum: u32 = i.parse::<u32>().expect("a number") + j.parse::<u32>().expect("a number");
        let said = format!("1 WRONG, the first is [{i}, {j}]: {sum}.5, not {sum}");
        assert!(done.stdout.contains(&said), "{}", done.stdout);
    }
    assert_empty(dir.path());
}

#[test]
fn help_names_every_option() {
    assert_help(
        "shared_matrix",
        &["--size", "--workers", "--name", "--attach", "--json", "--corrupt", "-h, --help"],
    );
}

#[test]
fn nobody_has_to_read_its_output() {
    assert_quiet_without_a_reader("shared_matrix", &["--size", "10", "--workers", "2"]);
}
