//! Segments looked at by one who takes no part.

use std::fs::{self, File};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::PathBuf;
use std::time::Duration;

use ndarray::{ArrayD, IxDyn, ShapeBuilder};
use ndshm_array::inspect::{
    Contents, InspectError, Number, Pick, PickError, SegmentFile, WholeError, load,
};
use ndshm_array::npy::{Dtype, NpyFile, NpyHeader, Order};
use ndshm_array::{
    CreateError, Element, LoadError, OpenError, SaveError, SharedArray, SharedArray1, SharedArray2,
    SharedArrayD, SharedMutex,
};
use ndshm_buffer::SharedBuffer;
use ndshm_testkit::{Rng, one_line, scratch};
use num_complex::Complex;

const SOON: Duration = Duration::from_secs(5);

/// The descriptors of this process that lead to a segment without a name.
fn anonymous() -> Vec<PathBuf> {
    let ours = |path: &PathBuf| {
        fs::read_link(path).is_ok_and(|to| to.to_string_lossy().starts_with("/memfd:ndshm "))
    };
    let listed = fs::read_dir("/proc/self/fd").expect("/proc");
    listed.filter_map(|entry| Some(entry.ok()?.path())).filter(ours).collect()
}

#[test]
fn a_value_under_a_mutex() {
    let value = SharedMutex::new([1.0_f64, 2.0, 3.0]).unwrap();
    let guard = value.lock().unwrap();
    // Other tests have values of their own.
    let found = anonymous().into_iter().find_map(|path| {
        let file = SegmentFile::open(path).ok()?;
        let report = file.report().ok()?;
        (report.value?.size == 24).then_some((file, report))
    });
    let (file, report) = found.expect("the value");
    assert_eq!(file.contents(), &Contents::Value);
    assert!(report.value.unwrap().initialised);
    let lock = report.lock.unwrap();
    let me = std::process::id();
    assert_eq!(lock.to_string(), format!("mutex: held by pid {me}"));
    assert!(lock.holders[0].alive);
    drop(guard);
    assert_eq!(file.report().unwrap().lock.unwrap().to_string(), "mutex: free");
    ndshm_testkit::panic_holding(|| value.lock());
    let lock = file.report().unwrap().lock.unwrap();
    assert_eq!(lock.to_string(), format!("mutex: free; poisoned by pid {me}"));
    assert!(file.plane(&[]).is_err());
}

#[test]
fn a_look_leaves_no_trace() {
    let dir = scratch();
    let options = SharedBuffer::options().dir(dir.path());
    let a = SharedArray1::<f64>::options().dir(dir.path()).name("a").from_elem(1000, 0.5).unwrap();
    let path = a.path().unwrap().to_owned();
    let claim = a.claim_mut(3..7).unwrap();
    let traces = || {
        let meta = fs::metadata(&path).unwrap();
        (fs::read(&path).unwrap(), meta.mtime_nsec(), meta.mode(), meta.blocks())
    };
    let before = traces();
    let file = SegmentFile::open_no_follow(&path).unwrap();
    let report = file.report().unwrap();
    assert_eq!((report.claims.len(), report.members.len()), (1, 1));
    file.plane(&[]).unwrap().for_each(|_, _, _| ()).unwrap();
    assert!(before == traces(), "something was written");
    // Nor does it count as use: who looks keeps no orphan.
    drop(claim);
    std::mem::drop(a);
    fs::write(&path, &before.0).unwrap();
    let file = SegmentFile::open(&path).unwrap();
    assert!(options.info("a").unwrap().is_orphan());
    let left = file.report().unwrap();
    assert!(!left.claims[0].by.alive && !left.members[0].alive);
    assert_eq!(options.gc().unwrap().len(), 1);
}

#[test]
fn what_is_cut_meanwhile_is_an_error() {
    let dir = scratch();
    let path = dir.path().join("ndshm.a");
    let a = SharedArray1::<f64>::options().dir(dir.path()).name("a").zeros(100_000).unwrap();
    fs::copy(a.path().unwrap(), dir.path().join("copy")).unwrap();
    drop(a);
    fs::rename(dir.path().join("copy"), &path).unwrap();
    let file = SegmentFile::open(&path).unwrap();
    File::options().write(true).open(&path).unwrap().set_len(5000).unwrap();
    assert!(matches!(file.report(), Err(InspectError::Read { .. })));
    let plane = file.plane(&[]).unwrap();
    assert!(plane.number(0, 10).is_ok());
    one_line(&plane.number(0, 5000).unwrap_err(), &["ndshm.a", "cannot be read"]);
    let mut seen = 0;
    assert!(plane.for_each(|_, _, _| seen += 1).is_err());
    let to = dir.path().join("b.npy");
    one_line(&file.save(&to, |_| ()).unwrap_err(), &["b.npy", "ndshm.a"]);
    assert!(!to.exists());
}

