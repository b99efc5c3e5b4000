//! Bad input: one line, status 2, nothing left behind.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use super::files::{npy, table};
use super::{common, data, run};
use common::{Run, assert_empty, example, names};

/// Refuses the file that `make` makes, in a line with its name and all of `parts`.
#[track_caller]
fn refuses(make: impl FnOnce(&Path), parts: &[&str]) {
    let dir = names();
    let input = dir.path().join("input.npy");
    make(&input);
    let before = fs::read_dir(dir.path()).expect("a folder").count();
    let outputs = ["--out", "out.npy", "--png", "out.png"];
    for workers in ["1", "3"] {
        let arguments = [&["input.npy", "--workers", workers], &outputs[..]].concat();
        run(&arguments, dir.path()).refused(&[&["input.npy"], parts].concat());
    }
    assert_eq!(fs::read_dir(dir.path()).expect("a folder").count(), before);
}

#[test]
fn files_that_are_no_npy_files() {
    let write = |bytes: &'static [u8]| {
        move |path: &Path| fs::write(path, bytes).expect("cannot write a file")
    };
    refuses(|_| (), &["No such file", "check the path"]);
    refuses(|path| fs::create_dir(path).expect("cannot make it"), &["not a regular file", "give"]);
    refuses(write(b""), &["not an NPY file", "numpy.save"]);
    refuses(write(b"1,2,3\n4,5,6\n"), &["not an NPY file", "numpy.save"]);
    refuses(write(b"PK\x03\x04 an archive of several arrays"), &["not an NPY file"]);
    refuses(write(&[0xa5; 10_000]), &["not an NPY file"]);
    refuses(write(b"\x93NUMPY\x09\x00\x04\x00{}\n"), &["version 9.0"]);
    refuses(write(b"\x93NUMPY\x01\x00\x08\x00{'descr'"), &["NPY header"]);
    refuses(write(b"\x93NUMPY\x02\x00\xff\xff\xff\xff{'descr'"), &["4294967295 bytes"]);
}

#[test]
fn files_that_are_cut_off() {
    let wine = fs::read(data("wine.npy")).expect("it comes with the examples");
    for (len, parts) in [
        (3, ["truncated", "again"]),
        (9, ["truncated", "again"]),
        (40, ["truncated", "again"]),
        (127, ["truncated", "again"]),
        (128, ["18640 bytes", "again"]),
        (1000, ["18640 bytes", "the file has 1000"]),
        (18_639, ["18640 bytes", "the file has 18639"]),
    ] {
        refuses(|path| fs::write(path, &wine[..len]).expect("cannot write a file"), &parts);
    }
}

#[test]
fn elements_that_are_no_real_numbers() {
    for (descr, parts) in [
        (">f8", ["big-endian", "astype"]),
        (">i4", ["big-endian", "astype"]),
        ("|O", ["object", "astype"]),
        ("[('a', '<f8'), ('b', '<i4')]", ["('a', '<f8')", "field"]),
        ("<c16", ["complex128", "real"]),
        ("<c8", ["complex64", "real"]),
        ("<f16", ["<f16", "astype"]),
        ("<U3", ["<U3", "astype"]),
        ("<M8[s]", ["<M8[s]", "astype"]),
    ] {
        refuses(|path| npy(path, descr, false, "(3, 2)", &[0; 96]), &parts);
    }
}

#[test]
fn shapes_that_are_no_table() {
    for (shape, parts) in [
        ("()", ["[]", "give a table"]),
        ("(6,)", ["[6]", "give a table"]),
        ("(1, 2, 3)", ["[1, 2, 3]", "give a table"]),
        ("(0, 3)", ["[0, 3]", "at least"]),
        ("(3, 0)", ["[3, 0]", "at least"]),
        ("(0, 0)", ["[0, 0]", "at least"]),
        ("(-1, 3)", ["NPY header", "numpy.save"]),
        ("(3.5, 3)", ["NPY header", "numpy.save"]),
        ("(4294967296, 4294967296)", ["overflow", "damaged"]),
        ("(99999999999999999999, 1)", ["input.npy", ";"]),
        ("(1000000000, 1000)", ["truncated", "again"]),
    ] {
        refuses(|path| npy(path, "<f8", false, shape, &[0; 48]), &parts);
        refuses(|path| npy(path, "<f8", true, shape, &[0; 48]), &parts);
    }
}

#[test]
fn a_result_that_has_no_room() {
    let dir = names();
    // A table that is small, of so many columns that their correlations are not.
    npy(&dir.path().join("x.npy"), "|i1", false, "(1, 3000000)", &[0; 3_000_000]);
    run(&["x.npy", "--out", "r.npy"], dir.path()).refused(&["bytes asked for", "free in", "less"]);
    fs::remove_file(dir.path().join("x.npy")).expect("it is there");
    assert_empty(dir.path());
}

