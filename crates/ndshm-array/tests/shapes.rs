//! Shapes, orders and element types: what is made, filled, copied and shown.

mod common;

use std::error::Error;
use std::fmt::Debug;

use common::{Name, one_line};
use half::f16;
use ndarray::{Array, Array2, ArrayRef, Axis, Dimension, Ix2, IxDyn, ShapeBuilder, Slice, arr0, s};
use ndshm_array::npy::Order;
use ndshm_array::{
    ArrayHandle, ArrayOptions, Bool8, ClaimError, CreateError, Element, LoadError, OpenError,
    ReadGuard, SaveError, SharedArray, SharedArray1, SharedArray2, SharedArray3, SharedArray6,
    SharedArrayD, SharedMutex, WriteGuard,
};
use num_complex::Complex;

type Test = Result<(), Box<dyn Error>>;

/// A number for an index, different for each.
fn number(index: &[usize]) -> u64 {
    index.iter().fold(7, |n, &i| n * 11 + i as u64)
}

fn fill<D>(dim: D)
where
    D: Dimension,
    D::Pattern: ndarray::IntoDimension<Dim = D>,
{
    use ndarray::IntoDimension;
    for f_order in [false, true] {
        let what = format!("{dim:?}, Fortran order: {f_order}");
        let a = SharedArray::<u64, D>::zeros(dim.clone().set_f(f_order)).unwrap();
        let expected = Array::from_shape_fn(dim.clone(), |i| number(i.into_dimension().slice()));
        let f = |i: D::Pattern| number(i.into_dimension().slice());
        let same = |view: &ArrayRef<u64, D>, expected: &ArrayRef<u64, D>| {
            assert_eq!(view.shape(), expected.shape(), "{what}");
            assert!(view.iter().eq(expected.iter()), "{what}: {view:?}, not {expected:?}");
        };
        a.write().unwrap().fill_with_index(f);
        same(&a.read().unwrap(), &expected);
        // By parts of rows, from the last to the first, and single rows.
        a.write().unwrap().fill(0);
        let n = a.nrows();
        for rows in [n - n / 3..n, n / 2..n - n / 3, 0..n / 2] {
            for rows in [rows.clone(), rows.start..rows.start, rows.start..rows.end] {
                a.claim_mut(rows).unwrap().fill_with_index(f);
            }
        }
        same(&a.read().unwrap(), &expected);
        if dim.ndim() > 0 && n > 2 {
            a.write().unwrap().fill(0);
            a.claim_mut(1..2).unwrap().fill_with_index(f);
            let mut one = expected.clone();
            one.slice_axis_mut(Axis(0), Slice::from(..1)).fill(0);
            one.slice_axis_mut(Axis(0), Slice::from(2..)).fill(0);
            same(&a.read().unwrap(), &one);
        }
    }
}

#[test]
fn filling_gives_indices_of_the_whole_array() {
    fill(ndarray::Dim(()));
    fill(ndarray::Dim(9));
    fill(ndarray::Dim(1));
    for shape in [[7, 5], [7, 1], [1, 7], [3, 10]] {
        fill(ndarray::Dim(shape));
    }
    for shape in [[5, 3, 4], [5, 1, 4], [1, 3, 1], [3, 1, 1]] {
        fill(ndarray::Dim(shape));
    }
    fill(ndarray::Dim([4, 2, 3, 2]));
    fill(ndarray::Dim([4, 2, 1, 3, 2]));
    fill(ndarray::Dim([3, 2, 1, 3, 2, 2]));
    fill(IxDyn(&[]));
    fill(IxDyn(&[6]));
    fill(IxDyn(&[4, 3]));
    fill(IxDyn(&[3, 2, 2, 1, 2, 1, 2]));
    // Where there is nothing, nothing is asked for.
    for shape in [[0, 3], [3, 0], [0, 0]] {
        let a = SharedArray2::<u8>::zeros(shape).unwrap();
        a.write().unwrap().fill_with_index(|_| unreachable!());
        assert!(a.is_empty() && a.read().unwrap().is_empty());
    }
    let a = SharedArray3::<u8>::zeros((2, 0, 3).f()).unwrap();
    a.claim_mut(1..).unwrap().fill_with_index(|_| unreachable!());
}

