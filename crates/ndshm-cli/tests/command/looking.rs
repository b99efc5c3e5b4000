//! `view`.

use std::fs;

use ndshm_array::ndarray::{Array3, ShapeBuilder};
use ndshm_array::{Bool8, Element, SharedArray, SharedArray1, SharedArray2};
use ndshm_buffer::SharedBuffer;
use ndshm_testkit::scratch;
use serde_json::{Value, json};

use crate::keeper::made;
use crate::run::{fails, json, prints};

pub(crate) fn a_file_and_a_segment_are_looked_at_alike() {
    let dir = scratch();
    let dir = dir.path();
    let _heat = made(dir, "heat", &["w3..4"]);
    let file = dir.join("copy.npy");
    let file = file.to_str().unwrap();
    let a = SharedArray2::<f64>::zeros((20, 3)).unwrap();
    a.write().unwrap().fill_with_index(|(i, j)| (i + j) as f64);
    a.save(file).unwrap();

    for options in [&["view"][..], &["view", "--slice", "2:9:3,1"], &["view", "--all", "-s", "-1"]]
    {
        let (live, saved) = (with(options, "heat"), with(options, file));
        let (mut of_segment, mut of_file) = (json(0, dir, &live), json(0, dir, &saved));
        of_segment["name"] = Value::Null;
        of_file["name"] = Value::Null;
        assert_eq!(of_segment, of_file);
        let text = |arguments: &[&str]| prints(0, dir, arguments).replace(file, "heat");
        assert_eq!(text(&live), text(&saved));
    }
    let info = json(0, dir, &["info", file]);
    assert_eq!(
        (&info["kind"], &info["state"], &info["shape"]),
        (&json!("npy"), &json!("file"), &json!([20, 3]))
    );
    assert!(prints(0, dir, &["info", file]).contains(".npy file"));
}

fn with<'a>(options: &[&'a str], name: &'a str) -> Vec<&'a str> {
    [options, &[name]].concat()
}

pub(crate) fn numbers_are_shown_as_numpy_shows_them() {
    let dir = scratch();
    let dir = dir.path();
    let numbers = |options: &[&str], name: &str| {
        prints(0, dir, &[&["view", "--no-picture"], options, &[name]].concat())
    };
    let big = SharedArray2::<f64>::options().dir(dir).name("big").zeros((200, 100)).unwrap();
    big.write().unwrap().fill_with_index(|(i, j)| (100 * i + j) as f64);
    assert_eq!(
        numbers(&[], "big"),
        "big[:, :]: float64, 200 x 100, C order\n\
         [[    0.     1.     2. ...    97.    98.    99.]\n \
         [  100.   101.   102. ...   197.   198.   199.]\n \
         [  200.   201.   202. ...   297.   298.   299.]\n \
         ...\n \
         [19700. 19701. 19702. ... 19797. 19798. 19799.]\n \
         [19800. 19801. 19802. ... 19897. 19898. 19899.]\n \
         [19900. 19901. 19902. ... 19997. 19998. 19999.]]\n"
    );
    assert!(
        numbers(&["--width", "30"], "big").lines().all(|line| line.len() <= 38),
        "the heading alone is longer"
    );
    assert_eq!(numbers(&["--all"], "big").lines().count(), 201);
    assert_eq!(numbers(&["-s", "7,3:6"], "big").lines().last(), Some("[703. 704. 705.]"));

    // Exact, where a float would round.
    let large =
        SharedArray1::<u64>::options().dir(dir).name("large").from_elem(2, u64::MAX).unwrap();
    assert!(numbers(&[], "large").ends_with("[18446744073709551615 18446744073709551615]\n"));
    assert_eq!(json(0, dir, &["view", "large"])["elements"][0][0], json!(u64::MAX));
    drop(large);

    let small = SharedArray1::<f32>::options().dir(dir).name("small").from_elem(2, 0.1).unwrap();
    assert!(numbers(&[], "small").ends_with("\n[0.1 0.1]\n"));
    drop(small);
    let z = ndshm_array::ndarray::arr1(&[num(1.5, -2.0), num(0.0, 0.25)]);
    let z = SharedArray::options().dir(dir).name("z").from_array(&z).unwrap();
    assert!(numbers(&["-p", "2"], "z").ends_with("\n[1.50-2.00j 0.00+0.25j]\n"));
    drop(z);
    let tall = SharedArray2::<u8>::options().dir(dir).name("tall").zeros((31, 2)).unwrap();
    assert_eq!(numbers(&[], "tall").lines().count(), 8);
    drop(tall);
    let empty = SharedArray2::<u8>::options().dir(dir).name("empty").zeros((0, 3)).unwrap();
    assert!(prints(0, dir, &["view", "empty"]).contains("[[]]"));
    drop(empty);
    one::<i8>(dir, "-3"); // every type
    one::<i16>(dir, "-3");
    one::<i32>(dir, "-3");
    one::<i64>(dir, "-3");
    one::<f64>(dir, "-3.");
}

