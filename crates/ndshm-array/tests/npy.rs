//! The NPY format: round trips, refusals, what NumPy makes of it.

#[path = "common/npy.rs"]
mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::{decode, with_text};
use ndshm_array::Bool8;
use ndshm_array::npy::{
    Dtype, EncodeError, HEADER_LEN, MAX_AXES, NpyError, NpyFile, NpyHeader, Order, write_npy,
};

type Test = Result<(), Box<dyn std::error::Error>>;

/// A python3 that has NumPy, if there is one.
fn numpy() -> Option<&'static str> {
    ndshm_testkit::numpy("what NumPy makes of files")
}

fn header(descr: &str, order: Order, shape: &[usize]) -> NpyHeader {
    NpyHeader { dtype: Dtype::from_descr(descr).expect(descr), order, shape: shape.to_vec() }
}

fn names_in(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).expect("the folder can be listed");
    entries.map(|entry| entry.expect("the entry can be read").path()).collect()
}

#[test]
fn the_text_is_as_numpy_writes_it() -> Test {
    let bytes = header("<f8", Order::C, &[123_456_789, 3]).encode()?;
    let text = std::str::from_utf8(&bytes[10..])?;
    assert_eq!(
        text.trim_end(),
        "{'descr': '<f8', 'fortran_order': False, 'shape': (123456789, 3), }"
    );
    assert_eq!(u16::from_le_bytes([bytes[8], bytes[9]]), 4086);
    let bytes = header("|u1", Order::F, &[]).encode()?;
    let text = std::str::from_utf8(&bytes[10..])?;
    assert_eq!(text.trim_end(), "{'descr': '|u1', 'fortran_order': True, 'shape': (), }");
    Ok(())
}

#[test]
fn the_slowest_axis_can_be_rewritten_in_place() -> Test {
    for (order, shape, longer) in [
        (Order::C, vec![7, 300], vec![99_999_999, 300]),
        (Order::F, vec![300, 7], vec![300, 99_999_999]),
        (Order::C, vec![7], vec![99_999_999]),
        (Order::F, vec![7], vec![99_999_999]),
        (Order::C, vec![99_999_999, 1, 2], vec![0, 1, 2]),
    ] {
        let before = header("<f8", order, &shape);
        let mut bytes = before.encode()?;
        let field = before.slowest_axis_field().expect("there is a field");
        assert_eq!((field.start % 8, field.len()), (0, 8));
        let axis = if order == Order::C { 0 } else { shape.len() - 1 };
        let store = NpyHeader::format_slowest_axis(longer[axis]).expect("at most 8 digits");
        bytes[field].copy_from_slice(&store);
        assert_eq!(decode(&bytes)?.shape, longer);
    }
    assert_eq!(header("<f8", Order::C, &[100_000_000, 2]).slowest_axis_field(), None);
    assert!(header("<f8", Order::F, &[100_000_000, 2]).slowest_axis_field().is_some());
    assert_eq!(header("<f8", Order::C, &[]).slowest_axis_field(), None);
    assert_eq!(header("<f8", Order::F, &[]).slowest_axis_field(), None);
    Ok(())
}

#[test]
fn headers_that_cannot_be_are_not_encoded() {
    let axes = vec![usize::MAX; MAX_AXES + 1];
    assert_eq!(header("<f8", Order::C, &axes).encode(), Err(EncodeError::TooManyAxes(65)));
    assert!(header("<c16", Order::F, &axes[1..]).encode().is_ok());
    // Names that NumPy would read in another way, or not at all.
    for name in ["é", "a\\nb", "\\x00"] {
        let encoded = header(&format!("[('{name}', '<f8')]"), Order::C, &[1]).encode();
        assert!(matches!(encoded, Err(EncodeError::FieldName(_))), "{name}: {encoded:?}");
    }
    // As many fields as there is room for, and one more.
    let fields = |n: usize| {
        let fields: Vec<_> = (0..n).map(|i| format!("('f{i:03}', '<f8')")).collect();
        header(&format!("[{}]", fields.join(", ")), Order::C, &[7])
    };
    let most = (1..).find(|&n| fields(n).encode().is_err()).unwrap() - 1;
    let encoded = fields(most).encode().unwrap();
    assert_eq!(decode(&encoded).unwrap(), fields(most));
    assert!(matches!(fields(most + 1).encode(), Err(EncodeError::TooLong(_, 4085))));
    // Structs within structs, as deep as they are read back.
    let nested = |depth: usize| {
        (0..depth).fold("'<f8'".to_owned(), |inner, _| format!("[('x', {inner}, (2,))]"))
    };
    let deepest = header(&nested(4), Order::C, &[7]);
    assert_eq!(decode(&deepest.encode().unwrap()).unwrap(), deepest);
    let text = format!("{{'descr': {}, 'fortran_order': False, 'shape': (7,), }}", nested(5));
    let refused = decode(&with_text(&text)).unwrap_err().to_string();
    assert!(refused.contains("brackets nest"), "{refused}");
}

