//! Live arrays and NumPy.

mod common;

use std::error::Error;
use std::fmt::Write as _;

use common::{Name, numpy, python};
use ndarray::{IxDyn, ShapeBuilder};
use ndshm_array::npy::Dtype;
use ndshm_array::{Element, SharedArray1, SharedArray2, SharedArrayD};
use num_complex::Complex;

type Test = Result<(), Box<dyn Error>>;

/// An element from small whole numbers, the same here as there.
trait Numbered: Element {
    fn of(n: i64) -> Self;
}

macro_rules! numbered {
    ($($t:ty),+) => {$(
        impl Numbered for $t {
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small")]
            #[allow(clippy::cast_precision_loss, clippy::cast_lossless, reason = "small")]
            fn of(n: i64) -> Self {
                n as $t
            }
        }
    )+};
}

numbered!(i8, i16, i32, i64, u8, u16, u32, u64, f32, f64);

impl Numbered for Complex<f32> {
    fn of(n: i64) -> Self {
        Self::new(f32::of(n), f32::of(-n))
    }
}

impl Numbered for Complex<f64> {
    fn of(n: i64) -> Self {
        Self::new(f64::of(n), f64::of(-n))
    }
}

const SHAPES: [&[usize]; 7] =
    [&[], &[5], &[3, 4], &[4, 1], &[1, 4], &[2, 3, 4], &[2, 1, 2, 2, 1, 2, 2]];

/// Arrays of that type, in all shapes and orders, and a line of script for each.
struct Live<'a> {
    python: &'a str,
    arrays: usize,
}

impl Live<'_> {
    fn check<T: Numbered + PartialEq + std::fmt::Debug>(&mut self, kept: &mut Vec<Name>) {
        let dtype = T::DTYPE.name();
        let mut script = String::from("import numpy as np\n");
        let mut arrays = Vec::new();
        for shape in SHAPES {
            for f_order in [false, true] {
                let name = Name::new("numpy");
                let options = SharedArrayD::<T>::options().name(&*name);
                let a = options.zeros(IxDyn(shape).set_f(f_order)).unwrap();
                let mut n = 0;
                // In the order of the indices, whatever that of the memory.
                a.write().unwrap().iter_mut().for_each(|x| {
                    *x = T::of(n);
                    n += 1;
                });
                let tuple: String = shape.iter().map(|axis| format!("{axis},")).collect();
                let complex = if T::DTYPE.is_complex() { " * (1 - 1j)" } else { "" };
                write!(
                    script,
                    "a = np.load('{path}', mmap_mode='r')\n\
                     e = (np.arange(max({n}, 1)){complex}).astype('{dtype}').reshape(({tuple}))\n\
                     assert a.dtype == np.dtype('{dtype}') and a.shape == e.shape, (a.dtype, a.shape)\n\
                     assert np.array_equal(a, e), a\n\
                     assert a.ndim < 2 or 1 in a.shape or a.flags.f_contiguous == {f}, a.flags\n\
                     w = np.load('{path}', mmap_mode='r+')\n\
                     w[...] = e[...] + np.asarray(1, dtype='{dtype}')\n\
                     w.flush()\n",
                    path = name.file().display(),
                    f = if f_order { "True" } else { "False" },
                )
                .unwrap();
                arrays.push(a);
                kept.push(name);
            }
        }
        python::<&str>(self.python, &script, &[]);
        // What NumPy wrote is seen by who had it open, and by who opens it now.
        for a in &arrays {
            // SAFETY: NumPy has ended; nobody writes any more.
            let b = unsafe { SharedArrayD::<T>::open(a.name().unwrap()) }.unwrap();
            for a in [a, &b] {
                let read = a.read().unwrap();
                let one = if T::DTYPE.is_complex() { bytemuck_one::<T>() } else { T::of(1) };
                for (n, x) in (0_i64..).zip(read.iter()) {
                    assert_eq!(*x, plus(T::of(n), one), "{dtype} {:?}", a.shape());
                }
            }
            self.arrays += 1;
        }
    }
}

/// 1 without an imaginary part: its first half as bytes.
fn bytemuck_one<T: Numbered>() -> T {
    let mut one = T::of(1);
    let bytes = bytemuck::bytes_of_mut(&mut one);
    let half = bytes.len() / 2;
    bytes[half..].fill(0);
    one
}

/// Their sum, by way of complex numbers where they are such.
fn plus<T: Numbered>(a: T, b: T) -> T {
    let sum = |a: f64, b: f64| a + b;
    match T::DTYPE {
        Dtype::C64 => {
            let (a, b): (Complex<f32>, Complex<f32>) = (bytemuck::cast(a), bytemuck::cast(b));
            bytemuck::cast(a + b)
        }
        Dtype::C128 => {
            let (a, b): (Complex<f64>, Complex<f64>) = (bytemuck::cast(a), bytemuck::cast(b));
            bytemuck::cast(a + b)
        }
        Dtype::F32 => bytemuck::cast::<f32, T>(bytemuck::cast::<T, f32>(a) + 1.0),
        Dtype::F64 => bytemuck::cast::<f64, T>(sum(bytemuck::cast(a), 1.0)),
        // Integers: small ones, so one more in the lowest byte.
        _ => {
            let mut c = a;
            bytemuck::bytes_of_mut(&mut c)[0] += 1;
            c
        }
    }
}

#[test]
fn numpy_maps_live_arrays_of_every_kind() -> Test {
    let Some(python) = numpy() else { return Ok(()) };
    let (mut live, mut kept) = (Live { python, arrays: 0 }, Vec::new());
    live.check::<i8>(&mut kept);
    live.check::<i16>(&mut kept);
    live.check::<i32>(&mut kept);
    live.check::<i64>(&mut kept);
    live.check::<u8>(&mut kept);
    live.check::<u16>(&mut kept);
    live.check::<u32>(&mut kept);
    live.check::<u64>(&mut kept);
    live.check::<f32>(&mut kept);
    live.check::<f64>(&mut kept);
    live.check::<Complex<f32>>(&mut kept);
    live.check::<Complex<f64>>(&mut kept);
    println!("NumPy read and wrote {} live arrays", live.arrays);
    assert!(kept.iter().all(|name| !name.file().exists()), "NumPy does not keep names");
    Ok(())
}

#[test]
fn numpy_reads_what_is_empty() -> Test {
    let Some(numpy) = numpy() else { return Ok(()) };
    for shape in [&[0][..], &[0, 3], &[3, 0], &[2, 0, 2]] {
        for f_order in [false, true] {
            let name = Name::new("empty");
            let options = SharedArrayD::<f32>::options().name(&*name);
            let _a = options.zeros(IxDyn(shape).set_f(f_order))?;
            // Nothing cannot be mapped, but it can be read.
            let script = "import sys, numpy as np; a = np.load(sys.argv[1]); print(list(a.shape))";
            let shown = python(numpy, script, &[name.file()]);
            assert_eq!(shown, format!("{shape:?}"));
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
    for dtype in ["int8", "uint16", "int64", "float32", "float64"] {
        let script =
            "import sys, numpy as np; np.save(sys.argv[1], np.arange(9).astype(sys.argv[2]))";
        python(numpy, script, &[theirs.as_os_str(), dtype.as_ref()]);
        let a = SharedArray1::<f64>::load_as_f64(&theirs)?;
        assert_eq!(a.read()?.to_vec(), (0..9).map(f64::from).collect::<Vec<_>>(), "{dtype}");
    }
    Ok(())
}