fn planes<T: Element + Into<Wide>>(rng: &mut Rng, element: impl Fn(usize) -> T) {
    let dir = scratch();
    for round in 0..12 {
        let ndim = rng.below(5) as usize;
        let shape: Vec<_> = (0..ndim).map(|_| 1 + rng.below(9) as usize).collect();
        let fortran = rng.chance(50);
        let elements = (0..shape.iter().product()).map(&element).collect();
        let a = ArrayD::from_shape_vec(IxDyn(&shape).set_f(fortran), elements).unwrap();
        let path = dir.path().join(format!("{round}.npy"));
        SharedArray::from_array(&a).unwrap().save(&path).unwrap();
        let file = SegmentFile::open(&path).unwrap();
        for _ in 0..10 {
            plane(rng, &file, &a);
        }
    }
}

/// Picks at random, on both, and compares.
fn plane<T: Element + Into<Wide>>(rng: &mut Rng, file: &SegmentFile, a: &ArrayD<T>) {
    let mut picks = Vec::new();
    let mut view = a.view();
    let mut axis = 0;
    while axis < view.ndim() {
        let len = view.shape()[axis];
        let index = rng.below(len as u64) as usize;
        // Enough of them that at most two axes are left.
        if rng.chance(50) || view.ndim() - axis > 2 - axis {
            let negative = rng.chance(30);
            let picked = index as i64 - if negative { len as i64 } else { 0 };
            picks.push(Pick::At(picked));
            view.collapse_axis(ndarray::Axis(axis), index);
            view = view.index_axis_move(ndarray::Axis(axis), 0);
        } else {
            let (step, end) = (1 + rng.below(3) as usize, rng.below(len as u64 + 3) as i64);
            picks.push(Pick::Range { start: Some(index as i64), end: Some(end), step });
            let end = (end as usize).min(len).max(index);
            let slice = ndarray::Slice::new(index as isize, Some(end as isize), step as isize);
            view.slice_axis_inplace(ndarray::Axis(axis), slice);
            axis += 1;
        }
    }
    let (rows, cols) = match *view.shape() {
        [] => (1, 1),
        [cols] => (1, cols),
        [rows, cols] => (rows, cols),
        _ => unreachable!("two axes at most"),
    };
    let expected: Vec<Wide> = view.iter().map(|&x| x.into()).collect();
    let plane = file.plane(&picks).unwrap();
    assert_eq!((plane.rows(), plane.cols()), (rows, cols), "{picks:?} of {:?}", a.shape());
    let mut seen = vec![f64::NAN; rows * cols];
    plane.for_each(|row, col, x| seen[row * cols + col] = x).unwrap();
    for (at, expected) in expected.iter().enumerate() {
        let number = plane.number(at / cols, at % cols).unwrap();
        assert_eq!(Wide::of(number), *expected, "{picks:?} of {:?}", a.shape());
        assert_eq!(seen[at], number.to_f64());
    }
}

/// Any number, for comparing.
#[derive(Debug, PartialEq)]
enum Wide {
    Whole(i128),
    Real(f64),
    Complex(Complex<f64>),
}

impl Wide {
    fn of(number: Number) -> Self {
        match number {
            Number::Signed(n) => Self::Whole(n.into()),
            Number::Unsigned(n) => Self::Whole(n.into()),
            Number::Single(x) => Self::Real(x.into()),
            Number::Double(x) => Self::Real(x),
            Number::ComplexSingle(z) => Self::Complex(Complex::new(z.re.into(), z.im.into())),
            Number::ComplexDouble(z) => Self::Complex(z),
            other => panic!("a new kind: {other:?}"),
        }
    }
}

macro_rules! wide {
    ($($t:ty => $as:expr),+ $(,)?) => {$(
        impl From<$t> for Wide {
            fn from(x: $t) -> Self {
                $as(x.into())
            }
        }
    )+};
}
wide!(u8 => Self::Whole, i64 => Self::Whole, f32 => Self::Real, f64 => Self::Real);

impl From<Complex<f32>> for Wide {
    fn from(z: Complex<f32>) -> Self {
        Self::Complex(Complex::new(z.re.into(), z.im.into()))
    }
}

