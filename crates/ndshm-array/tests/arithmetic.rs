//! Whatever ndarray does with an array it does with what a guard lends: in shared memory, without a copy, and seen by
//! whoever has the array.

use std::error::Error;

use ndarray::parallel::prelude::*;
use ndarray::{Array1, Array2, ArrayRef2, Axis, Zip, arr1, arr2, azip, s};
use ndshm_array::{SharedArray, SharedArray1, SharedArray2};

type Test = Result<(), Box<dyn Error>>;

/// A matrix of numbers that are all different, and a second handle to it, as another process has one.
fn matrix() -> (Array2<f64>, SharedArray2<f64>, SharedArray2<f64>) {
    let private = Array2::from_shape_fn((6, 4), |(i, j)| 10.0 * i as f64 + j as f64);
    let a = SharedArray::from_array(&private).unwrap();
    // SAFETY: both are of this process, and take claims.
    let other = unsafe { a.handle().open() }.unwrap();
    (private, a, other)
}

/// Has `change` change the array, and the same private one; what comes of it is the same, at the same place.
fn changes(change: impl Fn(&mut ArrayRef2<f64>)) {
    let (mut private, a, other) = matrix();
    let place = a.read().unwrap().as_ptr();
    {
        let mut guard = a.write().unwrap();
        assert_eq!(guard.as_ptr(), place);
        change(&mut guard);
        assert_eq!(guard.as_ptr(), place);
    }
    change(&mut private);
    assert_eq!(*other.read().unwrap(), private);
    // A part is changed as such a part is, and nothing else.
    let (mut private, a, other) = matrix();
    change(&mut a.claim_mut(s![1..;2, 1..3]).unwrap());
    change(&mut private.slice_mut(s![1..;2, 1..3]));
    assert_eq!(*other.read().unwrap(), private);
}

#[test]
fn what_is_done_in_place_is_done_in_shared_memory() {
    changes(|a| *a += 1.5);
    changes(|a| *a *= 2.0);
    changes(|a| *a -= &*a.to_owned());
    changes(|a| *a /= &*arr1(&[2.0]));
    changes(|a| a.fill(0.5));
    changes(|a| a.assign(&(1.0 * &*a)));
    changes(|a| a.map_inplace(|x| *x = x.sqrt()));
    changes(|a| a.mapv_inplace(|x| -x));
    changes(|a| a.indexed_iter_mut().for_each(|((i, j), x)| *x += (i * j) as f64));
    changes(|a| {
        let b = a.to_owned();
        a.zip_mut_with(&b, |x, y| *x += 3.0 * y);
    });
    changes(|a| {
        let b = a.to_owned();
        Zip::from(a).and(&b).for_each(|x, y| *x = y * y);
    });
    changes(|a| {
        let b = a.to_owned();
        azip!((x in a, &y in &b) *x = y - 1.0);
    });
    changes(|a| a.row_mut(1).fill(7.0));
    changes(|a| a.slice_mut(s![.., ..;-1]).swap((0, 0), (1, 1)));
    changes(|a| a.scaled_add(0.5, &a.to_owned()));
    changes(|a| a.axis_iter_mut(Axis(0)).for_each(|mut row| row += 1.0));
    changes(|a| a.accumulate_axis_inplace(Axis(1), |before, x| *x += before));
}

#[test]
fn threads_of_rayon_work_on_what_a_guard_lends() -> Test {
    changes(|a| a.view_mut().into_par_iter().for_each(|x| *x += 1.0));
    changes(|a| a.axis_iter_mut(Axis(0)).into_par_iter().for_each(|mut row| row.fill(2.0)));
    changes(|a| {
        let b = a.to_owned();
        Zip::from(a).and(&b).par_for_each(|x, y| *x = y + 0.5);
    });
    let a = SharedArray2::<f64>::ones((300, 200))?;
    let read = a.read()?;
    let sum: f64 = read.axis_iter(Axis(0)).into_par_iter().map(|row| row.sum()).sum();
    assert_eq!(sum, 60_000.0);
    Ok(())
}