fn num(re: f64, im: f64) -> num_complex::Complex<f64> {
    num_complex::Complex::new(re, im)
}

fn one<T: Element + From<i8>>(dir: &std::path::Path, shown: &str) {
    let name = T::DTYPE.name();
    let a = SharedArray::<T, _>::options().dir(dir).name(name).from_elem((), T::from(-3)).unwrap();
    let text = prints(0, dir, &["view", "--no-picture", name]);
    assert!(text.contains(&format!("{name}, (), C order\n{shown}\n")), "{text}");
    drop(a);
}

pub(crate) fn planes_of_arrays_of_more_dimensions() {
    let dir = scratch();
    let dir = dir.path();
    let number = |(i, j, k): (usize, usize, usize)| (100 * i + 10 * j + k) as i32;
    for (name, a) in [
        ("c", Array3::from_shape_fn((2, 3, 4), number)),
        ("f", Array3::from_shape_fn((2, 3, 4).f(), number)),
    ] {
        let _a = SharedArray::options().dir(dir).name(name).from_array(&a).unwrap();
        let shown = |slice: &str| json(0, dir, &["view", name, "-s", slice]);
        let first = shown("");
        assert_eq!(first["slice"], "[0, :, :]");
        assert_eq!(first["elements"], json!([[0, 1, 2, 3], [10, 11, 12, 13], [20, 21, 22, 23]]));
        let cut = shown(":, -1, 1::2");
        assert_eq!(cut["elements"], json!([[21, 23], [121, 123]]));
        assert_eq!((&cut["row_indices"], &cut["column_indices"]), (&json!([0, 1]), &json!([1, 3])));
        assert_eq!(shown("1,2,3")["elements"], json!([[123]]));
        assert_eq!(shown("1")["statistics"]["mean"], json!(111.5));
        let column = shown(":,1:,0");
        assert_eq!(column["elements"], json!([[10, 20], [110, 120]]));
        fails(dir, &["view", name, "-s", ":,:,:"], &["3 axes are left"]);
        fails(dir, &["view", name, "-s", "2"], &["index 2 is out of bounds: axis 0 has 2"]);
        fails(dir, &["view", name, "-s", "0,0,0,0"], &["4 axes"]);
        fails(dir, &["view", name, "-s", "0,x"], &["'x' is no index"]);
    }
}

pub(crate) fn nan_and_infinity_are_seen() {
    let dir = scratch();
    let dir = dir.path();
    let a = SharedArray2::<f64>::options().dir(dir).name("a").zeros((100, 100)).unwrap();
    {
        let mut guard = a.write().unwrap();
        guard.fill_with_index(|(i, j)| (i + j) as f64);
        guard[[50, 50]] = f64::NAN;
        guard[[0, 0]] = f64::INFINITY;
    }
    let text = prints(0, dir, &["view", "a"]);
    assert!(text.contains('?') && text.contains("NaN") && text.contains("1 infinite"), "{text}");
    assert!(text.contains("[[ inf   1.   2."), "{text}");
    let shown = json(0, dir, &["view", "a", "-s", "50,50"]);
    assert_eq!(shown["elements"], json!([["NaN"]]));
    assert_eq!(shown["statistics"]["min"], json!(null));
    assert_eq!(json(0, dir, &["view", "a"])["statistics"]["max"], json!(198.0));
    // One value in all: no range to divide by. The largest: their difference is no number.
    a.write().unwrap().fill(7.0);
    assert!(prints(0, dir, &["view", "a"]).contains("min 7, max 7, mean 7"));
    a.write().unwrap().fill_with_index(|(i, _)| if i < 50 { f64::MIN } else { f64::MAX });
    assert!(prints(0, dir, &["view", "a"]).contains("1.798e308"));
}

pub(crate) fn pictures() {
    let dir = scratch();
    let dir = dir.path();
    let a = SharedArray2::<f64>::options().dir(dir).name("a").zeros((300, 200)).unwrap();
    a.write().unwrap().fill_with_index(|(i, _)| i as f64);
    let text = prints(0, dir, &["view", "a", "--no-numbers", "--width", "60"]);
    let lines: Vec<_> = text.lines().collect();
    // Dark above, bright below; as many characters in each line; the bar below.
    assert!(lines[0].chars().all(|c| c == ' ') && lines[19].chars().all(|c| c == '@'), "{text}");
    assert_eq!(lines[0].len(), lines[10].len());
    assert!(lines[20].starts_with("0 |") && lines[20].ends_with("| 299"), "{text}");

    let png = dir.join("a.png");
    let shown = png.to_str().unwrap();
    let text = prints(0, dir, &["view", "a", "--png", shown]);
    assert!(text.ends_with(&format!("min 0, max 299, mean 149.5\nwritten: {shown}\n")), "{text}");
    let (width, height) = png_size(&fs::read(&png).unwrap());
    assert!((300..1200).contains(&width) && (300..1200).contains(&height), "{width} x {height}");
    // Replaced as a whole; other sizes, one row, one element.
    for slice in ["0", "0,0", "::100,::90"] {
        prints(0, dir, &["view", "a", "--png", shown, "-s", slice]);
        png_size(&fs::read(&png).unwrap());
    }
    fails(dir, &["view", "a", "--png", "/no/such/folder/a.png"], &["/no/such/folder/a.png"]);
    fails(dir, &["view", "a", "--png", dir.to_str().unwrap()], &["no regular file"]);
    let left =
        fs::read_dir(dir).unwrap().filter(|e| e.as_ref().is_ok_and(|e| e.file_name() != "a.png"));
    assert_eq!(left.count(), 1, "the segment alone");
}

