//! Arrays that are appended to: shapes, limits, other ways in, damage.

mod common;

use std::error::Error;
use std::fs::OpenOptions;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

use common::{Name, numpy, one_line, python};
use ndarray::{Array, Array1, Array2, Array3, ShapeBuilder, arr1, arr2, s};
use ndshm_array::inspect::SegmentFile;
use ndshm_array::{
    AppendArray, AppendArray1, AppendArray2, AppendArray3, AppendError, ArrayHandle, ClaimError,
    CreateError, OpenError, SharedArray1, SharedArray2,
};
use ndshm_buffer::passing;
use ndshm_testkit::Rng;

type Test = Result<(), Box<dyn Error>>;

#[test]
fn rows_of_every_shape() -> Test {
    let numbers = AppendArray1::<u16>::with_capacity(5)?;
    assert_eq!(numbers.append(&arr1(&[1, 2]))?, 0..2);
    assert_eq!(numbers.append(&arr1(&[3]))?, 2..3);
    assert_eq!(numbers.current()?.to_owned()?, arr1(&[1, 2, 3]));
    assert!(numbers.row_shape().is_empty());

    let frames = AppendArray3::<f32>::with_capacity((4, 2, 3))?;
    let two = Array3::from_shape_fn((2, 2, 3), |(i, j, k)| (100 * i + 10 * j + k) as f32);
    // A column-major source, and one that is a view with steps.
    assert_eq!(frames.append(&Array3::from_shape_fn((2, 2, 3).f(), |i| two[i]))?, 0..2);
    let wide = Array3::from_shape_fn((4, 2, 6), |(i, j, k)| two[(i / 2, j, k / 2)]);
    assert_eq!(frames.append(&wide.slice(s![..;2, .., ..;2]))?, 2..4);
    let all = frames.current()?.to_owned()?;
    assert_eq!((all.slice(s![..2, .., ..]), all.slice(s![2.., .., ..])), (two.view(), two.view()));

    let dynamic = AppendArray::<i32, ndarray::IxDyn>::with_capacity(&[3, 2][..])?;
    assert_eq!(dynamic.append(&Array::zeros(&[1, 2][..]))?, 0..1);
    let refused = dynamic.append(&Array::zeros(&[2][..]));
    assert!(matches!(refused, Err(AppendError::Shape { .. })), "{refused:?}");
    Ok(())
}

#[test]
fn no_rows_no_columns_no_room() -> Test {
    let log = AppendArray2::<f64>::with_capacity((3, 2))?;
    assert_eq!(log.append(&Array2::zeros((0, 2)))?, 0..0);
    assert_eq!(log.append(&Array2::ones((2, 2)))?, 0..2);
    assert_eq!(log.append(&Array2::zeros((0, 2)))?, 2..2);
    let error = log.append(&Array2::zeros((2, 2))).unwrap_err();
    one_line(&error, &["2 rows cannot be appended", "2 of the 3"]);
    assert!(matches!(error, AppendError::Full { capacity: 3, rows: 2, asked: 2 }));
    let error = log.append(&Array2::zeros((0, 3))).unwrap_err();
    one_line(&error, &["[3]", "[2]"]);
    assert_eq!(log.append(&Array2::ones((1, 2)))?, 2..3);
    assert_eq!(log.current()?.read()?.sum(), 6.0);

    let empty = AppendArray2::<f64>::with_capacity((3, 0))?;
    assert_eq!(empty.append(&Array2::zeros((2, 0)))?, 0..2);
    assert!(empty.append(&Array2::zeros((2, 0))).is_err());
    assert_eq!(empty.current()?.shape(), [2, 0]);

    let none = AppendArray1::<f64>::with_capacity(0)?;
    assert!(matches!(none.append(&arr1(&[0.5])), Err(AppendError::Full { .. })));
    assert_eq!(none.append(&Array1::zeros(0))?, 0..0);
    Ok(())
}