#[test]
fn planes_are_those_of_ndarray() {
    let mut rng = Rng::of_this_run();
    planes(&mut rng, |i| (i % 251) as u8);
    planes(&mut rng, |i| i64::MAX - i as i64);
    planes(&mut rng, |i| i as f32 * 0.1);
    planes(&mut rng, |i| i as f64 * 0.1);
    planes(&mut rng, |i| Complex::new(i as f32, -1.0));
}

#[test]
fn large_planes_are_read_in_pieces() {
    let dir = scratch();
    for fortran in [false, true] {
        // Longer than a piece along either axis, and with elements far apart.
        let a = ndarray::Array2::from_shape_fn((20, 70_000).set_f(fortran), |(i, j)| {
            (i * 7 + j) as u16
        });
        let path = dir.path().join("a.npy");
        SharedArray::from_array(&a).unwrap().save(&path).unwrap();
        let file = SegmentFile::open(&path).unwrap();
        for picks in [
            vec![],
            vec![Pick::Range { start: Some(1), end: None, step: 7 }],
            vec![Pick::ALL, Pick::At(69_999)],
        ] {
            let plane = file.plane(&picks).unwrap();
            let mut sum = 0.0;
            plane
                .for_each(|row, col, x| {
                    let (i, j) =
                        if picks.len() == 2 { (col, 69_999) } else { plane.indices(row, col) };
                    assert_eq!(x, f64::from(a[[i, j]]));
                    sum += x;
                })
                .unwrap();
            assert!(sum > 0.0);
        }
    }
}

#[test]
fn the_whole_is_had_or_not() {
    let dir = scratch();
    let options = SharedArray1::<f64>::options().dir(dir.path());
    let a = options.clone().name("a").zeros(10).unwrap();
    let file = SegmentFile::open(a.path().unwrap()).unwrap();
    // The same thread is not waited for.
    let mine = a.claim_mut(..3).unwrap();
    let refused = file.whole(SOON, |_| ()).unwrap_err();
    one_line(&refused, &["rows 0..3"]);
    drop(mine);
    file.whole(SOON, |poisoned| assert!(poisoned.is_empty())).unwrap();
    ndshm_testkit::panic_holding(|| a.claim_mut(4..6));
    let rows = file.whole(SOON, |poisoned| poisoned[0].row_range()).unwrap();
    assert_eq!(rows, 4..6);

    // Another has taken the name since.
    assert!(a.unlink().unwrap());
    let b = options.name("a").zeros(10).unwrap();
    let replaced = file.whole(SOON, |_| ()).unwrap_err();
    assert!(matches!(replaced, WholeError::Open(OpenError::Replaced { .. })), "{replaced}");
    drop(b);
    let gone = file.whole(SOON, |_| ()).unwrap_err();
    one_line(&gone, &["no such segment"]);
    let npy = dir.path().join("a.npy");
    SharedArray1::<u8>::zeros(3).unwrap().save(&npy).unwrap();
    let none = SegmentFile::open(&npy).unwrap().whole(SOON, |_| ()).unwrap_err();
    one_line(&none, &["a.npy", "an .npy file"]);
}

#[test]
fn every_type_is_loaded_and_saved() {
    let dir = scratch();
    let options = SharedBuffer::options().dir(dir.path()).persist(true);
    for dtype in Dtype::ALL {
        let name = dtype.name();
        let path = dir.path().join(format!("{name}.npy"));
        let header = ndshm_array::npy::NpyHeader {
            dtype: dtype.clone(),
            order: ndshm_array::npy::Order::F,
            shape: vec![3, 0, 2][..if name == "int8" { 3 } else { 1 }].to_vec(),
        };
        let bytes: Vec<u8> = (0..header.data_bytes().unwrap()).map(|i| i as u8).collect();
        ndshm_array::npy::write_npy(&path, &header, &bytes).unwrap();
        let mut reports = Vec::new();
        load(&mut NpyFile::open(&path).unwrap(), name, &options, |done| reports.push(done))
            .unwrap();
        assert_eq!(reports.last().copied().unwrap_or(0), bytes.len() as u64);
        let file = SegmentFile::open(dir.path().join(format!("ndshm.{name}"))).unwrap();
        let back = dir.path().join("back.npy");
        file.whole(SOON, |_| file.save(&back, |_| ())).unwrap().unwrap();
        assert_eq!(fs::read(&path).unwrap(), fs::read(&back).unwrap(), "{name}");

        let taken = load(&mut NpyFile::open(&path).unwrap(), name, &options, |_| ()).unwrap_err();
        let LoadError::Create(CreateError::Buffer(taken)) = taken else { panic!("{taken}") };
        one_line(&taken, &["taken"]);
    }
    // A file that becomes shorter while it is read leaves nothing.
    let path = dir.path().join("float64.npy");
    let mut file = NpyFile::open(&path).unwrap();
    File::options().write(true).open(&path).unwrap().set_len(4100).unwrap();
    one_line(&load(&mut file, "cut", &options, |_| ()).unwrap_err(), &["float64.npy", "shorter"]);
    assert!(!dir.path().join("ndshm.cut").exists());
}