#[test]
fn byte_orders_are_tolerated_where_they_are_little() -> Test {
    for (descr, canonical) in
        [("=f8", "<f8"), ("<i1", "|i1"), ("=u1", "|u1"), (">i1", "|i1"), ("<c16", "<c16")]
    {
        let text = format!("{{'descr': '{descr}', 'fortran_order': True, 'shape': (2,3)}}");
        assert_eq!(decode(&with_text(&text))?, header(canonical, Order::F, &[2, 3]));
    }
    Ok(())
}

#[test]
fn what_cannot_be_read_is_refused_with_a_remedy() {
    let of = |descr: &str| {
        with_text(&format!("{{'descr': {descr}, 'fortran_order': False, 'shape': (2, 3), }}"))
    };
    let shape = |shape: &str| {
        with_text(&format!("{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}"))
    };
    let deep = format!("{{'descr': {}", "(".repeat(9_000));
    let good = of("'<f8'");
    let cases: Vec<(Vec<u8>, &str)> = vec![
        (vec![], "not an NPY file"),
        (b"PK\x03\x04 a zip archive".to_vec(), "not an NPY file"),
        (b"\x93NUMPX\x01\x00\x10\x00".to_vec(), "not an NPY file"),
        (good[..5].to_vec(), "truncated"),
        (good[..40].to_vec(), "truncated"),
        (b"\x93NUMPY\x02\x00\x00\x00\x00".to_vec(), "truncated"),
        (b"\x93NUMPY\x04\x00\x00\x00\x00\x00".to_vec(), "version 4.0"),
        (b"\x93NUMPY\x03\x00\xff\xff\xff\xff".to_vec(), "4294967295 bytes"),
        (with_text(&" ".repeat(10_000)), "claims 10001 bytes"),
        (with_text("{'descr': {'a': 1}}"), "brackets nest"),
        (of("[['<f8']]"), "brackets nest"),
        (of("[('a', [('b', [('c', [('d', [('e', '<f8')])])])])]"), "brackets nest"),
        (of("'>f8'"), "big-endian"),
        (of("'>c16'"), "a.astype"),
        (of("'|O'"), "object"),
        (of("'O'"), "object"),
        (of("[('a', '<f8'), ('b', '>i4', (2,))]"), "'>i4' is big-endian"),
        (of("[('a', '<f8'), ('b', '|O')]"), "object"),
        (of("[('a', '<f8'), ('b', '<U5')]"), "'<U5' is not supported"),
        (of("[('a', '<f8'), ('b', '|V5')]"), "'|V5' is not supported"),
        (of("[('a', '<f8'), ('a', '<f8')]"), "two fields are called 'a'"),
        (of("[(('title', 'a'), '<f8')]"), "field 0 has a title"),
        (of("[('a', '<f8'), ('', '<f8')]"), "a field has no name"),
        (of("[('', '|V8')]"), "it has no fields"),
        (of("[]"), "it has no fields"),
        (of("[('a', '<f8', (-1,))]"), "the shape of a field"),
        (of("[('a', '<f8', (2, 'x'))]"), "the shape of a field"),
        (of("[('a', '<f8', (0,))]"), "a field has no bytes"),
        (of("[('a', '<f8', (9223372036854775807, 9))]"), "more than can be counted"),
        (
            of("[('a', '<f8', (9223372036854775807,)), ('b', '<f8', (2,))]"),
            "more than can be counted",
        ),
        (of("[('a', ('<f8', 1, 2))]"), "the dtype of a field"),
        (of("[('a',), 3]"), "entry 0 is no tuple"),
        (of("[(1, '<f8')]"), "the name of field 0"),
        (of("('<f8', (3,))"), "descr is not valid"),
        (of("'<U5'"), "not supported"),
        (of("'<M8[ns]'"), "not supported"),
        (of("'|f8'"), "not supported"),
        (of("'é'"), "malformed"),
        (of("''"), "not supported"),
        (of("3"), "malformed"),
        (shape("(2, -3)"), "shape is not valid"),
        (shape("[2, 3]"), "shape is not valid"),
        (shape("(99999999999999999999999,)"), "shape is not valid"),
        (shape("(4294967296, 4294967296)"), "overflows"),
        (shape("(1152921504606846976,)"), "overflows"),
        (shape("(0, 4294967296, 4294967296)"), "overflows"),
        (shape(&format!("({})", "1,".repeat(65))), "65 axes"),
        (with_text("{'descr': '<f8', 'shape': (2, 3), }"), "missing"),
        (
            with_text("{'descr': '<f8', 'fortran_order': 0, 'shape': (2, 3), }"),
            "fortran_order is not valid",
        ),
        (
            with_text("{'descr': '<f8', 'fortran_order': False, 'shape': (2, 3), 'x': 1}"),
            "a key other",
        ),
        (with_text("(1, 2)"), "not a Python dictionary"),
        (with_text("import os"), "not a Python dictionary"),
        (with_text(&deep), "brackets nest"),
    ];
    for (bytes, needle) in cases {
        let message = decode(&bytes).expect_err(needle).to_string();
        assert!(
            message.contains(needle) && !message.contains('\n') && message.len() < 250,
            "{needle}: {message}"
        );
    }
}

