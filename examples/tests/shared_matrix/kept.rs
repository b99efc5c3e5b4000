//! `--name` and `--attach`: matrices that outlive the process that made them.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{common, run};
use common::{Run, assert_empty, command, has_numpy, names};

/// Removes a file, should the test fail before it does.
struct Leftover(PathBuf);

impl Drop for Leftover {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// Runs a line that was printed for a person to copy.
fn shell(line: &str) -> Run {
    Run::of(Command::new("sh").args(["-c", line])).exits(0)
}

#[test]
fn a_name_is_kept_and_not_given_twice() {
    let dir = names();
    let made = run(&["--size", "9", "--workers", "2", "--name", "heat"], dir.path()).exits(0);
    let path = dir.path().join("ndshm.heat");
    assert!(made.stdout.contains(&format!("np.load('{}', mmap_mode='r+')", path.display())));
    assert!(made.stdout.contains(&format!("os.remove('{}')", path.display())));

    let twice = run(&["--size", "9", "--name", "heat"], dir.path());
    twice.refused(&[&path.to_string_lossy(), "taken", "choose another name"]);

    let found = run(&["--attach", "heat", "--json"], dir.path()).exits(0).json();
    assert_eq!((&found["size"], &found["mismatches"]), (&9.into(), &0.into()));
    assert_eq!((&found["workers"], &found["checksum"]), (&0.into(), &648.0.into()));
    run(&["--attach", "heat", "--size", "9"], dir.path()).exits(0);
    // Whoever attaches does not remove it.
    assert!(path.exists());

    // What follows the header of an .npy file is the data.
    let bytes = fs::read(&path).expect("cannot read it");
    assert_eq!(&bytes[..6], b"\x93NUMPY");
    let header = String::from_utf8_lossy(&bytes[10..4096]).replace(' ', "");
    assert_eq!(header, "{'descr':'<f8','fortran_order':False,'shape':(9,9),}\n");
    assert_eq!(bytes[4096 + 8 * (9 * 3 + 4)..][..8], 7.0_f64.to_le_bytes());

    // Another program writes a value, this one finds it.
    let file = File::options().write(true).open(&path).expect("cannot open it");
    file.write_all_at(&(-1.5_f64).to_le_bytes(), 4096 + 8 * (9 * 3 + 4)).expect("cannot write");
    let found = run(&["--attach", "heat"], dir.path()).exits(1);
    assert!(found.stdout.contains("1 WRONG, the first is [3, 4]: -1.5, not 7"), "{}", found.stdout);
    fs::remove_file(&path).expect("cannot remove it");
    assert_empty(dir.path());
}

#[test]
fn no_name_where_the_matrix_cannot_be_made() {
    let dir = names();
    run(&["--size", "2000000", "--name", "heat"], dir.path()).refused(&["ndshm.heat", "free in"]);
    assert_empty(dir.path());
}

#[test]
fn the_printed_lines_of_python_work() {
    if !has_numpy("the printed lines of Python") {
        return;
    }
    // The default folder, and a folder whose name has every character that needs quoting.
    let quotes = names();
    let odd = quotes.path().join(r#"it's "a" $b \c `d`"#);
    fs::create_dir(&odd).expect("cannot make a folder");
    let name = format!("ndshm-examples.{}", std::process::id());
    for dir in [Path::new("/dev/shm"), &odd] {
        let path = dir.join(format!("ndshm.{name}"));
        let leftover = Leftover(path.clone());
        let made = run(&["--size", "30", "--name", &name], dir).exits(0);
        let lines: Vec<_> = made.stdout.lines().filter(|l| l.contains("python3 -c")).collect();
        let [open, remove] = lines[..] else { panic!("{}", made.stdout) };
        let printed = shell(open).stdout;
        assert!(printed.starts_with("[[ 0.  1.  2. ") && printed.contains("58.]]"), "{printed}");

        let seen = open.replace("print(a)", "print(a.shape, a.dtype, a.sum())");
        assert_eq!(shell(&seen).stdout, "(30, 30) float64 26100.0\n");
        let write = open.replace("print(a)", "a[29, 5] += 1; a.flush()");
        assert_eq!(shell(&write).stdout, "");
        let found = run(&["--attach", &name, "--json"], dir).exits(1).json();
        assert_eq!(found["mismatches"], 1);

        assert_eq!(shell(remove).stdout, "");
        assert!(!path.exists(), "{remove}");
        run(&["--attach", &name], dir).refused(&[&path.to_string_lossy(), "no such segment"]);
        drop(leftover);
    }
    assert_empty(&odd);
}

#[test]
fn a_relative_folder_of_names() {
    let dir = names();
    let mut relative = command("shared_matrix", &["--size", "4", "--name", "heat"], Path::new("."));
    Run::of(relative.current_dir(dir.path())).exits(0);
    run(&["--attach", "heat"], dir.path()).exits(0);
}