#[test]
fn what_cannot_be_made() {
    let why = |outcome: Result<(), CreateError>| {
        let error = outcome.expect_err("refused");
        assert!(matches!(error, CreateError::Append { .. }), "{error}");
        one_line(&error, &[])
    };
    let options = AppendArray2::<u8>::options();
    assert!(why(options.with_capacity((4, 3).f()).map(drop)).contains(".f()"));
    assert!(why(options.with_capacity((100_000_000, 0)).map(drop)).contains("99999999"));
    assert!(
        why(options.with_capacity_from(1, &Array2::zeros((2, 3))).map(drop)).contains("more rows")
    );
    assert!(why(AppendArray::<u8, _>::with_capacity(()).map(drop)).contains("no axis"));
    let most = options.with_capacity((99_999_999, 0)).expect("no bytes");
    assert_eq!(most.capacity(), 99_999_999);
    let too_large = AppendArray2::<f64>::with_capacity((1 << 20, 1 << 50));
    assert!(matches!(too_large, Err(CreateError::Shape { .. })));
}

#[test]
fn each_way_in_sees_the_rows_that_are_there() -> Test {
    let name = Name::new("append-ways");
    let log = AppendArray2::options()
        .name(&*name)
        .with_capacity_from(10, &arr2(&[[1_i64, 2], [3, 4]]))?;
    let handle = log.current()?.handle();
    for rows in 2..5_usize {
        let file = SegmentFile::open(name.file())?;
        let text = format!("{:?}", file.contents());
        assert!(text.contains(&format!("[{rows}, 2]")), "{text}");
        // SAFETY: all who have the name are this test.
        let plain = unsafe { SharedArray2::<i64>::open(&name)? };
        assert_eq!(plain.shape(), [rows, 2]);
        assert_eq!(plain.read()?.row(0), arr1(&[1, 2]));
        let copy = common::scratch();
        let saved = copy.path().join("a.npy");
        plain.save(&saved)?;
        assert_eq!(SharedArray2::<i64>::load(&saved)?.shape(), [rows, 2]);
        file.whole(Duration::from_secs(5), |_| file.save(&saved, |_| ()))??;
        assert_eq!(SharedArray2::<i64>::load(&saved)?.shape(), [rows, 2]);
        // SAFETY: as above.
        let then = unsafe { handle.open()? };
        assert_eq!(then.shape(), [2, 2], "the rows that the handle was made of");
        log.append(&arr2(&[[rows as i64, 0]]))?;
    }
    // SAFETY: as above.
    let whole = unsafe { AppendArray2::<i64>::options().expect_shape((10, 2)).open_append(&name) };
    assert_eq!(whole?.nrows()?, 5);
    // SAFETY: as above.
    let other = unsafe { AppendArray2::<i64>::options().expect_shape((9, 2)).open_append(&name) };
    assert!(matches!(other, Err(OpenError::Shape { .. })));
    // A handle of rows that never were.
    let mut text = serde_json::to_value(&handle)?;
    text["shape"] = serde_json::json!([6, 2]);
    let longer: ArrayHandle<i64, ndarray::Ix2> = serde_json::from_value(text)?;
    // SAFETY: as above.
    assert!(matches!(unsafe { longer.open() }, Err(OpenError::Replaced { .. })));
    Ok(())
}

#[test]
fn it_is_handed_on_like_an_array() -> Test {
    let log = AppendArray1::<u8>::with_capacity(10)?;
    log.append(&arr1(&[1]))?;
    let then = log.current()?;
    // As a launcher hands it to a worker.
    let (bytes, segments) = passing::collect(|| postcard::to_stdvec(&(&log, &then)));
    log.append(&arr1(&[2]))?;
    let fds = segments.iter().map(|s| s.as_fd().try_clone_to_owned()).collect::<Result<_, _>>()?;
    // SAFETY: bytes and descriptors are those that were just collected.
    let handed = unsafe { passing::adopt(fds, || postcard::from_bytes(&bytes?)) };
    let (other, same): (AppendArray1<u8>, SharedArray1<u8>) = handed?;
    assert_eq!((other.append(&arr1(&[3]))?, same.shape()), (2..3, &[1][..]));
    assert_eq!(log.current()?.to_owned()?, arr1(&[1, 2, 3]));
    let outside: Result<AppendArray1<u8>, _> = postcard::from_bytes(&postcard::to_stdvec(&log)?);
    assert!(outside.is_err());
    Ok(())
}

