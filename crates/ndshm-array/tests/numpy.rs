//! Live arrays and NumPy: every element type, in every order, with up to seven axes.

mod common;

use std::error::Error;
use std::fmt::{Debug, Write as _};
use std::path::Path;

use common::{Name, numpy, python};
use half::f16;
use ndarray::{Dimension, Ix0, Ix1, Ix2, Ix3, Ix4, Ix5, Ix6, IxDyn, ShapeBuilder};
use ndshm_array::{Bool8, Element, SharedArray, SharedArray1, SharedArray2, SharedArrayD};
use num_complex::Complex;

type Test = Result<(), Box<dyn Error>>;

/// An element from small whole numbers, the same here as there.
trait Numbered: Element + PartialEq + Debug {
    /// What NumPy calls the type.
    const NUMPY: &'static str;
    /// `k` are the whole numbers, `d` is the dtype: the elements of them in `e`, and in `w` what NumPy makes of these.
    const SCRIPT: &'static str = "e = k.astype(d)\nw = e + np.asarray(1, d)\n";

    fn of(n: i64) -> Self;

    /// What is to be found there once NumPy has written.
    fn written(n: i64) -> Self {
        Self::of(n + 1)
    }
}

macro_rules! numbered {
    ($($t:ty, $name:literal;)+) => {$(
        impl Numbered for $t {
            const NUMPY: &'static str = concat!("'", $name, "'");

            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small")]
            #[allow(clippy::cast_precision_loss, clippy::cast_lossless, reason = "small")]
            fn of(n: i64) -> Self {
                n as $t
            }
        }
    )+};
}

numbered! {
    i8, "int8"; i16, "int16"; i32, "int32"; i64, "int64";
    u8, "uint8"; u16, "uint16"; u32, "uint32"; u64, "uint64";
    f32, "float32"; f64, "float64";
}

impl Numbered for f16 {
    const NUMPY: &'static str = "'float16'";

    fn of(n: i64) -> Self {
        f16::from_f64(f64::of(n))
    }
}

macro_rules! complex {
    ($($t:ty, $name:literal;)+) => {$(
        impl Numbered for Complex<$t> {
            const NUMPY: &'static str = concat!("'", $name, "'");
            const SCRIPT: &'static str = "e = (k * (1 - 1j)).astype(d)\nw = e + np.asarray(1, d)\n";

            fn of(n: i64) -> Self {
                Self::new(<$t>::of(n), <$t>::of(-n))
            }

            fn written(n: i64) -> Self {
                Self::of(n) + 1.0
            }
        }
    )+};
}

complex! { f32, "complex64"; f64, "complex128"; }

impl Numbered for Bool8 {
    const NUMPY: &'static str = "'bool'";
    const SCRIPT: &'static str = "e = k % 3 == 0\nw = ~e\n";

    fn of(n: i64) -> Self {
        (n % 3 == 0).into()
    }

    fn written(n: i64) -> Self {
        !Self::of(n)
    }
}

impl Numbered for [f32; 3] {
    const NUMPY: &'static str = "[('f0', '<f4', (3,))]";
    const SCRIPT: &'static str = "
e = np.zeros(k.shape, d)
e['f0'] = k[:, None] + [0, 0.25, 0.5]
w = e.copy()
w['f0'] += 1
";

    fn of(n: i64) -> Self {
        [0.0, 0.25, 0.5].map(|x| f32::of(n) + x)
    }
}

impl Numbered for [[i16; 2]; 3] {
    const NUMPY: &'static str = "[('f0', '<i2', (3, 2))]";
    const SCRIPT: &'static str = "
e = np.zeros(k.shape, d)
e['f0'] = k[:, None, None] + [[0, 1], [2, 3], [4, 5]]
w = e.copy()
w['f0'] += 1
";

    fn of(n: i64) -> Self {
        [0, 2, 4].map(|i| [i16::of(n + i), i16::of(n + i + 1)])
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Element)]
#[repr(C)]
struct Inner {
    a: i8,
    b: u8,
    c: f16,
}

#[derive(Clone, Copy, Debug, Element)]
#[repr(C)]
struct Record {
    time: f64,
    position: [f32; 3],
    r#type: i16,
    good: Bool8,
    #[element(padding)]
    _gap: [u8; 1],
    inner: [Inner; 2],
    z: Complex<f64>,
    matrix: [[u8; 2]; 4],
}

