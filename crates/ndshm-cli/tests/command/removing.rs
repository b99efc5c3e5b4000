//! `rm` and `gc`.

use ndshm_testkit::scratch;
use serde_json::json;

use crate::keeper::{made, opened, orphaned};
use crate::run::{fails, json, prints, run};

pub(crate) fn what_is_in_use_stays() {
    let dir = scratch();
    let dir = dir.path();
    let _maker = made(dir, "heat", &[]);
    orphaned(dir, "dead", &[]);
    let output = run(dir, &["rm", "heat", "dead"]);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.starts_with("removed dead (") && text.ends_with(" KiB)\n"), "{text}");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.starts_with("warning: ") && said.contains("ndshm.heat: is in use"), "{said}");
    // One unknown name, and nothing is done.
    fails(dir, &["rm", "--force", "heat", "missing"], &["ndshm.missing", "no such segment"]);
    assert!(dir.join("ndshm.heat").exists());
    let done = json(0, dir, &["rm", "-f", "heat"]);
    assert_eq!((&done["removed"][0]["name"], &done["kept"]), (&json!("heat"), &json!([])));
    assert!(!dir.join("ndshm.heat").exists());
}

pub(crate) fn orphans_alone_are_collected() {
    let dir = scratch();
    let dir = dir.path();
    let _living = made(dir, "living", &[]);
    let mut kept = made(dir, "kept", &["persist"]);
    kept.kill();
    orphaned(dir, "dead.a", &["w0..3"]);
    orphaned(dir, "dead.b", &[]);
    orphaned(dir, "adopted", &[]);
    let _heir = opened(dir, "adopted", &[]);

    let would = json(0, dir, &["gc", "--dry-run"]);
    assert_eq!((&would["dry_run"], would["removed"].as_array().unwrap().len()), (&json!(true), 2));
    assert!(dir.join("ndshm.dead.a").exists());
    let text = prints(0, dir, &["gc"]);
    let lines: Vec<_> = text.lines().collect();
    assert!(lines.len() == 2 && lines[0].starts_with("removed dead.a ("), "{text}");
    assert_eq!(prints(0, dir, &["gc"]), "");
    let listed = json(0, dir, &["ls"]);
    let names: Vec<_> =
        listed["segments"].as_array().unwrap().iter().map(|s| s["name"].clone()).collect();
    assert_eq!(names, ["adopted", "kept", "living"]);
}
