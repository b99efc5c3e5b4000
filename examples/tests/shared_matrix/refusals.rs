//! Bad input: one line, status 2, nothing left behind.

use std::fs::{self, File};
use std::os::unix::fs::{FileExt, MetadataExt, symlink};
use std::path::Path;

use ndshm::{SharedArray2, SharedArray3};

use super::{common, run};
use common::{assert_empty, names};

#[test]
fn sizes_that_are_none_or_too_large() {
    let dir = names();
    let sizes: [(&str, &[&str]); 14] = [
        ("0", &["'0'", "--size", "at least 1"]),
        ("-1", &["'-1'", "--size", "whole number"]),
        ("", &["''", "--size", "whole number"]),
        ("1e3", &["'1e3'", "--size", "whole number"]),
        ("2000 ", &["'2000 '", "--size", "whole number"]),
        ("18446744073709551616", &["--size", "whole number"]),
        ("18446744073709551615", &["[18446744073709551615, 18446744073709551615]", "overflows"]),
        ("4294967296", &["[4294967296, 4294967296]", "overflows"]),
        ("3037000500", &["[3037000500, 3037000500]", "overflows"]),
        ("1518500249", &["overflows"]),
        ("1073741824", &["overflows"]),
        // Fits 64 bits, but not a machine.
        ("1073741823", &["bytes asked for", "free in", "less"]),
        ("20000000", &["3200000000", "free in", "less"]),
        ("2000000", &["32000000", "free in", "less"]),
    ];
    for (size, parts) in sizes {
        run(&["--size", size], dir.path()).refused(parts);
        run(&["--size", size, "--name", "heat"], dir.path()).refused(&[]);
        assert_empty(dir.path());
    }
}

#[test]
fn workers_that_are_none_or_too_many() {
    let dir = names();
    let numbers: [(&str, &[&str]); 6] = [
        ("0", &["'0'", "--workers", "at least 1"]),
        ("-4", &["'-4'", "--workers", "whole number"]),
        ("x", &["'x'", "--workers", "whole number"]),
        ("1020", &["'1020'", "--workers", "at most 1019"]),
        ("100000", &["'100000'", "--workers", "at most 1019"]),
        ("18446744073709551615", &["--workers", "at most 1019"]),
    ];
    for (workers, parts) in numbers {
        run(&["--size", "10", "--workers", workers], dir.path()).refused(parts);
    }
    assert_empty(dir.path());
}

#[test]
fn options_that_make_no_sense() {
    let dir = names();
    let lines: [(&[&str], &[&str]); 9] = [
        (&["--sise", "3"], &["--sise", "--size"]),
        (&["3"], &["'3'"]),
        (&["--size"], &["--size", "value"]),
        (&["--corrupt", "3"], &["--corrupt", "two whole numbers"]),
        (&["--corrupt", "3,x"], &["--corrupt", "two whole numbers"]),
        (&["--size", "5", "--corrupt", "0,5"], &["--corrupt 0,5", "5 x 5", "below 5"]),
        (&["--attach", "a", "--name", "b"], &["--attach", "--name"]),
        (&["--attach", "a", "--workers", "2"], &["--attach", "--workers"]),
        (&["--attach", "a", "--corrupt", "1,1"], &["--attach", "--corrupt"]),
    ];
    for (arguments, parts) in lines {
        run(arguments, dir.path()).refused(&[parts, &["--"][..]].concat());
    }
    assert_empty(dir.path());
}

#[test]
fn names_that_cannot_be() {
    let dir = names();
    let long = "x".repeat(201);
    let bad: [(&str, &[&str]); 6] = [
        ("a/b", &["a/b", "'/'", "A-Z a-z 0-9"]),
        ("../heat", &["../heat", "'/'"]),
        ("", &["empty", "1 to 200"]),
        (&long, &["201 bytes", "at most 200"]),
        ("he at", &["he at", "' '"]),
        ("h\u{e4}t\n", &["\\n"]),
    ];
    for (name, parts) in bad {
        for option in ["--name", "--attach"] {
            let parts = if name.contains('\n') { &[] } else { parts };
            run(&["--size", "5", option, name], dir.path()).refused(parts);
        }
    }
    assert_empty(dir.path());
    let longest = "x".repeat(200);
    run(&["--size", "5", "--workers", "1", "--name", &longest], dir.path()).exits(0);
}