fn copied<D: Dimension>(view: &ArrayRef<i32, D>, order: Order) {
    let a = SharedArray::from_array(view).unwrap();
    let read = a.read().unwrap();
    assert_eq!(read.shape(), view.shape());
    assert!(read.iter().eq(view.to_owned().iter()), "{read:?} is not {view:?}");
    assert_eq!(a.order(), order, "{view:?}");
    assert!(read.as_slice_memory_order().is_some() || view.is_empty(), "it lies in one piece");
}

#[test]
fn copies_are_equal_and_keep_the_order() {
    use Order::{C, F};
    let c = Array2::from_shape_fn((6, 4), |(i, j)| (10 * i + j) as i32);
    let f = Array2::from_shape_fn((6, 4).f(), |(i, j)| (10 * i + j) as i32);
    assert!(!f.is_standard_layout());
    copied(&c, C);
    copied(&f, F);
    copied(&c.t(), F);
    copied(&f.t(), C);
    copied(&c.slice(s![.., 1..3]), C);
    copied(&c.slice(s![..;2, ..;-1]), C);
    copied(&c.slice(s![1..2, ..]), C);
    copied(&c.column(2), C);
    copied(&c.slice(s![..;-1, 2]), C);
    copied(&c.slice(s![2..2, ..]), C);
    copied(&c.row(0).broadcast((3, 4)).unwrap(), C);
    copied(&arr0(5), C);
    let three = Array::from_shape_fn((3, 4, 5), |(i, j, k)| (100 * i + 10 * j + k) as i32);
    copied(&three, C);
    copied(&three.t(), F);
    copied(&three.view().permuted_axes([1, 0, 2]), C);
    copied(&three.view().permuted_axes([2, 0, 1]).into_dyn(), C);
    copied(&three.view().reversed_axes().into_dyn(), F);
}

#[test]
fn every_element_type_holds_its_values() {
    fn check<T: Element + PartialEq + Debug>(value: T) {
        for shape in [(3, 2).into_shape_with_order(), (3, 2).f()] {
            let a = SharedArray2::<T>::from_elem(shape, value).unwrap();
            assert!(a.read().unwrap().iter().all(|x| *x == value), "{value:?}");
            assert_eq!(a.read().unwrap().len(), 6);
        }
        let zeros = SharedArray1::<T>::zeros(5).unwrap();
        let bytes: Vec<u8> = zeros.read().unwrap().iter().flat_map(bytemuck_bytes).collect();
        assert!(bytes.iter().all(|b| *b == 0));
    }
    fn bytemuck_bytes<T: Element>(x: &T) -> Vec<u8> {
        bytemuck::bytes_of(x).to_vec()
    }
    check(i8::MIN);
    check(i16::MIN);
    check(i32::MIN);
    check(i64::MIN);
    check(u8::MAX);
    check(u16::MAX);
    check(u32::MAX);
    check(u64::MAX);
    check(f32::MIN_POSITIVE);
    check(-f64::INFINITY);
    check(f16::MIN_POSITIVE);
    check(Bool8::TRUE);
    check([[1_u16, 2], [3, 4], [5, u16::MAX]]);
    check(Complex::new(1.5_f32, -2.5));
    check(Complex::new(1e300, f64::EPSILON));
}

#[test]
fn facts_about_an_array() -> Test {
    let a = SharedArray3::<u8>::zeros((2, 3, 4).f())?;
    assert_eq!((a.shape(), a.ndim(), a.len(), a.nrows()), (&[2, 3, 4][..], 3, 24, 2));
    assert_eq!((a.dim(), a.raw_dim(), a.order()), ((2, 3, 4), ndarray::Dim([2, 3, 4]), Order::F));
    assert!(a.name().is_none() && a.path().is_none() && !a.is_empty());
    assert_eq!(SharedArray2::<u8>::zeros((5, 7))?.ncols(), 7);
    assert_eq!(SharedArray6::<u8>::zeros((1, 1, 1, 1, 1, 2))?.dim(), (1, 1, 1, 1, 1, 2));
    assert!(matches!(a.persist(), Err(e) if !e.to_string().contains('\n')));
    assert!(matches!(a.unlink(), Ok(false)));
    let d = SharedArrayD::<u8>::zeros(vec![2, 3])?;
    assert_eq!((d.shape(), d.order()), (&[2, 3][..], Order::C));
    Ok(())
}

