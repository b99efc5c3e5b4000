//! `doctor`.

use std::fs;

use ndshm_testkit::{scratch, skip};
use serde_json::Value;

use crate::keeper::{made, orphaned};
use crate::run::{command, json, run};

fn findings<'a>(diagnosis: &'a Value, level: &str) -> Vec<&'a str> {
    let all = diagnosis["findings"].as_array().unwrap().iter();
    all.filter(|f| f["level"] == level).map(|f| f["what"].as_str().unwrap()).collect()
}

/// What this machine itself deserves: nothing on one that is well.
fn of_the_machine(dir: &std::path::Path) -> i32 {
    let output = command(dir).args(["doctor", "--json"]).output().unwrap();
    let code = output.status.code().unwrap();
    if code != 0 {
        skip("a machine without findings", &String::from_utf8_lossy(&output.stdout));
    }
    code
}

pub(crate) fn health_and_advice() {
    let dir = scratch();
    let dir = dir.path();
    let before = of_the_machine(dir);
    let _living = made(dir, "living", &["w0..5"]);
    let diagnosis = json(before, dir, &["doctor"]);
    assert_eq!(diagnosis["healthy"], before == 0);
    let sections: Vec<_> =
        diagnosis["findings"].as_array().unwrap().iter().map(|f| f["section"].clone()).collect();
    for section in [
        "directory of segments",
        "huge pages",
        "limits of a process",
        "/proc",
        "logout",
        "segments",
    ] {
        assert!(sections.iter().any(|s| s == section), "no {section} in {sections:?}");
    }

    let pid = orphaned(dir, "dead", &["w3..5"]);
    let diagnosis = json(1, dir, &["doctor"]);
    let warnings = findings(&diagnosis, "warn");
    assert!(warnings.iter().any(|w| w.contains("dead is an orphan")), "{warnings:?}");
    assert!(
        warnings
            .iter()
            .any(|w| w.contains(&format!("rows 3..5 left half-written: pid {pid} died"))),
        "{warnings:?}"
    );
    let text = String::from_utf8(run(dir, &["doctor"]).stdout).unwrap();
    assert!(
        text.contains("WARN  dead is an orphan") && text.contains("-> `ndshm gc` removes"),
        "{text}"
    );

    // A limit, a directory on a disk, none at all.
    let limited = format!(
        "ulimit -f 1000; exec {} --dir {} doctor",
        env!("CARGO_BIN_EXE_ndshm"),
        dir.display()
    );
    let output = std::process::Command::new("bash").args(["-c", &limited]).output().expect("bash");
    assert!(
        String::from_utf8(output.stdout)
            .unwrap()
            .contains("WARN  a file, and so a segment, may have")
    );
    let missing = json(1, &dir.join("missing"), &["doctor"]);
    assert!(findings(&missing, "warn")[0].contains("cannot be opened"));
    fs::write(dir.join("file"), "").unwrap();
    assert!(findings(&json(1, &dir.join("file"), &["doctor"]), "warn")[0].contains("no directory"));
}