#[test]
fn guards_go_where_ndarray_goes() -> Test {
    fn total(a: &ArrayRef2<f64>) -> f64 {
        a.sum()
    }
    let (private, a, b) = matrix();
    let (a, b) = (a.read()?, b.read()?);
    assert_eq!((total(&a), a.mean()), (private.sum(), private.mean()));
    assert_eq!(a.dot(&b.t()), private.dot(&private.t()));
    assert_eq!(a.t().dot(&*b), private.t().dot(&private));
    let v = SharedArray1::from_iter([1.0, -1.0, 2.0, 0.5])?;
    assert_eq!(a.dot(&v.read()?), private.dot(&arr1(&[1.0, -1.0, 2.0, 0.5])));
    assert_eq!(a.sum_axis(Axis(0)), private.sum_axis(Axis(0)));
    assert_eq!(a.mapv(f64::sin), private.mapv(f64::sin));
    assert_eq!(&a + &b, 2.0 * &private);
    let stacked = ndarray::concatenate![Axis(0), a.view(), b.view()];
    assert_eq!(stacked.dim(), (12, 4));
    Ok(())
}

#[test]
fn the_result_goes_straight_to_shared_memory() -> Test {
    let (private, a, _) = matrix();
    let product = SharedArray2::<f64>::zeros((6, 6))?;
    let a = a.read()?;
    ndarray::linalg::general_mat_mul(2.0, &a.view(), &a.t(), 0.0, &mut product.write()?.view_mut());
    assert_eq!(*product.read()?, 2.0 * private.dot(&private.t()));
    // An operand may be the array that is written, once it was read.
    let sum = &product.read()? + 1.0;
    product.write()?.assign(&sum);
    assert_eq!(product.read()?[[0, 0]], 2.0 * private.row(0).dot(&private.row(0)) + 1.0);
    Ok(())
}

#[test]
fn a_private_copy_is_apart() -> Test {
    let (private, a, _) = matrix();
    let mut copy: Array2<f64> = a.to_owned()?;
    assert_eq!(copy, private);
    copy += 1.0;
    assert_eq!(*a.read()?, private);
    // One that a writer died over comes back all the same, inside of the error.
    ndshm_testkit::panic_holding(|| a.claim_mut(2..3));
    let error = a.to_owned().unwrap_err();
    assert_eq!(error.into_guard(), Some(private));
    Ok(())
}

#[test]
fn an_array_is_made_as_ndarray_makes_it() -> Test {
    let f = |(i, j): (usize, usize)| (3 * i + j) as i32;
    assert_eq!(
        SharedArray2::from_shape_fn((4, 3), f)?.to_owned()?,
        Array2::from_shape_fn((4, 3), f)
    );
    assert_eq!(SharedArray2::<i32>::ones((4, 3))?.to_owned()?, Array2::ones((4, 3)));
    assert_eq!(SharedArray1::from_iter(0..9)?.to_owned()?, Array1::from_iter(0..9));
    assert_eq!(SharedArray1::from_iter(std::iter::empty::<f64>())?.len(), 0);
    assert_eq!(SharedArray2::from_elem((2, 2), 7_u8)?.to_owned()?, arr2(&[[7; 2]; 2]));
    // One whose maker panics leaves nothing, and no name.
    let dir = tempfile::tempdir()?;
    let options = SharedArray2::<i32>::options().dir(dir.path()).name("made");
    let made = std::panic::catch_unwind(|| options.from_shape_fn((4, 3), |_| panic!("as told")));
    assert!(made.is_err());
    assert_eq!(std::fs::read_dir(dir.path())?.count(), 0);
    assert_eq!(options.from_shape_fn((4, 3), f)?.read()?[[3, 2]], 11);
    Ok(())
}
