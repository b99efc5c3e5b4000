//! The correlations are right.

use std::path::Path;
use std::process::Command;

use ndshm_testkit::Rng;

use super::files::{matrix, npy, table};
use super::{common, data, run};
use common::{Run, assert_empty, example, has_numpy, names};

const TOLERANCE: f64 = 1e-10;

#[track_caller]
fn assert_close(r: &[Vec<f64>], expected: &[Vec<f64>]) {
    for (i, (row, expected)) in r.iter().zip(expected).enumerate() {
        for (j, (x, y)) in row.iter().zip(expected).enumerate() {
            let same = (x - y).abs() <= TOLERANCE || x.is_nan() && y.is_nan();
            assert!(same, "[{i}, {j}] is {x}, not {y}");
        }
    }
}

fn correlate(file: &Path, columns: usize, workers: usize, dir: &Path) -> Vec<Vec<f64>> {
    let (workers, out) = (workers.to_string(), dir.join("r.npy"));
    let arguments = [&file.to_string_lossy(), "--workers", &*workers, "--out", "r.npy"];
    run(&arguments, dir).exits(0);
    let r = matrix(&out, columns);
    std::fs::remove_file(out).expect("it is there");
    r
}

#[test]
fn the_wine_data_correlate_as_numpy_says() {
    let dir = names();
    let expected = matrix(&data("wine.corr.npy"), 13);
    for workers in [1, 2, 4, 7, 64] {
        assert_close(&correlate(&data("wine.npy"), 13, workers, dir.path()), &expected);
    }
    assert_empty(dir.path());
}

/// Straight from the definition, each sum compensated.
fn reference(columns: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let n = columns[0].len() as f64;
    let centred: Vec<Vec<f64>> = columns.iter().map(|x| centre(x, exact_sum(x) / n)).collect();
    let product =
        |x: &[f64], y: &[f64]| exact_sum(&x.iter().zip(y).map(|(x, y)| x * y).collect::<Vec<_>>());
    let of = |x: &[f64], y: &[f64]| product(x, y) / (product(x, x) * product(y, y)).sqrt();
    centred.iter().map(|x| centred.iter().map(|y| of(x, y)).collect()).collect()
}

fn centre(x: &[f64], mean: f64) -> Vec<f64> {
    x.iter().map(|x| x - mean).collect()
}

/// Neumaier's sum.
fn exact_sum(numbers: &[f64]) -> f64 {
    let (mut sum, mut lost) = (0.0_f64, 0.0);
    for &x in numbers {
        let next = sum + x;
        lost += if sum.abs() >= x.abs() { sum - next + x } else { x - next + sum };
        sum = next;
    }
    sum + lost
}

#[test]
fn every_dtype_in_both_orders() {
    const ROWS: usize = 57;
    const COLUMNS: usize = 5;
    let mut rng = Rng::of_this_run();
    let dir = names();
    let file = dir.path().join("x.npy");
    let mut small = || (rng.next() % 100) as f64;
    let columns: Vec<Vec<f64>> =
        (0..COLUMNS).map(|_| (0..ROWS).map(|_| small()).collect()).collect();
    let expected = reference(&columns);
    for fortran in [false, true] {
        let cells: Vec<f64> = match fortran {
            true => columns.concat(),
            false => (0..ROWS * COLUMNS).map(|k| columns[k % COLUMNS][k / COLUMNS]).collect(),
        };
        macro_rules! check {
            ($($descr:literal $type:ty),*) => {$(
                let bytes: Vec<u8> = cells.iter().flat_map(|&x| (x as $type).to_le_bytes()).collect();
                npy(&file, $descr, fortran, "(57, 5)", &bytes);
                assert_close(&correlate(&file, COLUMNS, 3, dir.path()), &expected);
            )*};
        }
        check!("|i1" i8, "<i2" i16, "<i4" i32, "<i8" i64, "|u1" u8, "<u2" u16, "<u4" u32, "<u8" u64);
        check!("<f4" f32, "<f8" f64);
    }
}

#[test]
fn shapes_from_the_smallest() {
    let dir = names();
    let file = dir.path().join("x.npy");
    let nan = f64::NAN;
    let correlate_rows = |rows: &[&[f64]]| {
        table(&file, rows);
        [1, 2, 5].map(|workers| correlate(&file, rows[0].len(), workers, dir.path()))
    };
    let each = |rows: &[&[f64]], expected: &[Vec<f64>]| {
        for r in correlate_rows(rows) {
            assert_close(&r, expected);
        }
    };
    each(&[&[1.0], &[2.0]], &[vec![1.0]]);
    each(&[&[1.0], &[1.0]], &[vec![nan]]);
    each(&[&[1.0]], &[vec![nan]]);
    each(&[&[1.0, 2.0, 3.0]], &vec![vec![nan; 3]; 3]);
    each(&[&[1.0, 5.0], &[2.0, 3.0]], &[vec![1.0, -1.0], vec![-1.0, 1.0]]);
    // Columns of equal values have no correlation, whether or not their mean is exact.
    let tenths: &[&[f64]] = &[&[0.1, 1.0, 0.0], &[0.1, 2.0, -0.0], &[0.1, 4.0, 0.0]];
    each(tenths, &[vec![nan; 3], vec![nan, 1.0, nan], vec![nan; 3]]);
    // What is not finite spoils its own column.
    let odd: &[&[f64]] = &[&[1.0, 1.0, nan], &[3.0, f64::INFINITY, 1.0], &[4.0, 2.0, 1.0]];
    each(odd, &[vec![1.0, nan, nan], vec![nan; 3], vec![nan; 3]]);
}

#[test]
fn large_offsets_cost_no_digits() {
    let mut rng = Rng::of_this_run();
    let dir = names();
    let file = dir.path().join("x.npy");
    for offset in [1e6, -1e6, 1e8] {
        let mut noise = || offset + (rng.next() >> 11) as f64 / (1_u64 << 53) as f64;
        let rows: Vec<[f64; 3]> = (0..1000).map(|_| [noise(), noise(), noise()]).collect();
        let columns: Vec<Vec<f64>> =
            (0..3).map(|j| rows.iter().map(|row| row[j]).collect()).collect();
        table(&file, &rows.iter().map(|row| &row[..]).collect::<Vec<_>>());
        assert_close(&correlate(&file, 3, 4, dir.path()), &reference(&columns));
    }
}

#[test]
fn equal_to_numpy() {
    if !has_numpy("equal to NumPy over shapes, dtypes and orders") {
        return;
    }
    let sweep = Path::new(env!("CARGO_MANIFEST_DIR")).join("../ci/correlation.py");
    let mut python = Command::new("python3");
    python.arg(sweep).arg(example("correlation"));
    if std::env::var_os("NDSHM_BIG_TESTS").is_some() || !cfg!(debug_assertions) {
        python.arg("--big");
    }
    print!("{}", Run::of(&mut python).exits(0).stdout);
}
