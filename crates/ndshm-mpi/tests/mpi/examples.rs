//! The examples check what they compute.

use std::path::PathBuf;
use std::process::{Command, Output};

use ndshm_testkit::scratch;

use crate::job::{JOBS, mpirun};

/// Where cargo puts the examples: beside the folder of this program.
fn example(name: &str) -> PathBuf {
    let this = std::env::current_exe().unwrap();
    this.parent().and_then(|deps| deps.parent()).unwrap().join("examples").join(name)
}

fn run(ranks: usize, name: &str, arguments: &[&str]) -> Output {
    let words = mpirun(ranks);
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]).arg(example(name)).args(arguments).output().unwrap()
}

pub(crate) fn they_check_themselves() {
    let folder = scratch();
    let png = folder.path().join("heat.png").display().to_string();
    let mut means = Vec::new();
    for (ranks, node_size) in JOBS {
        let size = node_size.to_string();
        let nodes = ["--node-size", &size, "--json"];
        let heat = ["--size", "40", "--steps", "60", "--check", "--png", &png];
        let summa = ["--size", "61", "--panel", "16"];
        let lookup = ["--size", "10001", "--lookups", "1000"];
        for (name, arguments) in [("heat", &heat[..]), ("summa", &summa), ("lookup", &lookup)] {
            let output = run(ranks, name, &[arguments, &nodes].concat());
            let text = String::from_utf8_lossy(&output.stdout);
            let said = || format!("{name}, {ranks} by {node_size}: {output:?}");
            assert!(output.status.success() && text.contains("\"right\":true"), "{}", said());
            assert!(text.contains(&format!("\"nodes\":{}", ranks / node_size)), "{}", said());
        }
        means.push(std::fs::read(&png).unwrap());
    }
    assert!(means.windows(2).all(|two| two[0] == two[1]), "pictures differ");
    let hybrid = run(2, "hybrid", &["--size", "50", "--workers", "2"]);
    assert!(String::from_utf8_lossy(&hybrid.stdout).contains("is right"), "{hybrid:?}");
    // Bad input: one line, once, and status 2.
    let bad = run(2, "heat", &["--size", "7"]);
    let errors = String::from_utf8_lossy(&bad.stderr);
    assert_eq!(bad.status.code(), Some(2), "{bad:?}");
    assert_eq!(errors.lines().filter(|line| line.starts_with("error: ")).count(), 1, "{errors}");
}
