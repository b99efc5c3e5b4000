//! What cannot be made is a typed error, and leaves nothing behind.

mod common;

use std::error::Error;
use std::fs;
use std::time::{Duration, Instant};

use common::{Name, is_empty, one_line, scratch};
use ndarray::{IxDyn, ShapeBuilder};
use ndshm_array::npy::{Dtype, HEADER_LEN, NpyHeader, Order, write_npy};
use ndshm_array::{
    CreateError, LoadError, OpenError, SharedArray1, SharedArray2, SharedArray3, SharedArrayD,
};
use ndshm_buffer::{CreateError as BufferError, NameError, OpenError as BufferOpenError};
use ndshm_testkit::Watchdog;

type Test = Result<(), Box<dyn Error>>;

#[test]
fn sizes_that_overflow() -> Test {
    let _watchdog = Watchdog::start("overflows", Duration::from_secs(30));
    let dir = scratch();
    let named = || SharedArray2::<f64>::options().dir(dir.path()).name("a");
    for shape in [
        (usize::MAX, 1),
        (usize::MAX, usize::MAX),
        (1 << 32, 1 << 32),
        (1 << 60, 1),
        // As ndarray demands, an axis of no length does not hide it.
        (0, usize::MAX),
        (usize::MAX, 0),
    ] {
        for shape in [shape.into_shape_with_order(), shape.f()] {
            let e = named().zeros(shape).unwrap_err();
            assert!(matches!(e, CreateError::Shape { .. }), "{e}");
            one_line(&e, &["shape", "overflows"]);
        }
    }
    let e = SharedArrayD::<u8>::zeros(vec![1 << 20; 4]).unwrap_err();
    assert!(matches!(e, CreateError::Shape { .. }), "{e}");
    // Fits a pointer only without what comes with it.
    let e = SharedArray1::<u8>::zeros(isize::MAX.unsigned_abs() - 100).unwrap_err();
    assert!(matches!(e, CreateError::TooLarge { .. } | CreateError::Buffer(_)), "{e}");
    one_line(&e, &[]);
    // Many axes: as many as NumPy has, and one more.
    assert_eq!(SharedArrayD::<u8>::zeros(vec![1; 64])?.ndim(), 64);
    let e = SharedArrayD::<u8>::options().dir(dir.path()).name("a").zeros(vec![1; 65]).unwrap_err();
    assert!(matches!(e, CreateError::Header(_)), "{e}");
    one_line(&e, &["65 axes", "64"]);
    assert!(is_empty(dir.path()));
    Ok(())
}

#[test]
fn sizes_that_nobody_has() {
    let dir = scratch();
    let no_space = |e: CreateError, asked_at_least: u64| {
        assert!(
            matches!(&e, CreateError::Buffer(BufferError::NoSpace { asked, free, .. })
                if *asked > asked_at_least && free < asked),
            "{e}"
        );
        one_line(&e, &["bytes asked for", "bytes free in", "ask for less"]);
    };
    let start = Instant::now();
    no_space(SharedArray1::<u8>::zeros(1 << 50).unwrap_err(), 1 << 50);
    let named = SharedArray2::<f64>::options().dir(dir.path()).name("a");
    no_space(named.zeros((1 << 22, 1 << 22).f()).unwrap_err(), 1 << 47);
    no_space(named.from_elem((1 << 40, 1), 1.0).unwrap_err(), 1 << 43);
    assert!(start.elapsed() < Duration::from_secs(10), "it was looped over");
    assert!(is_empty(dir.path()));
}

