//! Segments that somebody wrote into, or cut.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;

use ndshm_testkit::scratch;

use crate::keeper::orphaned;
use crate::run::{json, prints, run};

/// What is done to a good segment, and what is said of it then.
type Damage = (&'static str, fn(&File), &'static str);

const DAMAGES: [Damage; 7] = [
    ("version", |file| from_end(file, 56, &[9]), "format version 9"),
    ("kind", |file| from_end(file, 52, &[7]), "something unknown"),
    ("length", |file| from_end(file, 24, &[1]), "another length"),
    ("control", |file| from_end(file, 32, &[0xff; 8]), "damaged"),
    ("header", |file| file.write_all_at(b"garbage", 20).unwrap(), "NPY header"),
    ("dtype", |file| file.write_all_at(b"{'descr': '<f3'", 10).unwrap(), "'<f3' is not supported"),
    ("members", |file| file.write_all_at(&[0xff; 8], 8192).unwrap(), "table of members"),
];

fn from_end(file: &File, offset: u64, bytes: &[u8]) {
    let len = file.metadata().unwrap().len();
    file.write_all_at(bytes, len - offset).unwrap();
}

fn edit(path: &Path) -> File {
    File::options().read(true).write(true).open(path).unwrap()
}

pub(crate) fn each_kind_of_damage_is_told_and_harms_nobody() {
    let dir = scratch();
    let dir = dir.path();
    orphaned(dir, "good", &[]);
    let good = dir.join("ndshm.good");
    for (name, damage, says) in DAMAGES {
        let path = dir.join(format!("ndshm.{name}"));
        fs::copy(&good, &path).unwrap();
        damage(&edit(&path));
        let problem = json(1, dir, &["info", name])["problem"].clone();
        let problem = problem.as_str().unwrap_or_else(|| panic!("{name}: nothing is said"));
        assert!(problem.contains(says) && problem.contains(name), "{name}: {problem}");
        assert!(!problem.contains('\n'));
        assert!(prints(0, dir, &["ls"]).contains(says), "{name}");
        let doctor = run(dir, &["doctor"]);
        assert_eq!(doctor.status.code(), Some(1));
        assert!(String::from_utf8(doctor.stdout).unwrap().contains(says), "{name}");
        fs::remove_file(path).unwrap();
    }

    // Cut anywhere: no fault, and nothing but an answer.
    let whole = fs::read(&good).unwrap();
    for len in [0, 1, 63, 64, 100, 4095, 4096, 4100, 8191, 8192, 20_000, whole.len() - 1] {
        fs::write(dir.join("ndshm.cut"), &whole[..len]).unwrap();
        for arguments in [&["info", "cut"][..], &["view", "cut"], &["ls"], &["doctor"]] {
            let output = run(dir, arguments);
            assert!(
                matches!(output.status.code(), Some(0..=2)),
                "{len}: {arguments:?}: {output:?}"
            );
        }
    }

    // Garbage of every kind in the tables: numbers that mean nothing, and no crash.
    let mut rng = ndshm_testkit::Rng::of_this_run();
    let control = 8192;
    for _ in 0..60 {
        let path = dir.join("ndshm.garbage");
        let mut bytes = whole.clone();
        for _ in 0..200 {
            let at = control + rng.below((bytes.len() - 64 - control) as u64) as usize;
            bytes[at] = rng.next() as u8;
        }
        fs::write(&path, &bytes).unwrap();
        for arguments in [&["info", "garbage"][..], &["ls", "--json"], &["top", "--once"]] {
            let output = run(dir, arguments);
            assert!(matches!(output.status.code(), Some(0 | 1)), "{arguments:?}: {output:?}");
        }
    }
}
