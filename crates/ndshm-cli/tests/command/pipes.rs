//! What others read: steady, whole, or gone.

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};

use ndshm_array::SharedArray2;
use ndshm_testkit::scratch;

use crate::keeper::made;
use crate::run::{command, fails, prints, run};

pub(crate) fn output_is_steady() {
    let dir = scratch();
    let dir = dir.path();
    let _maker = made(dir, "heat", &["w0..5"]);
    for arguments in
        [&["ls"][..], &["info", "heat"], &["view", "heat"], &["top", "--once"], &["doctor"]]
    {
        let outputs = [run(dir, arguments), run(dir, arguments)]
            .map(|o| String::from_utf8(o.stdout).unwrap());
        assert!(!outputs[0].is_empty() && outputs[0].ends_with('\n'), "{arguments:?}");
        assert!(!outputs[0].contains('\x1b'), "colours in a pipe: {arguments:?}");
        // Ages and free memory go on; the lines stay.
        assert_eq!(outputs[0].lines().count(), outputs[1].lines().count(), "{arguments:?}");
    }
    // As many columns in each line, whatever is missing.
    let _other = SharedArray2::<u8>::options().dir(dir).name("other").zeros((2, 2)).unwrap();
    let text = prints(0, dir, &["ls"]);
    let starts = |line: &str| {
        let at = line.find("  ").unwrap_or(line.len());
        line[at..].find(|c| c != ' ').map(|n| at + n)
    };
    let second: Vec<_> = text.lines().map(starts).collect();
    assert!(second.windows(2).all(|pair| pair[0] == pair[1]), "{text}");
    assert_eq!(prints(0, dir, &["ls"]), text);
}

pub(crate) fn a_reader_that_goes_is_no_error() {
    let dir = scratch();
    let dir = dir.path();
    let arrays: Vec<_> = (0..100)
        .map(|i| {
            SharedArray2::<u8>::options().dir(dir).name(format!("a{i}")).zeros((2, 2)).unwrap()
        })
        .collect();
    for arguments in [
        &["ls"][..],
        &["ls", "--json"],
        &["top", "-i", "0", "-n", "50"],
        &["completions", "bash"],
        &["man"],
    ] {
        let mut child = command(dir)
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the command starts");
        let mut reader = BufReader::with_capacity(16, child.stdout.take().unwrap());
        let mut line = String::new();
        reader.by_ref().take(64).read_line(&mut line).expect("a line");
        drop(reader); // `| head -1`
        let ended = child.wait_with_output().expect("it ends");
        assert_eq!(ended.status.code(), Some(0), "{arguments:?}: {ended:?}");
        assert_eq!(String::from_utf8(ended.stderr).unwrap(), "", "{arguments:?}");
    }
    drop(arrays);
    let full = Command::new("bash")
        .args([
            "-c",
            &format!("{} --dir {} ls > /dev/full", env!("CARGO_BIN_EXE_ndshm"), dir.display()),
        ])
        .output()
        .expect("bash");
    assert_eq!(full.status.code(), Some(2));
    assert!(String::from_utf8(full.stderr).unwrap().contains("standard output cannot be written"));
}

pub(crate) fn usage_is_one_line_and_help_has_the_statuses() {
    let dir = scratch();
    let dir = dir.path();
    fails(dir, &["lss"], &["unrecognized subcommand 'lss'", "--help"]);
    fails(dir, &["info"], &["<NAME>"]);
    fails(dir, &["ls", "--colour"], &["--colour"]);
    fails(dir, &["top", "--interval=-1"], &["--interval"]);
    fails(dir, &["completions", "cmd"], &["'cmd'"]);
    fails(dir, &[], &["requires a subcommand", "ls, "]);
    let help = prints(0, dir, &["--help"]);
    for part in ["Exit status:", "0  done", "1  something", "2  wrong", "NDSHM_DIR", "NO_COLOR"] {
        assert!(help.contains(part), "no {part}");
    }
    assert!(prints(0, dir, &["view", "--help"]).contains("without a claim"));
    assert!(prints(0, dir, &["--version"]).starts_with("ndshm 0."));
}

pub(crate) fn completions_and_the_manual() {
    let dir = scratch();
    let dir = dir.path();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = prints(0, dir, &["completions", shell]);
        assert!(
            script.contains("doctor") && script.contains("--dir") || shell == "fish",
            "{shell}"
        );
    }
    let script = dir.join("completions");
    std::fs::write(&script, prints(0, dir, &["completions", "bash"])).unwrap();
    let ok = Command::new("bash").arg("-n").arg(&script).status().expect("bash");
    assert!(ok.success(), "bash understands it");

    let page = prints(0, dir, &["man"]);
    for part in [".TH ndshm 1", ".SH \"ndshm ls\"", ".SH \"ndshm doctor\"", "Exit status:"] {
        assert!(page.contains(part), "no {part} in the page");
    }
}