#[test]
fn a_clone_is_the_same_memory_and_keeps_it() -> Test {
    let name = Name::new("clone");
    let a = SharedArray2::<f64>::options().name(&*name).zeros((3, 3))?;
    let b = a.clone();
    a.write()?[[1, 1]] = 4.5;
    assert_eq!(b.read()?[[1, 1]], 4.5);
    assert_eq!(a.raw_view().as_ptr(), b.raw_view().as_ptr());
    drop(a);
    assert!(name.file().exists(), "the name goes with the last handle");
    b.write()?.fill(1.0);
    assert_eq!(b.read()?.sum(), 9.0);
    drop(b);
    assert!(!name.file().exists());
    Ok(())
}

#[test]
fn what_is_shown_has_no_elements_in_it() -> Test {
    let name = Name::new("debug");
    let a = SharedArray2::<u64>::options().name(&*name).from_elem((2, 3).f(), 918_273_645)?;
    let shown = format!("{a:?} {a:#?} {:?} {:?}", a.handle(), SharedArray2::<u64>::options());
    let refused = {
        let (_read, _write) = (a.claim(..1)?, a.claim_mut(1..)?);
        format!("{:?} {:?}", a.claim_mut(..), a.claim(..).map_err(|e| e.to_string()))
    };
    assert!(!shown.contains("918273645") && !refused.contains("918273645"), "{shown} {refused}");
    for needle in ["SharedArray", "uint64", "[2, 3]", &*name] {
        assert!(shown.contains(needle), "{needle}: {shown}");
    }
    // Shown while it is claimed: that waits for nobody.
    let guard = a.write()?;
    assert!(format!("{a:?}").contains("uint64"));
    drop(guard);
    Ok(())
}

#[test]
fn what_may_go_to_other_threads_does() {
    fn send_sync<T: Send + Sync>() {}
    fn sync<T: Sync>() {}
    fn plain<E: Error + Send + Sync + 'static>() {}
    send_sync::<SharedArray2<Complex<f64>>>();
    send_sync::<SharedArrayD<u8>>();
    send_sync::<ArrayHandle<f64, Ix2>>();
    send_sync::<ArrayOptions<f64, IxDyn>>();
    send_sync::<SharedMutex<[f64; 3]>>();
    sync::<ReadGuard<'_, f64, Ix2>>();
    sync::<WriteGuard<'_, f64, IxDyn>>();
    plain::<CreateError>();
    plain::<OpenError>();
    plain::<LoadError>();
    plain::<SaveError>();
    plain::<ClaimError<()>>();
}

#[test]
fn what_a_guard_lends_goes_to_scoped_threads() -> Test {
    let a = SharedArray2::<u64>::zeros((8, 50))?;
    let mut guard = a.write()?;
    std::thread::scope(|s| {
        for (i, mut row) in guard.rows_mut().into_iter().enumerate() {
            s.spawn(move || row.fill(i as u64));
        }
    });
    let sums: u64 = std::thread::scope(|s| {
        let guard = &guard;
        let rows: Vec<_> = (0..8).map(|i| s.spawn(move || guard.row(i).sum())).collect();
        rows.into_iter().map(|row| row.join().unwrap()).sum()
    });
    assert_eq!(sums, 28 * 50);
    Ok(())
}

#[test]
fn a_refusal_passes_through_the_question_mark() {
    fn inner(a: &SharedArray1<u8>) -> Test {
        a.claim_mut(3..9)?.fill(1);
        Ok(())
    }
    let a = SharedArray1::<u8>::zeros(4).unwrap();
    one_line(&inner(&a).unwrap_err(), &["axis 0 has no indices 3..9"]);
    let held = a.read().unwrap();
    let e = a.write().unwrap_err();
    assert!(format!("{e:?}").contains("cannot be claimed"));
    assert!(e.into_guard().is_none());
    drop(held);
}
