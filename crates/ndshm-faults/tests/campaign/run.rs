//! Short runs of the program.

use std::process::{Command, Output};

use ndshm_faults::primitive::ALL;

fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_faults")).args(arguments).output().expect("cannot run it")
}

fn said(output: &Output) -> String {
    format!(
        "{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

pub(crate) fn a_short_campaign_is_clean() {
    let rounds = (100 * ALL.len()).to_string();
    let output = run(&["--rounds", &rounds, "--limit", "30"]);
    println!("{}", said(&output));
    assert_eq!(output.status.code(), Some(0));
    let table = String::from_utf8(output.stdout).expect("text");
    for primitive in ALL {
        assert!(table.contains(primitive.name), "nothing of {}", primitive.name);
    }
}

pub(crate) fn a_report_for_programs_is_one_object() {
    let output = run(&["--rounds", "100", "--only", "mutex", "--json", "--seed", "5"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!((report["seed"].as_u64(), report["clean"].as_bool()), (Some(5), Some(true)));
    let rounds = report["totals"]["rounds"].as_u64().expect("a number");
    assert!(rounds >= 80, "{rounds} rounds of a hundred");
    let faults = report["faults"].as_array().expect("an array");
    assert!(faults.iter().all(|fault| fault["primitive"] == "mutex"));
}

pub(crate) fn bad_usage_is_told_apart() {
    for arguments in [
        &["--only", "mutexes"][..],
        &["--rounds", "0"],
        &["--rounds", "many"],
        &["--act", "tickle"],
        &["--frobnicate"],
    ] {
        assert_eq!(run(arguments).status.code(), Some(2), "{arguments:?}");
    }
    let help = run(&["--help"]);
    assert_eq!(help.status.code(), Some(0));
    for option in ["--rounds", "--seed", "--only", "--act", "--jobs", "--limit", "--json"] {
        assert!(said(&help).contains(option), "{option} is not explained");
    }
}
