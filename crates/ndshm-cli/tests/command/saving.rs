//! `save`: consistent, or not at all.

use std::time::{Duration, Instant};

use ndshm_array::SharedArray2;
use ndshm_testkit::scratch;

use crate::keeper::{SHAPE, made, opened};
use crate::run::{fails, json, prints, run};

pub(crate) fn a_copy_is_consistent_or_not_made() {
    let dir = scratch();
    let dir = dir.path();
    let _maker = made(dir, "heat", &[]);
    let mut writer = opened(dir, "heat", &["w3..7"]);
    let file = dir.join("copy.npy");
    let to = file.to_str().unwrap();

    // It waits for the writer, for as long as it is told to, and says who that is.
    let start = Instant::now();
    let who = format!("rank 7 (pid {}) has rows 3..7", writer.pid());
    fails(dir, &["save", "heat", to, "--timeout", "0.3"], &["not saved", &who, "--anyway"]);
    assert!(start.elapsed() >= Duration::from_millis(300));
    assert!(!file.exists());

    let saved = json(1, dir, &["save", "heat", to, "--timeout", "0", "--anyway"]);
    assert_eq!(saved["consistent"], false);
    assert!(saved["why_not"].as_str().unwrap().contains(&who));
    let output = run(dir, &["save", "heat", to, "--timeout", "0", "--anyway"]);
    let warning = String::from_utf8(output.stderr).unwrap();
    assert!(
        warning.starts_with("warning: ") && warning.contains("may not be consistent"),
        "{warning}"
    );
    std::fs::remove_file(&file).unwrap();

    // The writer goes while it is waited for: dead, with its rows half-written.
    let command = crate::run::command(dir).args(["save", "heat", to, "--timeout", "30"]).spawn();
    let mut command = command.expect("the command starts");
    std::thread::sleep(Duration::from_millis(200));
    writer.kill();
    let ended = command.wait().expect("it ends");
    assert_eq!(ended.code(), Some(2), "rows of the dead are no good copy");

    // Readers are in nobody's way.
    let _maker = made(dir, "wave", &["r0..20"]);
    let text = prints(0, dir, &["save", "wave", to]);
    assert_eq!(text, format!("saved {to} (480 B)\n"));
    let copy = SharedArray2::<f64>::load(&file).unwrap();
    assert_eq!(copy.dim(), SHAPE);
    assert!(copy.read().unwrap().indexed_iter().all(|((i, j), &x)| x == (i + j) as f64));
    let members = json(0, dir, &["info", "wave"])["members"].clone();
    let living = members.as_array().unwrap().iter().filter(|m| m["alive"] == true).count();
    assert_eq!(living, 1, "who saved has left again");
}

pub(crate) fn poison_is_not_saved_unasked() {
    let dir = scratch();
    let dir = dir.path();
    let maker = made(dir, "heat", &["p3..5"]);
    let file = dir.join("copy.npy");
    let to = file.to_str().unwrap();
    let who = format!("pid {} panicked with rows 3..5", maker.pid());
    fails(dir, &["save", "heat", to], &[&who, "half-changed", "--anyway"]);
    assert!(!file.exists());
    assert_eq!(json(1, dir, &["save", "heat", to, "--anyway"])["consistent"], false);
    assert!(SharedArray2::<f64>::load(&file).is_ok());
}
