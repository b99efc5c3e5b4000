//! The program `segments`, in short: a clean run, its report for programs, and what it refuses.

use std::process::{Command, Output};

fn segments(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_segments"));
    // On a busy machine nothing is a hang that soon.
    command.args(["--limit", "300"]).args(arguments);
    command.output().expect("cannot start it")
}

#[test]
fn a_short_campaign_is_clean() {
    let run = segments(&["--rounds", "50", "--json"]);
    let errors = String::from_utf8_lossy(&run.stderr);
    assert_eq!((run.status.code(), &*errors), (Some(0), ""));
    let report: serde_json::Value = serde_json::from_slice(&run.stdout).expect("not JSON");
    assert_eq!(report["clean"], true, "{report}");
    let faults = report["faults"].as_array().expect("a list");
    assert_eq!(faults.len(), 9);
    for fault in faults {
        assert!(fault["rounds"].as_u64() > Some(0) && fault["violations"] == 0, "{fault}");
    }
}

#[test]
fn a_row_for_each_fault_that_is_wanted() {
    let run = segments(&["--rounds", "20", "--only", "growth", "--only", "leaks", "--seed", "7"]);
    let text = String::from_utf8(run.stdout).expect("text");
    let first: Vec<_> = text.lines().filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(first[..3], ["fault", "growth", "leaks"], "{text}");
    assert!(run.status.success() && text.ends_with("--seed 7\n"), "{text}");
}

#[test]
fn bad_usage_is_refused() {
    for bad in [&["--only", "nothing"][..], &["--rounds", "0"], &["--nonsense"]] {
        let run = segments(bad);
        assert_eq!(run.status.code(), Some(2), "{bad:?}");
        assert!(!run.stderr.is_empty() && run.stdout.is_empty());
    }
}
