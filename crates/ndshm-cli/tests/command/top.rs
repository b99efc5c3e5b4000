//! `top`, where it is no terminal that watches.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use ndshm_testkit::scratch;
use serde_json::Value;

use crate::keeper::{made, opened};
use crate::run::{command, prints};

pub(crate) fn frames_and_changes() {
    let dir = scratch();
    let dir = dir.path();
    let maker = made(dir, "heat", &["w0..5"]);
    let text = prints(0, dir, &["top", "--once"]);
    assert_eq!(text.lines().count(), 2, "{text}");
    assert!(text.contains(&format!("pid {} writes rows 0..5", maker.pid())), "{text}");

    // Each look is told with what is new since the last.
    let mut watcher = command(dir)
        .args(["top", "--interval", "0.2", "--json", "-n", "1000"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("the command starts");
    let mut lines = BufReader::new(watcher.stdout.take().unwrap()).lines();
    let mut look = |wanted: &str, found: fn(&Value) -> bool| loop {
        let line = lines.next().unwrap_or_else(|| panic!("no look shows {wanted}")).unwrap();
        let frame: Value = serde_json::from_str(&line).expect("JSON");
        if found(&frame) {
            return frame;
        }
    };
    look("heat", |frame| {
        frame["segments"][0]["name"] == "heat" && frame["segments"][0]["change"] == ""
    });
    let opener = opened(dir, "heat", &["w9..11"]);
    look("who came", |f| f["segments"][0]["change"].as_str().unwrap().contains("holds"));
    let frame = look("a rest", |f| {
        f["segments"][0]["change"] == "" && f["segments"][0]["claims_per_second"].is_f64()
    });
    assert_eq!(frame["segments"][0]["members"].as_array().unwrap().len(), 2);
    drop(opener);
    look("the death", |f| {
        let claims = f["segments"][0]["claims"].as_array().unwrap();
        claims.iter().any(|claim| claim["by"]["alive"] == false)
    });
    let wave = made(dir, "wave", &[]);
    look("what is new", |f| f["segments"][1]["change"] == "new");
    std::fs::remove_file(dir.join("ndshm.wave")).unwrap();
    look("what is gone", |f| f["gone"][0] == "wave");
    watcher.kill().unwrap();
    watcher.wait().unwrap();
    drop((maker, wave));
}
