//! `load`, and `save` beside it.

use std::fs;

use ndshm_array::{SharedArray, SharedArray2};
use ndshm_testkit::scratch;
use serde_json::json;

use crate::keeper::made;
use crate::run::{fails, json, prints};

pub(crate) fn load_and_save_round() {
    let dir = scratch();
    let dir = dir.path();
    use ndshm_array::ndarray::ShapeBuilder;
    let a =
        ndshm_array::ndarray::Array::from_shape_fn((5, 7, 2).f(), |(i, j, k)| (i * j + k) as u16);
    let (file, back) = (dir.join("a.npy"), dir.join("b.npy"));
    SharedArray::from_array(&a).unwrap().save(&file).unwrap();

    prints(0, dir, &["load", "--huge", file.to_str().unwrap(), "huge"]);
    prints(0, dir, &["rm", "huge"]);
    let text = prints(0, dir, &["load", file.to_str().unwrap(), "a"]);
    assert!(text.contains("5 x 7 x 2 of uint16") && text.contains("`ndshm rm a`"), "{text}");
    let info = json(0, dir, &["info", "a"]);
    assert_eq!(
        (&info["state"], &info["order"], &info["dtype"]),
        (&json!("persisted"), &json!("F"), &json!("uint16"))
    );
    prints(0, dir, &["save", "a", back.to_str().unwrap()]);
    assert_eq!(fs::read(&file).unwrap(), fs::read(&back).unwrap());
    // An .npy file can be saved elsewhere, too.
    let third = dir.join("c.npy");
    prints(0, dir, &["save", back.to_str().unwrap(), third.to_str().unwrap()]);
    assert_eq!(fs::read(&file).unwrap(), fs::read(&third).unwrap());
    prints(0, dir, &["rm", "a"]);
}

pub(crate) fn names_are_not_taken_from_anybody() {
    let dir = scratch();
    let dir = dir.path();
    let file = dir.join("a.npy");
    SharedArray2::<f64>::from_elem((2, 2), 0.5).unwrap().save(&file).unwrap();
    let file = file.to_str().unwrap();
    let load = |force: bool| {
        if force { vec!["load", file, "heat", "--force"] } else { vec!["load", file, "heat"] }
    };
    prints(0, dir, &load(true)); // there is none to replace
    fails(dir, &load(false), &["ndshm.heat", "taken"]);
    let first = json(0, dir, &["info", "heat"])["instance"].clone();
    prints(0, dir, &load(true));
    assert_ne!(json(0, dir, &["info", "heat"])["instance"], first);
    prints(0, dir, &["rm", "heat"]);

    let _maker = made(dir, "heat", &[]);
    fails(dir, &load(true), &["ndshm.heat", "in use"]);
    fails(dir, &["load", file, "a b"], &["character"]);
}

pub(crate) fn bad_files_are_refused_in_one_line() {
    let dir = scratch();
    let dir = dir.path();
    let bad = |name: &str, bytes: &[u8]| {
        let path = dir.join(name);
        fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let good = dir.join("good.npy");
    SharedArray2::<f64>::from_elem((100, 100), 0.5).unwrap().save(&good).unwrap();
    let good = fs::read(&good).unwrap();
    let header = |text: &str| {
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((text.len() as u16 + 1).to_le_bytes());
        bytes.extend(text.as_bytes());
        bytes.push(b'\n');
        bytes
    };
    for (name, bytes, says) in [
        ("empty.npy", Vec::new(), "not an NPY file"),
        ("text.npy", b"1,2,3\n".to_vec(), "not an NPY file"),
        ("short.npy", good[..5000].to_vec(), "truncated"),
        (
            "object.npy",
            header("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }"),
            "pickled",
        ),
        (
            "big.npy",
            header("{'descr': '>f8', 'fortran_order': False, 'shape': (0,), }"),
            "big-endian",
        ),
    ] {
        let path = bad(name, &bytes);
        fails(dir, &["load", &path, "x"], &[name, says]);
        if bytes.starts_with(b"\x93NUMPY") {
            fails(dir, &["view", &path], &[name, says]);
        }
    }
    fails(dir, &["load", "no/such.npy", "x"], &["no/such.npy"]);
    fails(dir, &["load", dir.to_str().unwrap(), "x"], &["not a regular file"]);
    assert_eq!(json(0, dir, &["ls"]), json!({"segments": []}));
    // Saving where no file can be.
    let _maker = made(dir, "heat", &[]);
    fails(
        dir,
        &["save", "heat", "/no/such/folder/a.npy"],
        &["/no/such/folder/a.npy", "cannot be written"],
    );
    let _raw = ndshm_buffer::SharedBuffer::options().dir(dir).create("raw", 100).unwrap();
    fails(dir, &["save", "raw", "a.npy"], &["raw bytes"]);
}