#[test]
fn outputs_that_cannot_be_written() {
    let dir = names();
    table(&dir.path().join("x.npy"), &[&[1.0, 2.0], &[3.0, 5.0], &[4.0, 4.0]]);
    fs::create_dir(dir.path().join("folder")).expect("cannot make a folder");
    let count = || fs::read_dir(dir.path()).expect("a folder").count();
    for (path, parts) in [
        ("missing/r", ["missing/r", "No such file", "check the folder"]),
        ("folder", ["folder", "not a regular file", "give"]),
        ("x.npy/r", ["x.npy/r", "Not a directory", "check"]),
        ("/dev/null", ["/dev/null", "not a regular file", "give"]),
        ("/proc/r", ["/proc/r", "cannot be written", "check"]),
    ] {
        run(&["x.npy", "--out", path], dir.path()).refused(&parts);
        run(&["x.npy", "--png", path], dir.path()).refused(&parts);
        // Neither is written where the other cannot be.
        run(&["x.npy", "--out", path, "--png", "r.png"], dir.path()).refused(&parts);
        run(&["x.npy", "--out", "r.npy", "--png", path], dir.path()).refused(&parts);
        assert_eq!(count(), 2);
    }
    run(&["x.npy", "--out", "r", "--png", "r"], dir.path()).refused(&["r: ", "--out and --png"]);
    assert_eq!(count(), 2);
}

#[test]
fn files_of_somebody_else() {
    let dir = names();
    table(&dir.path().join("x.npy"), &[&[1.0, 2.0], &[3.0, 5.0], &[4.0, 4.0]]);
    table(&dir.path().join("secret.npy"), &[&[1.0, 2.0]]);
    for (name, mode) in [(".", 0o755), ("x.npy", 0o644), ("secret.npy", 0o600)] {
        let path = dir.path().join(name);
        fs::set_permissions(path, Permissions::from_mode(mode)).expect("it is ours");
    }
    let program = dir.path().join("correlation");
    fs::copy(example("correlation"), &program).expect("cannot copy it");
    let as_nobody = |program: &Path, arguments: &[&str]| {
        let mut setpriv = Command::new("setpriv");
        setpriv.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"]).arg(program);
        setpriv.args(arguments).current_dir(dir.path()).stdin(Stdio::null());
        setpriv
    };
    if !as_nobody(Path::new("true"), &[]).output().is_ok_and(|o| o.status.success()) {
        ndshm_testkit::skip("files of somebody else", "`setpriv` may not change the user here");
        return;
    }
    Run::of(&mut as_nobody(&program, &["x.npy"])).exits(0);
    let secret = Run::of(&mut as_nobody(&program, &["secret.npy"]));
    secret.refused(&["secret.npy", "Permission denied", "permissions"]);
    for option in ["--out", "--png"] {
        let out = Run::of(&mut as_nobody(&program, &["x.npy", option, "r"]));
        out.refused(&["r: ", "Permission denied", "permissions"]);
    }
    assert_eq!(fs::read_dir(dir.path()).expect("a folder").count(), 3);
}

#[test]
fn labels_that_do_not_fit() {
    let dir = names();
    let labels = dir.path().join("labels.txt");
    run(&["--labels", "labels.txt"], dir.path()).refused(&["labels.txt", "No such file", "give"]);
    for (text, lines) in [("", "0 lines"), ("one\ntwo\n", "2 lines")] {
        fs::write(&labels, text).expect("cannot write");
        let arguments = ["--labels", "labels.txt", "--out", "r.npy", "--png", "r.png"];
        run(&arguments, dir.path()).refused(&["labels.txt", lines, "13 columns", "give"]);
    }
    fs::write(&labels, [0xff, 0xfe, 0x00]).expect("cannot write");
    run(&["--labels", "labels.txt"], dir.path()).refused(&["labels.txt", "UTF-8"]);
    File::create(&labels).expect("cannot write");
    assert_eq!(fs::read_dir(dir.path()).expect("a folder").count(), 1);
}

#[test]
fn options_that_make_no_sense() {
    let dir = names();
    let lines: [(&[&str], &str); 6] = [
        (&["--workers", "0"], "at least 1"),
        (&["--workers", "-1"], "whole number"),
        (&["--workers", "100000"], "at most 1019"),
        (&["--wrokers", "2"], "--workers"),
        (&["a.npy", "b.npy"], "'b.npy'"),
        (&["--out"], "--out"),
    ];
    for (arguments, part) in lines {
        run(arguments, dir.path()).refused(&[part, "--help"]);
    }
    assert_empty(dir.path());
}