#[test]
fn names() -> Test {
    let zeros = |name: &str| SharedArray1::<u8>::options().name(name).zeros(3);
    for (name, needle) in [
        ("", "empty"),
        ("a/b", "'/'"),
        ("../a", "'/'"),
        ("a b", "' '"),
        ("é", "'é'"),
        ("a\n", "'\\n'"),
        ("..", "directory"),
        (&"n".repeat(201), "too long"),
    ] {
        let e = zeros(name).unwrap_err();
        assert!(matches!(&e, CreateError::Buffer(BufferError::BadName(_))), "{name:?}: {e}");
        one_line(&e, &[needle]);
        // SAFETY: there is none.
        let e = unsafe { SharedArray1::<u8>::open(name) }.unwrap_err();
        assert!(matches!(&e, OpenError::Buffer(BufferOpenError::BadName(_))), "{name:?}: {e}");
        one_line(&e, &[needle]);
    }
    let bad = SharedArray1::<u8>::options().name("a/b").zeros(3).unwrap_err();
    assert!(matches!(
        bad,
        CreateError::Buffer(BufferError::BadName(NameError::Character { found: '/', .. }))
    ));
    let (name, path);
    {
        name = Name::new("taken");
        path = name.file();
        let first = zeros(&name)?;
        assert_eq!((first.name(), first.path()), (Some(&*name), Some(&*path)));
        first.write()?.fill(7);
        let e = zeros(&name).unwrap_err();
        assert!(matches!(&e, CreateError::Buffer(BufferError::NameTaken { .. })), "{e}");
        one_line(&e, &[&path.display().to_string(), "taken", "remove it"]);
        assert_eq!(first.read()?.sum(), 21, "the first is untouched");
    }
    assert!(!path.exists(), "the name goes with the array");
    let e = SharedArray1::<u8>::options().read_only(true).name(&*name).zeros(3).unwrap_err();
    assert!(matches!(e, CreateError::Buffer(BufferError::ReadOnly { .. })), "{e}");
    let e = SharedArray1::<u8>::options().dir("/none/such").name("a").zeros(3).unwrap_err();
    one_line(&e, &["/none/such"]);
    Ok(())
}

#[test]
fn kept_names_are_kept() -> Test {
    let name = Name::new("kept");
    let options = SharedArray1::<u8>::options().name(&*name);
    drop(options.clone().persist(true).from_elem(4, 3)?);
    assert!(name.file().exists());
    // SAFETY: only this test has the name.
    let again = unsafe { SharedArray1::<u8>::open(&name)? };
    assert_eq!(again.read()?.sum(), 12);
    assert!(again.unlink()? && !again.unlink()?);
    assert!(!name.file().exists());
    assert_eq!(again.read()?.sum(), 12, "who has it keeps it");

    let later = options.from_elem(4, 2)?;
    later.persist()?;
    drop(later);
    assert!(name.file().exists());
    Ok(())
}

#[test]
fn a_load_that_fails_leaves_no_name() -> Test {
    let (disk, shm) = (tempfile::tempdir()?, scratch());
    let path = disk.path().join("a.npy");
    let header = NpyHeader { dtype: Dtype::I32, order: Order::C, shape: vec![300, 10] };
    write_npy(&path, &header, &[3; 12_000])?;
    let whole = fs::read(&path)?;
    let f64s = SharedArray2::<f64>::options().dir(shm.path()).name("a");
    let i32s = SharedArray2::<i32>::options().dir(shm.path()).name("a");
    let three = SharedArray3::<i32>::options().dir(shm.path()).name("a");
    let shown = path.display().to_string();
    let refused = |e: LoadError, needles: &[&str]| {
        one_line(&e, &[&[&*shown], needles].concat());
        assert!(is_empty(shm.path()), "{e}: left behind");
    };
    refused(f64s.load(&path).unwrap_err(), &["int32", "float64"]);
    assert!(matches!(three.load(&path), Err(LoadError::Dimensions { expected: 3, .. })));
    refused(three.load(&path).unwrap_err(), &["[300, 10]", "3-dimensional"]);
    for cut in [0, 5, 100, HEADER_LEN - 1, HEADER_LEN, whole.len() - 1] {
        fs::write(&path, &whole[..cut])?;
        assert!(matches!(i32s.load(&path), Err(LoadError::Npy(_))));
        refused(i32s.load(&path).unwrap_err(), &[]);
        refused(f64s.load_as_f64(&path).unwrap_err(), &[]);
    }
    fs::write(&path, [b"\x93NUMPY\x01\x00\x10\x00", &[0xff; 200][..]].concat())?;
    refused(i32s.load(&path).unwrap_err(), &["header"]);
    fs::remove_file(&path)?;
    refused(i32s.load(&path).unwrap_err(), &["No such file"]);
    let complex = NpyHeader { dtype: Dtype::C128, order: Order::F, shape: vec![2, 2] };
    write_npy(&path, &complex, &[0; 64])?;
    refused(f64s.load_as_f64(&path).unwrap_err(), &["complex128", "real"]);
    // And what is whole loads, into the name that was tried so often.
    fs::write(&path, &whole)?;
    assert_eq!(i32s.load(&path)?.read()?[[299, 9]], 0x0303_0303);
    assert_eq!(f64s.load_as_f64(&path)?.read()?[[299, 9]], f64::from(0x0303_0303));
    let taken = i32s.load(&path)?;
    let e = i32s.load(&path).unwrap_err();
    assert!(matches!(&e, LoadError::Create(CreateError::Buffer(BufferError::NameTaken { .. }))));
    drop(taken);
    assert!(is_empty(shm.path()));
    Ok(())
}