#[test]
fn a_large_copy_is_told_of_as_it_goes() {
    let dir = scratch();
    let a = SharedArrayD::<f64>::options()
        .dir(dir.path())
        .name("a")
        .zeros(IxDyn(&[1_500_000]))
        .unwrap();
    let file = SegmentFile::open(a.path().unwrap()).unwrap();
    let mut reports = Vec::new();
    file.save(dir.path().join("a.npy"), |done| reports.push(done)).unwrap();
    assert_eq!(reports, [4 << 20, 8 << 20, 12_000_000]);
}

#[test]
fn other_tables_of_members_are_refused() {
    let dir = scratch();
    let a = SharedArray1::<f64>::options().dir(dir.path()).name("a").zeros(10).unwrap();
    let copy = dir.path().join("ndshm.copy");
    fs::copy(a.path().unwrap(), &copy).unwrap();
    let file = File::options().write(true).open(&copy).unwrap();
    file.write_all_at(b"ndsync\x01\x01", 8192).unwrap(); // of the portable backend
    let refused = SegmentFile::open(&copy).unwrap().report().unwrap_err();
    one_line(&refused, &["ndshm.copy", "table of members"]);
}

#[test]
fn what_is_no_array_or_less_than_one_is_told() {
    let dir = scratch();
    let path = dir.path().join("file");
    let opened = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        SegmentFile::open(&path)
    };
    // Too short for a mark at either end, and then for one alone.
    for bytes in [&b""[..], b"\x93NUM", &[7; 5000]] {
        let file = opened(bytes).unwrap();
        assert_eq!((file.contents(), file.len()), (&Contents::Raw, bytes.len() as u64));
        assert!(matches!(file.plane(&[]), Err(PickError::NoArray(_))));
        let error = file.save(dir.path().join("saved"), |_| ()).unwrap_err();
        assert!(matches!(error, SaveError::NoArray { .. }), "{error}");
        one_line(&error, &["raw bytes"]);
    }
    let header = |len| NpyHeader { dtype: Dtype::F64, order: Order::C, shape: vec![len] };
    let ten = header(10).encode().unwrap();
    let error = opened(&[&ten[..], &[0; 79]].concat()).unwrap_err();
    let (needed, found) = (ten.len() as u64 + 80, ten.len() as u64 + 79);
    assert!(
        matches!(error, InspectError::Truncated { needed: n, found: f, .. } if (n, f) == (needed, found)),
        "{error}"
    );
    assert_eq!(opened(&[&ten[..], &[0; 80]].concat()).unwrap().plane(&[]).unwrap().cols(), 10);

    // A segment whose header somebody has made larger than it.
    let a = SharedArray1::<f64>::options().dir(dir.path()).name("a").zeros(10).unwrap();
    let file = fs::OpenOptions::new().write(true).open(a.path().unwrap()).unwrap();
    file.write_all_at(&header(1_000_000).encode().unwrap(), 0).unwrap();
    let error = SegmentFile::open(a.path().unwrap()).unwrap_err();
    one_line(&error, &["its NPY header speaks of more data than there is"]);
}

#[test]
fn picks_that_are_none_are_told() {
    let dir = scratch();
    let path = dir.path().join("a.npy");
    SharedArray2::<f32>::zeros((3, 4)).unwrap().save(&path).unwrap();
    let file = SegmentFile::open(&path).unwrap();
    let refused = |picks: &[Pick]| file.plane(picks).unwrap_err();
    assert!(matches!(refused(&[Pick::ALL; 3]), PickError::TooMany { given: 3, ndim: 2 }));
    let still = Pick::Range { start: None, end: None, step: 0 };
    assert!(matches!(refused(&[Pick::At(0), still]), PickError::Step { axis: 1 }));
    assert!(matches!(refused(&[Pick::At(3)]), PickError::OutOfBounds { axis: 0, .. }));
}