#[test]
fn a_file_is_written_whole_and_read_back() -> Test {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("a.npy");
    let values: Vec<f64> = (0..60_000).map(|i| f64::from(i) / 7.0).collect();
    let bytes: &[u8] = bytemuck::cast_slice(&values);
    let header = header("<f8", Order::F, &[200, 300]);
    fs::write(&path, "what was there before")?;
    write_npy(&path, &header, bytes)?;
    assert_eq!(fs::read(&path)?[HEADER_LEN..], *bytes);
    assert_eq!(names_in(dir.path()), std::slice::from_ref(&path));

    let mut file = NpyFile::open(&path)?;
    assert_eq!((file.header(), file.dtype(), file.len()), (&header, &Dtype::F64, 60_000));
    assert_eq!(
        (file.data_offset(), file.is_empty(), file.path()),
        (HEADER_LEN, false, path.as_path())
    );
    for _ in 0..2 {
        let mut read = vec![0f64; 60_000];
        file.read_into(&Dtype::F64, &mut read)?;
        assert_eq!(read, values);
        let mut read = vec![0f64; 60_000];
        file.read_as_f64(&mut read)?;
        assert_eq!(read, values);
    }
    Ok(())
}

#[test]
fn every_real_dtype_is_converted() -> Test {
    fn check<T: bytemuck::Pod>(dir: &Path, dtype: Dtype, values: &[T], expected: &[f64]) -> Test {
        let path = dir.join(format!("{dtype}.npy"));
        // More than one chunk, and a last one that is not full.
        let many: Vec<T> = values.iter().copied().cycle().take(20_001).collect();
        write_npy(
            &path,
            &header(&dtype.descr(), Order::C, &[20_001]),
            bytemuck::cast_slice(&many),
        )?;
        let mut read = vec![f64::NAN; 20_001];
        NpyFile::open(&path)?.read_as_f64(&mut read)?;
        assert!(read.iter().zip(expected.iter().cycle()).all(|(a, b)| a == b), "{dtype}");
        Ok(())
    }
    let dir = tempfile::tempdir()?;
    let dir = dir.path();
    check(dir, Dtype::I8, &[i8::MIN, 0, i8::MAX], &[-128.0, 0.0, 127.0])?;
    check(dir, Dtype::I16, &[i16::MIN, 0, i16::MAX], &[-32768.0, 0.0, 32767.0])?;
    check(dir, Dtype::I32, &[i32::MIN, 5], &[-2_147_483_648.0, 5.0])?;
    check(
        dir,
        Dtype::I64,
        &[i64::MIN, -1, 1 << 53],
        &[-9_223_372_036_854_775_808.0, -1.0, 9_007_199_254_740_992.0],
    )?;
    check(dir, Dtype::U8, &[0u8, 255], &[0.0, 255.0])?;
    check(dir, Dtype::U16, &[0u16, 65535], &[0.0, 65535.0])?;
    check(dir, Dtype::U32, &[u32::MAX], &[4_294_967_295.0])?;
    check(dir, Dtype::U64, &[u64::MAX, 3], &[18_446_744_073_709_551_616.0, 3.0])?;
    check(dir, Dtype::Bool, &[Bool8::new(true), Bool8::new(false)], &[1.0, 0.0])?;
    check(dir, Dtype::F16, &[0.5, -65504.0].map(half::f16::from_f32), &[0.5, -65504.0])?;
    check(dir, Dtype::F32, &[0.5f32, -1.25], &[0.5, -1.25])?;
    check(dir, Dtype::F64, &[0.1f64, -1e300], &[0.1, -1e300])
}