#[test]
fn a_read_only_one_is_read_and_waited_for() -> Test {
    let name = Name::new("append-ro");
    let log = AppendArray1::<u64>::options().name(&*name).with_capacity(10)?;
    // SAFETY: all who have the name are this test.
    let reader = unsafe { AppendArray1::<u64>::options().read_only(true).open_append(&name)? };
    assert_eq!(reader.wait_longer(0, Duration::ZERO)?, None);
    let start = Instant::now();
    assert_eq!(reader.wait_longer(0, Duration::from_millis(90))?, None);
    assert!(start.elapsed() >= Duration::from_millis(90));
    log.append(&arr1(&[5, 6]))?;
    assert_eq!(reader.wait_longer(0, Duration::from_secs(10))?, Some(2));
    assert_eq!(reader.current()?.snapshot(Duration::from_secs(10))?, arr1(&[5, 6]));
    // What is poisoned behind the rows of a handle is no matter of its own.
    let two = reader.current()?;
    log.append(&arr1(&[7]))?;
    let three = log.current()?;
    ndshm_testkit::panic_holding(|| three.claim_mut(2..));
    assert_eq!(two.snapshot(Duration::from_secs(10))?, arr1(&[5, 6]));
    let whole = reader.current()?.snapshot(Duration::from_secs(10));
    assert!(matches!(whole, Err(ClaimError::Poisoned(_))));
    let error = reader.append(&arr1(&[7])).unwrap_err();
    one_line(&error, &["read-only"]);
    Ok(())
}

#[test]
fn claims_of_shorter_and_longer_handles_are_of_one_table() -> Test {
    let log = AppendArray1::<u64>::with_capacity(10)?;
    log.append(&arr1(&[1, 2]))?;
    let short = log.current()?;
    log.append(&arr1(&[3, 4]))?;
    let long = log.current()?;
    let held = long.claim_mut(1..4)?;
    assert!(matches!(short.claim(1..), Err(ClaimError::Own { .. })));
    drop((short.claim(..1)?, held));
    ndshm_testkit::panic_holding(|| long.claim_mut(1..4));
    let Err(ClaimError::Poisoned(poisoned)) = short.write() else { panic!("not poisoned") };
    // It cannot be cleared by one that does not know all of it.
    assert!(!poisoned.into_inner().clear_poison()?);
    let Err(ClaimError::Poisoned(poisoned)) = long.write() else { panic!("not poisoned") };
    assert!(poisoned.into_inner().clear_poison()?);
    // What is poisoned beyond its rows is no matter of the shorter one, nor of appenders.
    ndshm_testkit::panic_holding(|| long.claim_mut(2..4));
    assert_eq!(short.read()?.sum(), 3);
    assert_eq!(log.append(&arr1(&[5]))?, 4..5);
    assert!(matches!(long.read(), Err(ClaimError::Poisoned(_))));
    Ok(())
}

#[test]
fn one_that_is_not_appended_to_is_refused() -> Test {
    let name = Name::new("append-plain");
    let _plain = SharedArray1::<f64>::options().name(&*name).zeros(4)?;
    // SAFETY: all who have the name are this test.
    let error = unsafe { AppendArray1::<f64>::open(&name) }.unwrap_err();
    one_line(&error, &[&name.file().display().to_string(), "SharedArray"]);
    // SAFETY: as above.
    let other = unsafe { AppendArray2::<f64>::open(&name) };
    assert!(matches!(other, Err(OpenError::Dimensions { .. })));
    Ok(())
}

/// Where the number of rows, and the area of appenders, lie in the file of an array of two axes.
fn places(file: &std::fs::File) -> (u64, u64) {
    let len = file.metadata().unwrap().len();
    let (mut header, mut word) = ([0; 256], [0; 8]);
    file.read_exact_at(&mut header, 0).unwrap();
    file.read_exact_at(&mut word, len - 64 + 32).unwrap();
    let shape = header.windows(8).position(|w| w == b"'shape':").unwrap() + 10;
    (shape.next_multiple_of(8) as u64, u64::from_le_bytes(word) + 16384 + 81984)
}