/// But for the padding, into which NumPy writes whatever it had there.
impl PartialEq for Record {
    fn eq(&self, other: &Self) -> bool {
        let compared = |r: &Self| {
            let Self { time, position, r#type, good, _gap, inner, z, matrix } = *r;
            (time, position, r#type, good, inner, z, matrix)
        };
        compared(self) == compared(other)
    }
}

impl Numbered for Record {
    const NUMPY: &'static str = "{'names': ['time', 'position', 'type', 'good', 'inner', 'z', 'matrix'],
    'formats': ['<f8', ('<f4', (3,)), '<i2', '|b1', ([('a', 'i1'), ('b', 'u1'), ('c', '<f2')], (2,)), '<c16', ('u1', (4, 2))],
    'offsets': [0, 8, 20, 22, 24, 32, 48], 'itemsize': 56}";
    const SCRIPT: &'static str = "
def make(k):
    e = np.zeros(k.shape, d)
    e['time'], e['type'], e['good'], e['z'] = k * 0.5, -k, k % 2 == 0, k * (1 - 1j)
    e['position'] = k[:, None] + [0, 0.25, 0.5]
    e['inner']['a'], e['inner']['b'] = k[:, None], k[:, None] + [1, 2]
    e['inner']['c'] = k[:, None] * [0.25, 0.75]
    e['matrix'] = k[:, None, None]
    return e
e, w = make(k), make(k + 1)
";

    fn of(n: i64) -> Self {
        let inner = |i: i64| Inner {
            a: i8::of(n),
            b: u8::of(n + 1 + i),
            c: f16::from_f64(f64::of(n) * (0.25 + 0.5 * f64::of(i))),
        };
        Self {
            time: f64::of(n) * 0.5,
            position: <[f32; 3]>::of(n),
            r#type: i16::of(-n),
            good: (n % 2 == 0).into(),
            _gap: [0],
            inner: [inner(0), inner(1)],
            z: Complex::of(n),
            matrix: [[u8::of(n); 2]; 4],
        }
    }
}

/// One of each number of axes, and more of some.
const SHAPES: [&[usize]; 10] = [
    &[],
    &[5],
    &[3, 4],
    &[4, 1],
    &[1, 4],
    &[2, 3, 4],
    &[2, 1, 3, 2],
    &[2, 1, 2, 1, 3],
    &[2, 1, 2, 2, 1, 2],
    &[2, 1, 2, 2, 1, 2, 2],
];

/// The array of that name, with as many dimensions as it has and as a type of that many.
fn opened<T: Numbered>(name: &str, dim: usize) -> Vec<SharedArrayD<T>> {
    // SAFETY: NumPy has ended; nobody writes any more.
    let dynamic = unsafe { SharedArrayD::<T>::open(name) }.unwrap();
    fn fixed<T: Numbered, D: Dimension>(name: &str, dynamic: &SharedArrayD<T>) {
        // SAFETY: as above.
        let a = unsafe { SharedArray::<T, D>::open(name) }.unwrap();
        assert_eq!((a.shape(), a.order()), (dynamic.shape(), dynamic.order()));
        assert!(a.read().unwrap().iter().eq(dynamic.read().unwrap().iter()));
    }
    match dim {
        0 => fixed::<T, Ix0>(name, &dynamic),
        1 => fixed::<T, Ix1>(name, &dynamic),
        2 => fixed::<T, Ix2>(name, &dynamic),
        3 => fixed::<T, Ix3>(name, &dynamic),
        4 => fixed::<T, Ix4>(name, &dynamic),
        5 => fixed::<T, Ix5>(name, &dynamic),
        6 => fixed::<T, Ix6>(name, &dynamic),
        _ => {}
    }
    vec![dynamic]
}

/// Arrays of that type, in all shapes and orders, read and written by NumPy while they are open here; and files that NumPy
/// saves of the same. How many they were.
fn check<T: Numbered>(numpy: &str, dir: &Path) -> usize {
    let mut script = format!("import numpy as np\nd = np.dtype({})\n", T::NUMPY);
    let mut arrays = Vec::new();
    for (i, shape) in SHAPES.into_iter().enumerate() {
        for f_order in [false, true] {
            let name = Name::new("numpy");
            let options = SharedArrayD::<T>::options().name(&*name);
            let mut n = -1;
            // In the order of the indices, whatever that of the memory.
            let a = options.from_shape_fn(IxDyn(shape).set_f(f_order), |_| {
                n += 1;
                T::of(n)
            });
            let tuple: String = shape.iter().map(|axis| format!("{axis},")).collect();
            write!(
                script,
                "k = np.arange({n} + 1)\n{make}\
                 e, w = e.reshape(({tuple})), w.reshape(({tuple}))\n\
                 for mode in [None, 'r', 'c']:\n    \
                     a = np.load('{path}', mmap_mode=mode)\n    \
                     assert a.dtype == d and a.shape == e.shape, (a.dtype, a.shape)\n    \
                     assert np.array_equal(a, e), (a, e)\n    \
                     assert a.ndim < 2 or 1 in a.shape or a.flags.f_contiguous == {f}, a.flags\n\
                 np.load('{path}', mmap_mode='r+')[...] = w\n\
                 np.save('{dir}/{i}{f}.npy', np.array(w, order='{order}'))\n",
                make = T::SCRIPT,
                path = name.file().display(),
                dir = dir.display(),
                f = if f_order { "True" } else { "False" },
                order = if f_order { 'F' } else { 'C' },
            )
            .unwrap();
            arrays.push((
                a.unwrap(),
                name,
                dir.join(format!("{i}{}.npy", if f_order { "True" } else { "False" })),
            ));
        }
    }
    python::<&str>(numpy, &script, &[]);
    // What NumPy wrote is seen by who had it open, and by who opens it now; and so is what it saved.
    let count = arrays.len();
    for (a, name, saved) in arrays {
        let mut seen = opened::<T>(&name, a.ndim());
        seen.push(SharedArrayD::load(saved).unwrap());
        seen.push(a);
        for a in seen {
            let read = a.read().unwrap();
            for (n, x) in (0_i64..).zip(read.iter()) {
                assert_eq!(*x, T::written(n), "{} {:?}", T::DTYPE, a.shape());
            }
        }
        assert!(!name.file().exists(), "NumPy does not keep names");
    }
    count
}

macro_rules! every_type {
    ($($name:ident: $t:ty;)+) => {$(
        #[test]
        fn $name() -> Test {
            let Some(numpy) = numpy() else { return Ok(()) };
            let dir = tempfile::tempdir()?;
            let count = check::<$t>(numpy, dir.path());
            println!("NumPy read and wrote {count} live arrays of {}", <$t>::DTYPE);
            Ok(())
        }
    )+};
}

every_type! {
    live_bool: Bool8;
    live_int8: i8;
    live_int16: i16;
    live_int32: i32;
    live_int64: i64;
    live_uint8: u8;
    live_uint16: u16;
    live_uint32: u32;
    live_uint64: u64;
    live_float16: f16;
    live_float32: f32;
    live_float64: f64;
    live_complex64: Complex<f32>;
    live_complex128: Complex<f64>;
    live_arrays: [f32; 3];
    live_matrices: [[i16; 2]; 3];
    live_structs: Record;
}

/// What another process may write into a byte that is to be true or false.
#[test]
fn a_two_is_true_on_both_sides() -> Test {
    let Some(numpy) = numpy() else { return Ok(()) };
    let name = Name::new("two");
    let a = SharedArray1::<Bool8>::options().name(&*name).zeros(4)?;
    let script = "
import sys, numpy as np
a = np.load(sys.argv[1], mmap_mode='r+')
a.view('u1')[:] = [0, 1, 2, 255]
assert a.tolist() == [False, True, True, True] and a.sum() == 3 and (a == True).sum() == 3";
    python(numpy, script, &[name.file()]);
    assert_eq!(a.read()?.to_vec(), [false, true, true, true]);
    // Whatever is made of it here is 0 or 1; what is copied is as it was.
    let twice = SharedArray1::from_array(&a.read()?.mapv(|x| !!x))?;
    assert_eq!(bytemuck::cast_slice::<_, u8>(&twice.read()?.to_vec()), [0, 1, 1, 1]);
    assert_eq!(bytemuck::cast_slice::<_, u8>(&a.to_owned()?.to_vec()), [0, 1, 2, 255]);
    Ok(())
}

/// NumPy's own layout of the same struct, with the padding that a compiler puts.
#[test]
fn aligned_dtypes_have_the_padding_of_structs() -> Test {
    #[derive(Clone, Copy, Element)]
    #[repr(C)]
    struct Aligned {
        a: u8,
        #[element(padding)]
        _behind_a: [u8; 7],
        b: f64,
        c: i16,
        #[element(padding)]
        _behind_c: [u8; 6],
    }
    let Some(numpy) = numpy() else { return Ok(()) };
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("aligned.npy");
    let script = "
import sys, numpy as np
a = np.zeros(5, np.dtype([('a', 'u1'), ('b', 'f8'), ('c', 'i2')], align=True))
a['a'], a['b'], a['c'] = 1, 0.5, -3
np.save(sys.argv[1], a)";
    python(numpy, script, &[&path]);
    let a = SharedArray1::<Aligned>::load(&path)?;
    let fields: Vec<_> = a.read()?.iter().map(|r| (r.a, r.b, r.c)).collect();
    assert_eq!(fields, [(1, 0.5, -3); 5]);
    Ok(())
}

fn empty<T: Numbered>(numpy: &str, shape: &[usize], f_order: bool) {
    let name = Name::new("empty");
    let options = SharedArrayD::<T>::options().name(&*name);
    let a = options.zeros(IxDyn(shape).set_f(f_order)).unwrap();
    // Nothing cannot be mapped, but it can be read.
    let script =
        "import sys, numpy as np; a = np.load(sys.argv[1]); print(list(a.shape), a.dtype.itemsize)";
    let shown = python(numpy, script, &[name.file()]);
    assert_eq!(shown, format!("{shape:?} {}", size_of::<T>()));
    assert_eq!(opened::<T>(&name, a.ndim())[0].len(), 0);
    a.write().unwrap().fill(T::of(1));
    assert_eq!(a.read().unwrap().iter().count(), 0);
}

#[test]
fn numpy_reads_what_is_empty() -> Test {
    let Some(numpy) = numpy() else { return Ok(()) };
    for shape in [&[0][..], &[0, 3], &[3, 0], &[2, 0, 2], &[1, 2, 0, 1, 0, 2]] {
        for f_order in [false, true] {
            empty::<f32>(numpy, shape, f_order);
            empty::<Record>(numpy, shape, f_order);
        }
    }
    Ok(())
}

#[test]
fn files_go_both_ways() -> Test {
    let Some(numpy) = numpy() else { return Ok(()) };
    let dir = tempfile::tempdir()?;
    let (ours, theirs) = (dir.path().join("ours.npy"), dir.path().join("theirs.npy"));
    for f_order in [false, true] {
        let a = SharedArray2::<f64>::zeros((30, 7).set_f(f_order))?;
        a.write()?.fill_with_index(|(i, j)| i as f64 - 0.25 * j as f64);
        a.save(&ours)?;
        let script = "
import sys, numpy as np
a = np.load(sys.argv[1])
assert a.flags.f_contiguous == (sys.argv[3] == 'true'), a.flags
assert np.array_equal(a, np.fromfunction(lambda i, j: i - 0.25 * j, (30, 7)))
np.save(sys.argv[2], -a)";
        python(numpy, script, &[&ours, &theirs, &f_order.to_string().into()]);
        let b = SharedArray2::<f64>::load(&theirs)?;
        assert_eq!(b.order(), a.order());
        assert_eq!(*b.read()?, -&a.read()?);
        // The file of a live array is as good as a saved one.
        let name = Name::new("both");
        let c = SharedArray2::<f64>::options().name(&*name).load(&theirs)?;
        assert_eq!(*SharedArray2::<f64>::load(c.path().unwrap())?.read()?, *b.read()?);
    }
    for dtype in ["int8", "uint16", "int64", "float16", "float32", "float64"] {
        let script =
            "import sys, numpy as np; np.save(sys.argv[1], np.arange(9).astype(sys.argv[2]))";
        python(numpy, script, &[theirs.as_os_str(), dtype.as_ref()]);
        let a = SharedArray1::<f64>::load_as_f64(&theirs)?;
        assert_eq!(a.read()?.to_vec(), (0..9).map(f64::from).collect::<Vec<_>>(), "{dtype}");
    }
    Ok(())
}