#[test]
fn wrong_requests_are_errors() -> Test {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("z.npy");
    write_npy(&path, &header("<c8", Order::C, &[2]), &[0; 16])?;
    let mut file = NpyFile::open(&path)?;
    let message = |result: Result<(), NpyError>| result.expect_err("refused").to_string();
    assert!(
        message(file.read_as_f64(&mut [0.0; 2]))
            .contains("the elements are complex64, real numbers")
    );
    assert!(
        message(file.read_into(&Dtype::F64, &mut [0f64; 2]))
            .contains("the elements are complex64, not float64")
    );
    assert!(message(file.read_into(&Dtype::C64, &mut [0f32; 2])).contains("not complex64"));
    assert!(
        message(file.read_into(&Dtype::C64, &mut [[0f32; 2]; 3]))
            .contains("3 elements of room for 2")
    );
    file.read_into(&Dtype::C64, &mut [[0f32; 2]; 2])?;
    Ok(())
}

#[test]
fn paths_that_lead_to_no_array_are_errors() -> Test {
    let dir = tempfile::tempdir()?;
    let in_dir = |name: &str| dir.path().join(name);
    let message = |path: &Path| {
        let message = NpyFile::open(path).expect_err("refused").to_string();
        assert!(
            message.starts_with(&path.display().to_string()) && !message.contains('\n'),
            "{message}"
        );
        message
    };
    assert!(message(&in_dir("none.npy")).contains("No such file"));
    assert!(message(dir.path()).contains("not a regular file"));
    fs::write(in_dir("empty.npy"), "")?;
    assert!(message(&in_dir("empty.npy")).contains("not an NPY file"));
    fs::write(in_dir("text.npy"), "name,age\nAda,36\n")?;
    assert!(message(&in_dir("text.npy")).contains("not an NPY file"));

    let whole = in_dir("whole.npy");
    write_npy(&whole, &header("<i4", Order::C, &[10]), &[0; 40])?;
    let bytes = fs::read(&whole)?;
    for len in [3, 9, 100, HEADER_LEN - 1, HEADER_LEN, bytes.len() - 1] {
        fs::write(in_dir("cut.npy"), &bytes[..len])?;
        assert!(message(&in_dir("cut.npy")).contains("truncated"), "{len}");
    }
    // What follows the elements is nobody's business.
    fs::write(in_dir("more.npy"), [&bytes[..], b"control area"].concat())?;
    assert_eq!(NpyFile::open(in_dir("more.npy"))?.len(), 10);
    Ok(())
}

#[test]
fn a_file_cut_short_while_open_is_an_error() -> Test {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("a.npy");
    write_npy(&path, &header("<i4", Order::C, &[100_000]), &vec![1; 400_000])?;
    let mut file = NpyFile::open(&path)?;
    fs::OpenOptions::new().write(true).open(&path)?.set_len(200_000)?;
    let refused = file.read_into(&Dtype::I32, &mut vec![0i32; 100_000]);
    assert!(matches!(refused, Err(NpyError::Changed { .. })));
    let refused = file.read_as_f64(&mut vec![0.0; 100_000]);
    assert!(matches!(refused, Err(NpyError::Changed { .. })));
    Ok(())
}

