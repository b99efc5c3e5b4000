//! `ls` and `info`.

use std::fs;
use std::os::unix::fs::symlink;

use ndshm_buffer::SharedBuffer;
use ndshm_testkit::scratch;
use serde_json::json;

use crate::keeper::{made, opened, orphaned};
use crate::run::{fails, json, prints};

pub(crate) fn a_live_array_and_who_holds_what() {
    let dir = scratch();
    let dir = dir.path();
    let maker = made(dir, "heat", &["w0..5"]);
    let opener = opened(dir, "heat", &["r5..9", "w12..20"]);
    let (first, second) = (maker.pid(), opener.pid());

    let text = prints(0, dir, &["ls"]);
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 2, "{text}");
    for part in [
        "heat  live   array  float64  20 x 3",
        "  2: command",
        &format!("pid {first} writes rows 0..5"),
        &format!("rank 7 (pid {second}) reads rows 5..9"),
        &format!("rank 7 (pid {second}) writes rows 12..20"),
    ] {
        assert!(lines[1].contains(part), "no {part:?} in {text}");
    }

    let listed = json(0, dir, &["ls"]);
    let heat = &listed["segments"][0];
    for (key, value) in [
        ("name", json!("heat")),
        ("state", json!("live")),
        ("kind", json!("array")),
        ("dtype", json!("float64")),
        ("shape", json!([20, 3])),
        ("order", json!("C")),
        ("data_bytes", json!(480)),
        ("in_use", json!(true)),
        ("persisted", json!(false)),
        ("mode", json!("0600")),
        ("problem", json!(null)),
        ("format_version", json!(1)),
    ] {
        assert_eq!(heat[key], value, "{key}");
    }
    let claims = heat["claims"].as_array().unwrap();
    let mut claimed: Vec<_> = claims
        .iter()
        .map(|c| {
            (
                c["first"].as_u64().unwrap(),
                c["end"].clone(),
                c["mode"].clone(),
                c["by"]["pid"].clone(),
            )
        })
        .collect();
    claimed.sort_by_key(|claim| claim.0);
    assert_eq!(
        claimed,
        [
            (0, json!(5), json!("write"), json!(first)),
            (5, json!(9), json!("read"), json!(second)),
            (12, json!(20), json!("write"), json!(second)),
        ]
    );
    let attached = heat["attached"].as_array().unwrap();
    let pids: Vec<_> = attached.iter().map(|p| p["pid"].as_u64().unwrap()).collect();
    assert!(pids.contains(&first.into()) && pids.contains(&second.into()), "{pids:?}");
    assert!(heat["members"].as_array().unwrap().iter().all(|m| m["alive"] == json!(true)));

    let text = prints(0, dir, &["info", "heat"]);
    for part in [
        "  state     live: processes have it",
        "  shape     20 x 3\n",
        &format!("  members   pid {first}\n            rank 7 (pid {second})\n"),
    ] {
        assert!(text.contains(part), "no {part:?} in {text}");
    }
    // A look is not a membership, and nothing was written.
    assert_eq!(json(0, dir, &["ls"])["segments"][0], *heat);
}

pub(crate) fn what_a_killed_creator_leaves() {
    let dir = scratch();
    let dir = dir.path();
    let pid = orphaned(dir, "heat", &["w0..5", "r7..9", "p10..12"]);
    let left = format!("rows 0..5 left half-written: pid {pid} died");
    let panicked = format!("rows 10..12 poisoned: pid {pid} panicked");
    let text = prints(0, dir, &["ls"]);
    for part in ["orphaned", &left, &panicked, "rows 7..9 read by"] {
        assert!(text.contains(part), "no {part:?} in {text}");
    }
    // Status 1: something is wrong with it.
    let text = prints(1, dir, &["info", "heat"]);
    assert!(text.contains("`ndshm gc` removes it") && text.contains(&left), "{text}");
    assert!(text.contains(&format!("pid {pid}, gone")), "{text}");
    let info = json(1, dir, &["info", "heat"]);
    assert_eq!(info["state"], "orphaned");
    assert_eq!(info["claims"][0]["by"]["alive"], false);

    // By one who claims it, the dead's rows are met.
    let next = opened(dir, "heat", &["w5..6"]);
    let info = json(1, dir, &["info", "heat"]);
    assert_eq!(info["state"], "live");
    drop(next);
}

pub(crate) fn what_is_kept() {
    let dir = scratch();
    let dir = dir.path();
    let mut keeper = made(dir, "heat", &["persist"]);
    assert_eq!(json(0, dir, &["info", "heat"])["state"], "live+persisted");
    keeper.kill();
    assert_eq!(json(0, dir, &["info", "heat"])["state"], "persisted");
    assert!(prints(0, dir, &["info", "heat"]).contains("it stays until `ndshm rm`"));
    // The path of its file stands for it.
    let path = dir.join("ndshm.heat");
    assert_eq!(json(0, dir, &["info", path.to_str().unwrap()])["name"], "heat");
}

pub(crate) fn raw_buffers_and_what_is_no_segment() {
    let scratch = scratch();
    let dir = scratch.path();
    let options = SharedBuffer::options().dir(dir);
    let _frames = options.create("frames", 10_000).expect("room");
    let _short = options.create("short", 5).expect("room");
    fs::create_dir(dir.join("ndshm.folder")).unwrap();
    symlink("/etc/hostname", dir.join("ndshm.link")).unwrap();
    fs::write(dir.join("other"), "not one of ours").unwrap();
    fs::write(dir.join("ndshm.a b"), "no such name").unwrap();
    let made = std::process::Command::new("mkfifo").arg(dir.join("ndshm.fifo")).status();
    assert!(made.is_ok_and(|status| status.success()), "mkfifo");

    let listed = json(0, dir, &["ls"]);
    let names: Vec<_> =
        listed["segments"].as_array().unwrap().iter().map(|s| s["name"].clone()).collect();
    assert_eq!(names, ["frames", "short"]);
    let frames = &listed["segments"][0];
    assert_eq!((&frames["kind"], &frames["bytes"]), (&json!("raw"), &json!(10_000)));
    assert_eq!(frames["attached"][0]["pid"], std::process::id());
    assert!(prints(0, dir, &["info", "frames"]).contains("raw bytes"));
    fails(dir, &["info", "link"], &["symbolic link"]);
    fails(dir, &["info", "fifo"], &["ndshm.fifo"]);
    fails(dir, &["info", "folder"], &["a directory"]);
    fails(dir, &["info", "a/b"], &["a/b", "cannot be opened"]);
    fails(dir, &["info", "a b"], &["character"]);
}

pub(crate) fn nothing_and_no_directory() {
    let dir = scratch();
    let dir = dir.path();
    assert_eq!(prints(0, dir, &["ls"]).lines().count(), 1, "the titles");
    assert_eq!(json(0, dir, &["ls"]), json!({"segments": []}));
    let missing = dir.join("missing");
    fails(&missing, &["ls"], &["missing", "NDSHM_DIR"]);
    fails(&missing, &["info", "x"], &["missing"]);
    fails(dir, &["info", "x"], &["ndshm.x", "no such segment"]);

    // The directory of the environment, where none is given.
    let _heat = made(dir, "heat", &[]);
    let command = std::process::Command::new(env!("CARGO_BIN_EXE_ndshm"))
        .args(["ls", "--json"])
        .env("NDSHM_DIR", dir)
        .output();
    let text = String::from_utf8(command.unwrap().stdout).unwrap();
    assert!(text.contains(r#""name":"heat""#), "{text}");
}