#[test]
fn a_file_that_is_cut_short_while_it_is_loaded() -> Test {
    let (disk, shm) = (tempfile::tempdir()?, scratch());
    let path = disk.path().join("a.npy");
    let header = NpyHeader { dtype: Dtype::F64, order: Order::F, shape: vec![40_000, 20] };
    write_npy(&path, &header, &vec![0; 6_400_000])?;
    let options = SharedArray2::<f64>::options().dir(shm.path()).name("a");
    let (mut loaded, mut refused) = (0, 0);
    for round in 0..20 {
        write_npy(&path, &header, &vec![0; 6_400_000])?;
        std::thread::scope(|s| {
            let load = s.spawn(|| options.load(&path).map(drop));
            std::thread::sleep(Duration::from_micros(200 * round));
            fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(5000).unwrap();
            match load.join().unwrap() {
                Ok(()) => loaded += 1,
                Err(LoadError::Npy(_)) => refused += 1,
                Err(e) => panic!("{e}"),
            }
        });
        assert!(is_empty(shm.path()));
    }
    println!("{loaded} loaded before the cut, {refused} refused");
    Ok(())
}

#[test]
fn what_is_saved_loads_in_every_shape() -> Test {
    let disk = tempfile::tempdir()?;
    let path = disk.path().join("a.npy");
    for shape in [&[][..], &[0], &[7], &[3, 4], &[0, 4], &[4, 0], &[2, 3, 4], &[1; 9]] {
        for f_order in [false, true] {
            let a = SharedArrayD::<i16>::zeros(IxDyn(shape).set_f(f_order))?;
            let mut next = 0;
            a.write()?.map_inplace(|x| {
                next += 1;
                *x = next;
            });
            a.save(&path)?;
            let b = SharedArrayD::<i16>::load(&path)?;
            assert_eq!((b.shape(), b.order()), (shape, a.order()));
            assert_eq!(*a.read()?, *b.read()?);
        }
    }
    Ok(())
}

#[test]
fn safe_code_cannot_open_an_array_as_raw_bytes() {
    use ndshm_buffer::{OpenError, SharedBuffer};
    let name = Name::new("raw");
    let _a = SharedArray1::<f64>::options().name(&*name).zeros(4).unwrap();
    let anonymous = SharedArray1::<f64>::zeros(4).unwrap();
    let handle = postcard::to_stdvec(&anonymous.handle()).unwrap();
    // The handle of an array begins with that of its buffer.
    let (handle, _) = postcard::take_from_bytes::<ndshm_buffer::BufferHandle>(&handle).unwrap();
    for read_only in [false, true] {
        let options = SharedBuffer::options().read_only(read_only);
        assert!(matches!(options.open(&name), Err(OpenError::Typed { .. })));
        assert!(matches!(options.open_handle(&handle), Err(OpenError::Typed { .. })));
    }
}