#[test]
fn segments_that_are_something_else() {
    let dir = names();
    let path = |name: &str| dir.path().join(format!("ndshm.{name}"));
    let in_dir = dir.path();
    let options = SharedArray2::<f32>::options().dir(in_dir).name("f4");
    let _f4 = options.zeros((3, 3)).expect("cannot make it");
    let options = SharedArray2::<i64>::options().dir(in_dir).name("i8");
    let _i8 = options.zeros((3, 3)).expect("cannot make it");
    let options = SharedArray3::<f64>::options().dir(in_dir).name("cube");
    let _cube = options.zeros((3, 3, 3)).expect("cannot make it");
    let options = SharedArray2::<f64>::options().dir(in_dir).name("small");
    let small = options.zeros((3, 4)).expect("cannot make it");
    small.write().expect("nobody else has it")[[0, 1]] = 1.0;

    File::create(path("empty")).expect("cannot make a file");
    fs::write(path("garbage"), vec![0xa5; 100_000]).expect("cannot make a file");
    fs::write(path("short"), b"\x93NUMPY").expect("cannot make a file");
    fs::create_dir(path("folder")).expect("cannot make a folder");
    symlink(path("small"), path("link")).expect("cannot make a link");
    symlink(path("nothing"), path("dangling")).expect("cannot make a link");

    let bad: [(&str, &[&str]); 10] = [
        ("missing", &["ndshm.missing", "no such segment"]),
        ("f4", &["ndshm.f4", "float32, not float64"]),
        ("i8", &["ndshm.i8", "int64, not float64"]),
        ("cube", &["ndshm.cube", "[3, 3, 3]", "not 2-dimensional"]),
        ("empty", &["ndshm.empty", "empty file", "remove it"]),
        ("garbage", &["ndshm.garbage"]),
        ("short", &["ndshm.short"]),
        ("folder", &["ndshm.folder", "directory"]),
        ("link", &["ndshm.link", "symbolic link"]),
        ("dangling", &["ndshm.dangling", "symbolic link"]),
    ];
    for (name, parts) in bad {
        run(&["--attach", name], in_dir).refused(parts);
        if name != "missing" {
            // Whatever is there, the name is taken.
            run(&["--size", "4", "--name", name], in_dir).refused(&[name, "taken"]);
        }
    }
    run(&["--attach", "small", "--size", "4"], in_dir).refused(&["small", "[3, 4]", "[4, 4]"]);
    let found = run(&["--attach", "small"], in_dir).exits(1);
    assert!(found.stdout.contains("12 elements of 3 x 4 checked: 10 WRONG"), "{}", found.stdout);
}

#[test]
fn damaged_segments() {
    let dir = names();
    let path = dir.path().join("ndshm.heat");
    run(&["--size", "50", "--workers", "1", "--name", "heat"], dir.path()).exits(0);
    let len = fs::metadata(&path).expect("it is there").len();
    let footer = len - 64;
    let file = File::options().read(true).write(true).open(&path).expect("cannot open it");
    let with = |offset: u64, bytes: &[u8], parts: &[&str]| {
        let mut before = vec![0; bytes.len()];
        file.read_exact_at(&mut before, offset).expect("cannot read it");
        file.write_all_at(bytes, offset).expect("cannot write it");
        run(&["--attach", "heat"], dir.path()).refused(&[&["ndshm.heat"], parts].concat());
        file.write_all_at(&before, offset).expect("cannot write it");
    };
    with(footer + 8, &7_u32.to_le_bytes(), &["version 7", "1"]);
    with(footer + 8, &u32::MAX.to_le_bytes(), &["version 4294967295"]);
    with(footer, b"garbage!", &[]);
    with(footer + 12, &9_u32.to_le_bytes(), &[]);
    with(footer + 24, &u64::MAX.to_le_bytes(), &[]);
    with(footer + 32, &1_u64.to_le_bytes(), &[]);
    with(footer + 40, &0_u64.to_le_bytes(), &[]);
    with(0, b"\x93NUMPX", &[]);
    with(10, b"{'descr': '>f8'", &["big-endian"]);
    run(&["--attach", "heat"], dir.path()).exits(0);
    file.set_len(len - 4096).expect("cannot truncate it");
    run(&["--attach", "heat"], dir.path()).refused(&["ndshm.heat"]);
    file.set_len(100).expect("cannot truncate it");
    run(&["--attach", "heat"], dir.path()).refused(&["ndshm.heat"]);
}

#[test]
fn folders_that_cannot_hold_names() {
    let dir = names();
    let file = dir.path().join("file");
    File::create(&file).expect("cannot make a file");
    let missing = dir.path().join("missing");
    let is_root = fs::metadata("/proc/self").expect("no /proc").uid() == 0;
    let folders: [(&Path, &[&str]); 3] = [
        (&missing, &["missing", "No such file", "NDSHM_DIR"]),
        (&file, &["file", "Not a directory", "NDSHM_DIR"]),
        // Which has no unnamed files; but only root is told so.
        (Path::new("/proc"), &["/proc", if is_root { "O_TMPFILE" } else { "" }, "NDSHM_DIR"]),
    ];
    for (folder, parts) in folders {
        run(&["--size", "5", "--name", "heat"], folder).refused(parts);
        let attach: &[&str] = if folder.is_dir() { &["no such segment"] } else { &parts[..2] };
        run(&["--attach", "heat"], folder).refused(attach);
        // Who needs no name needs no folder.
        run(&["--size", "5", "--workers", "1"], folder).exits(0);
    }
}