#[test]
fn damage_is_an_error() -> Test {
    let name = Name::new("append-damage");
    let log = AppendArray2::<f64>::options().name(&*name).with_capacity((50, 3))?;
    log.append(&Array2::ones((7, 3)))?;
    let file = OpenOptions::new().read(true).write(true).open(name.file())?;
    let (field, area) = places(&file);
    let mut good = [0; 8];
    file.read_exact_at(&mut good, field)?;
    assert_eq!(&good, b"       7");
    // SAFETY: all who have the name are this test; whatever the bytes are, no access leaves the mapping.
    let open = || unsafe { AppendArray2::<f64>::open(&name) };
    // SAFETY: as above.
    let plain = || unsafe { SharedArray2::<f64>::open(&name) };
    let mut rng = Rng::of_this_run();
    let random = (0..500).map(|_| rng.next().to_le_bytes());
    let chosen =
        [*b"nonsense", *b"      51", *b"99999999", *b"        ", [0; 8], [0xff; 8], *b"      -1"];
    for bad in random.chain(chosen) {
        file.write_all_at(&bad, field)?;
        let error = log.nrows().expect_err("no number");
        one_line(&error, &["is damaged", "up to 50"]);
        assert!(matches!(log.append(&Array2::zeros((1, 3))), Err(AppendError::Length(_))));
        assert!(log.current().is_err() && log.wait_longer(0, Duration::from_secs(9)).is_err());
        one_line(&open().expect_err("no number"), &[&name]);
        one_line(&plain().expect_err("no number"), &[&name]);
        let _ = format!("{log:?}");
    }
    file.write_all_at(&good, field)?;
    assert_eq!(log.append(&Array2::ones((1, 3)))?, 7..8);

    // The area: its mark, the capacity, whatever is in the lock.
    let mut whole = [0; 64];
    file.read_exact_at(&mut whole, area)?;
    assert!(whole.starts_with(b"ndshmap\x01\x32\0"));
    for capacity in [0_u64, 7, 51, 100_000_000, u64::MAX] {
        file.write_all_at(&capacity.to_le_bytes(), area + 8)?;
        one_line(&open().expect_err("no such capacity"), &["the capacity", &name]);
        assert_eq!(plain()?.nrows(), 8, "who does not append needs no capacity");
    }
    file.write_all_at(&whole, area)?;
    file.write_all_at(b"N", area)?;
    assert!(matches!(open(), Err(OpenError::Append { .. })));
    assert_eq!(plain()?.nrows(), 8);
    file.write_all_at(&whole, area)?;
    for _ in 0..50 {
        let lock: Vec<u8> = (0..24).map(|_| rng.next().to_le_bytes()[0]).collect();
        file.write_all_at(&lock, area + 16)?;
        // Whoever it says that holds it does not live, or the time is up.
        match open()?.append_timeout(&Array2::ones((0, 3)), Duration::from_millis(20)) {
            Ok(added) => assert_eq!(added, 8..8),
            Err(e) => drop(one_line(&e, &["appending"])),
        }
    }
    file.write_all_at(&whole, area)?;
    // A header that says the same otherwise.
    let mut header = [0; 128];
    file.read_exact_at(&mut header, 0)?;
    let text = String::from_utf8_lossy(&header).replace("'descr': '<f8'", "'descr':'<f8' ");
    file.write_all_at(&header[..10], 0)?;
    file.write_all_at(&text.as_bytes()[text.find('{').unwrap()..][..80], 10)?;
    assert_eq!(plain()?.nrows(), 8);
    assert!(matches!(open(), Err(OpenError::Append { .. })));
    Ok(())
}

#[test]
fn numpy_reads_it_at_every_length() -> Test {
    let Some(interpreter) = numpy() else { return Ok(()) };
    let name = Name::new("append-np");
    let log = AppendArray1::<i32>::options().name(&*name).with_capacity(100_000)?;
    let path = name.file().display().to_string();
    let script = "import sys, numpy as np\nfor m in (None, 'r'):\n    print(np.load(sys.argv[1], mmap_mode=m).shape)";
    for more in [0, 1, 9, 90, 99_900] {
        log.append(&Array1::zeros(more))?;
        let expected = format!("({},)", log.nrows()?);
        assert_eq!(python(interpreter, script, &[&path]), format!("{expected}\n{expected}"));
    }
    Ok(())
}
