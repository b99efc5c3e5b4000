//! Help, bad options, and output that nobody reads.

use std::fs;

use super::common::{
    Run, assert_empty, assert_help, assert_quiet_without_a_reader, command, names,
};

/// Each with its options, and arguments for a short run.
const COURSE: [(&str, &[&str], &[&str]); 8] = [
    ("histogram", &["--workers", "--throws"], &["--throws", "10"]),
    ("heat", &["--workers", "--size", "--steps", "--png"], &["--size", "8", "--steps", "2"]),
    ("matmul", &["--workers", "--size", "--tile"], &["--size", "4", "--tile", "2"]),
    ("writer", &["--name", "--rows", "--pause"], &["--rows", "2", "--pause", "0"]),
    ("reader", &["--name", "--patience"], &[]),
    ("killed_worker", &["--workers", "--victim"], &["--workers", "1"]),
    ("frames", &["--workers", "--frames", "--size"], &["--frames", "2", "--size", "2"]),
    ("mandelbrot", &["--workers", "--size", "--png"], &["--size", "4"]),
];

#[test]
fn help_names_every_option() {
    for (name, options, _) in COURSE {
        assert_help(
            name,
            &[options, &["-h, --help", "Exit status: 0 ", "2 bad input"]].concat()[..],
        );
    }
}

#[test]
fn options_that_cannot_be() {
    let dir = names();
    let long = "18446744073709551615";
    for (name, options, _) in COURSE {
        for option in options.iter().filter(|option| !["--name", "--png"].contains(option)) {
            for value in ["-1", "x", "", "99999999999999999999"] {
                let argument = format!("{option}={value}");
                let run = Run::of(&mut command(name, &[&argument], dir.path()));
                run.refused(&[option, "must be a whole number", "--help"]);
            }
        }
        if options.contains(&"--workers") {
            let refuses = |value, part| {
                Run::of(&mut command(name, &["--workers", value], dir.path())).refused(&[
                    "--workers",
                    part,
                    "--help",
                ]);
            };
            refuses("0", "must be at least");
            refuses("1020", "must be at most 1019");
            refuses(long, "must be at most 1019");
        }
    }
    for (name, option, value, part) in [
        ("histogram", "--throws", "0", "at least 1"),
        ("heat", "--size", "0", "at least 8"),
        ("heat", "--size", "7", "at least 8"),
        ("heat", "--size", "8001", "at most 8000"),
        ("matmul", "--size", "0", "at least 1"),
        ("matmul", "--size", long, "at most 1000000"),
        ("matmul", "--tile", "0", "at least 1"),
        ("writer", "--rows", "0", "at least 1"),
        ("writer", "--rows", "1000001", "at most 1000000"),
        ("writer", "--pause", long, "at most 60000"),
        ("reader", "--patience", "3601", "at most 3600"),
        ("killed_worker", "--victim", "30", "at most 29"),
        ("killed_worker", "--victim", long, "at most 29"),
        ("frames", "--workers", "1", "at least 2"),
        ("frames", "--frames", "0", "at least 1"),
        ("frames", "--size", "0", "at least 1"),
        ("frames", "--size", "10001", "at most 10000"),
        ("mandelbrot", "--size", "0", "at least 1"),
        ("mandelbrot", "--size", long, "at most 8000"),
        ("mandelbrot", "--sise", "4", "--size"),
    ] {
        let run = Run::of(&mut command(name, &[option, value], dir.path()));
        run.refused(&[option, part, "--help"]);
    }
    // A size that is a size, and more than this machine has.
    let run = Run::of(&mut command("matmul", &["--size", "1000000"], dir.path()));
    run.refused(&["bytes asked for", "less"]);
    assert_empty(dir.path());
}

#[test]
fn pictures_that_cannot_be_written() {
    let dir = names();
    fs::write(dir.path().join("file"), "").expect("cannot write");
    for name in ["heat", "mandelbrot"] {
        for (path, part) in [
            ("missing/a.png", "No such file"),
            ("file/a.png", "Not a directory"),
            (".", "not a regular file"),
            ("/dev/null", "not a regular file"),
            ("/proc/a.png", "cannot be written"),
            ("", "not a regular file"),
            ("new/", "not a regular file"),
        ] {
            // Refused before the work, which would take longer than this test waits.
            let arguments = ["--size", "8000", "--png", path];
            let run = Run::of(command(name, &arguments, dir.path()).current_dir(dir.path()));
            run.refused(&["--png", part, "--help"]);
        }
    }
    assert_eq!(fs::read_dir(dir.path()).expect("a folder").count(), 1);
}

#[test]
fn nobody_has_to_read_their_output() {
    for (name, _, arguments) in COURSE {
        if name != "reader" {
            assert_quiet_without_a_reader(name, arguments);
        }
    }
}