#[test]
fn nothing_is_left_of_a_write_that_fails() -> Test {
    let dir = tempfile::tempdir()?;
    let plain = header("<i4", Order::C, &[2]);
    let refused = write_npy(dir.path().join("a.npy"), &plain, &[0; 7]);
    assert!(matches!(refused, Err(NpyError::DataLength { needed: Some(8), given: 7, .. })));
    let refused = write_npy(dir.path().join("a.npy"), &header("<i4", Order::C, &[1; 65]), &[0; 4]);
    assert!(matches!(refused, Err(NpyError::Encode { .. })));
    let refused = write_npy(dir.path().join("none/a.npy"), &plain, &[0; 8]);
    assert!(matches!(refused, Err(NpyError::Write { .. })));
    assert!(matches!(write_npy(dir.path(), &plain, &[0; 8]), Err(NpyError::NotAFile { .. })));
    assert!(matches!(write_npy("/dev/null", &plain, &[0; 8]), Err(NpyError::NotAFile { .. })));
    assert!(names_in(dir.path()).is_empty());
    Ok(())
}

#[cfg(unix)]
#[test]
fn links_and_permissions_survive_a_write() -> Test {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let dir = tempfile::tempdir()?;
    let (real, link) = (dir.path().join("real.npy"), dir.path().join("link.npy"));
    fs::write(&real, "")?;
    fs::set_permissions(&real, fs::Permissions::from_mode(0o640))?;
    symlink("real.npy", &link)?;
    write_npy(&link, &header("|u1", Order::C, &[2]), &[1, 2])?;
    assert!(fs::symlink_metadata(&link)?.is_symlink());
    assert_eq!(fs::metadata(&real)?.permissions().mode() & 0o777, 0o640);
    assert_eq!(NpyFile::open(&real)?.len(), 2);
    Ok(())
}

/// NumPy reads what is written here, trailing bytes included, and this reads what NumPy writes.
#[test]
fn numpy_agrees() -> Test {
    let Some(python) = numpy() else { return Ok(()) };
    let dir = tempfile::tempdir()?;
    let mut script = String::from("import numpy as np\n");
    let shapes: [&[usize]; 7] =
        [&[], &[0], &[5], &[3, 4], &[0, 4], &[2, 3, 4], &[1, 1, 1, 1, 1, 2]];
    let mut files = 0;
    for dtype in Dtype::ALL {
        for order in [Order::C, Order::F] {
            for shape in shapes {
                let header = header(&dtype.descr(), order, shape);
                let len = header.elements().expect("small");
                let data: Vec<u8> = (0..len * dtype.size()).map(|i| (i * 7 % 120) as u8).collect();
                let path = dir.path().join(format!("{files}.npy"));
                write_npy(&path, &header, &data)?;
                let mut bytes = fs::read(&path)?;
                bytes.extend([0xAA; 4096]);
                fs::write(&path, bytes)?;
                let tuple: String = shape.iter().map(|axis| format!("{axis},")).collect();
                let letter = if order == Order::C { 'C' } else { 'F' };
                script += &format!(
                    "for mode in [None, 'r'][:{modes}]:\n    a = np.load({path:?}, mmap_mode=mode)\n    \
                     assert a.dtype == np.dtype('{dtype}') and a.shape == ({tuple}), (a.dtype, a.shape)\n    \
                     assert a.tobytes('{letter}') == bytes(i * 7 % 120 for i in range({bytes}))\n\
                     np.save('{out}', np.asarray(a, order='{letter}'))\n",
                    // An empty array cannot be mapped.
                    modes = if len == 0 { 1 } else { 2 },
                    bytes = data.len(),
                    out = dir.path().join(format!("numpy-{files}.npy")).display(),
                );
                files += 1;
            }
        }
    }
    let output = Command::new(python).args(["-W", "error", "-c", &script]).output()?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for index in 0..files {
        let ours = NpyFile::open(dir.path().join(format!("{index}.npy")))?;
        let theirs = NpyFile::open(dir.path().join(format!("numpy-{index}.npy")))?;
        assert_eq!((ours.dtype(), &ours.header().shape), (theirs.dtype(), &theirs.header().shape));
        let data = |file: &NpyFile, from: usize| -> std::io::Result<Vec<u8>> {
            let len = file.len() * file.dtype().size();
            Ok(fs::read(file.path())?[from..from + len].to_vec())
        };
        // NumPy calls what is contiguous both ways row-major, and then the bytes are the same all the same.
        assert_eq!(data(&ours, HEADER_LEN)?, data(&theirs, theirs.data_offset())?);
    }
    println!(
        "NumPy read {files} files as they were written, and {files} of its own were read here"
    );
    Ok(())
}
