//! The environment makes a worker only of whom a launcher started.

use std::process::{Command, Output};

use ndshm_workers::{Worker, Workers};

ndshm_workers::test_support!();

/// This test program, asked for the list of its tests.
fn list_with(group: Option<&str>) -> Output {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.arg("--list");
    if let Some(group) = group {
        command.env("NDSHM_GROUP", group).env("NDSHM_RANK", "0").env("NDSHM_SIZE", "1");
    }
    command.output().unwrap()
}

fn is_ordinary(output: &Output) -> bool {
    output.status.success() && String::from_utf8_lossy(&output.stdout).contains("tests")
}

#[test]
fn half_a_start_ends_at_once_and_says_why() {
    // Descriptors that are not there, or are something else, though the parent is right.
    let me = std::process::id();
    for group in [format!("2:900:5:{me}"), format!("2:0:5:{me}"), "nonsense".to_owned()] {
        let output = list_with(Some(&group));
        assert_eq!(output.status.code(), Some(1), "{group}");
        assert!(output.stdout.is_empty());
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(text.contains("NDSHM_GROUP") && text.lines().count() == 1, "{text}");
    }
}

#[test]
fn a_stranger_with_the_variable_is_an_ordinary_process() {
    assert!(is_ordinary(&list_with(None)));
    assert!(is_ordinary(&list_with(Some("2:900:5:1"))));
}

fn start_this_program(_: &Worker, (): ()) -> Result<bool, String> {
    Ok(is_ordinary(&list_with(None)))
}

#[test]
fn a_workers_child_is_no_worker() {
    assert_eq!(Workers::new(1).run(start_this_program, &()).unwrap(), [true]);
}

fn variables(_: &Worker, names: Vec<String>) -> Result<Vec<Option<String>>, String> {
    Ok(names.iter().map(|name| std::env::var(name).ok()).collect())
}

#[test]
fn variables_are_set_and_taken_out() {
    // PATH is in everybody's environment; what comes last counts.
    let names = ["PATH", "NDSHM_TEST_A", "NDSHM_TEST_B"].map(str::to_owned).to_vec();
    let workers = Workers::new(1)
        .env_remove("PATH")
        .env_remove("NDSHM_TEST_A")
        .env("NDSHM_TEST_A", "1")
        .env("NDSHM_TEST_B", "2")
        .env_remove("NDSHM_TEST_B");
    let found = workers.run(variables, &names).unwrap();
    assert_eq!(found, [[None, Some("1".to_owned()), None]]);
    assert!(std::env::var_os("PATH").is_some());
}