/// Width and height of a PNG that is whole.
fn png_size(bytes: &[u8]) -> (u32, u32) {
    assert!(bytes.starts_with(b"\x89PNG\r\n\x1a\n") && bytes.ends_with(b"IEND\xaeB`\x82"));
    let number = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
    (number(16), number(20))
}

pub(crate) fn what_cannot_be_shown() {
    let dir = scratch();
    let dir = dir.path();
    let _raw = SharedBuffer::options().dir(dir).create("raw", 1000).unwrap();
    fails(dir, &["view", "raw"], &["holds raw bytes", "ndshm info"]);
    fails(dir, &["view", "missing"], &["no such segment"]);
    fails(dir, &["view", "no/such.npy"], &["no/such.npy: cannot be opened"]);
    fails(dir, &["view", dir.to_str().unwrap()], &["not a regular file"]);
    fails(dir, &["view", "raw", "--width", "3"], &["from 20"]);
}

#[derive(Clone, Copy, Element)]
#[repr(C)]
struct Step {
    time: f64,
    position: [f32; 3],
    done: Bool8,
    #[element(padding)]
    _rest: [u8; 3],
}

pub(crate) fn structs_are_shown_by_field() {
    let dir = scratch();
    let dir = dir.path();
    const DTYPE: &str =
        "[('time', '<f8'), ('position', '<f4', (3,)), ('done', '|b1'), ('', '|V3')]";
    let options = SharedArray2::<Step>::options().dir(dir).name("path");
    let made = options.from_shape_fn((40, 30), |(i, j)| Step {
        time: i as f64 * 0.5,
        position: [j as f32, 0.25, -1.0],
        done: (i == j).into(),
        _rest: [0; 3],
    });
    let _a = made.unwrap();
    let ls = prints(0, dir, &["ls"]);
    assert!(ls.contains("[('time', '<f8'), ('position...  40 x 30"), "{ls}");
    let info = prints(0, dir, &["info", "path"]);
    assert!(info.contains(DTYPE), "{info}");
    assert_eq!(json(0, dir, &["ls"])["segments"][0]["dtype"], DTYPE);

    let fields = "pick a field: time, position.0, position.1, position.2, done (--field)";
    fails(dir, &["view", "path"], &["made of several numbers", fields]);
    fails(dir, &["view", "path", "--field", "position"], &[fields]);
    fails(dir, &["view", "path", "--field", "speed"], &["no field speed", "position.0"]);
    let text = prints(0, dir, &["view", "path", "-f", "time", "-s", ":2,:3"]);
    assert!(text.contains("path[:2, :3]: time of [('time'"), "{text}");
    assert!(text.contains("[[0.0 0.0 0.0]\n [0.5 0.5 0.5]]"), "{text}");
    let shown = json(0, dir, &["view", "path", "-f", "position.0", "-s", "7,::10"]);
    assert_eq!((&shown["dtype"], &shown["field"]), (&json!(DTYPE), &json!("position.0")));
    assert_eq!(shown["elements"], json!([[0.0, 10.0, 20.0]]));
    let shown = json(0, dir, &["view", "path", "-f", "done"]);
    assert_eq!(
        (&shown["statistics"]["mean"], &shown["elements"][0][0]),
        (&json!(0.025), &json!(true))
    );
    let text = prints(0, dir, &["view", "path", "-f", "done", "--no-picture", "-s", ":2,:2"]);
    assert!(text.contains("[[ True False]\n [False  True]]"), "{text}");
    let png = dir.join("path.png");
    prints(0, dir, &["view", "path", "-f", "time", "--png", png.to_str().unwrap()]);
    png_size(&fs::read(&png).unwrap());
    let copy = dir.join("copy.npy");
    prints(0, dir, &["save", "path", copy.to_str().unwrap()]);
    let loaded = prints(0, dir, &["load", copy.to_str().unwrap(), "again"]);
    assert!(loaded.contains("40 x 30 of [('time'"), "{loaded}");
    assert_eq!(json(0, dir, &["view", "again", "-f", "time"])["statistics"]["max"], json!(19.5));
    prints(0, dir, &["rm", "again"]);
}
