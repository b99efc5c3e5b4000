//! `heat`, `mandelbrot`: the same for any number of workers, to the last digit and byte.

use std::fs;

use super::{common, run};
use common::{assert_empty, names};

/// The mean temperature as one process computes it.
fn mean(n: usize, steps: usize) -> f64 {
    let is_spot = |i: usize, j: usize| {
        (j as f64 - 0.7 * n as f64).hypot(i as f64 - 0.6 * n as f64) < n as f64 / 12.0
    };
    let mut plate =
        ndarray::Array2::from_shape_fn(
            (n, n),
            |(i, j)| {
                if i == 0 || is_spot(i, j) { 1.0 } else { 0.0 }
            },
        );
    for _ in 0..steps {
        let last = plate.clone();
        for i in 1..n - 1 {
            for j in (1..n - 1).filter(|&j| !is_spot(i, j)) {
                plate[[i, j]] =
                    (last[[i - 1, j]] + last[[i + 1, j]] + last[[i, j - 1]] + last[[i, j + 1]])
                        / 4.0;
            }
        }
    }
    plate.mean().expect("it has elements")
}

#[test]
fn heat_is_the_same_for_any_number_of_workers() {
    let dir = names();
    for (size, steps) in [(8, 0), (8, 5), (40, 300)] {
        let expected = format!("mean temperature {}", mean(size, steps));
        for workers in ["1", "2", "3", "5", "9"] {
            let (size, steps) = (size.to_string(), steps.to_string());
            let arguments = ["--size", &size, "--steps", &steps, "--workers", workers];
            let said = run("heat", &arguments, dir.path());
            assert_eq!(said.lines().next(), Some(&*expected), "{workers} workers: {said}");
            assert!(
                said.lines()
                    .nth(1)
                    .is_some_and(|line| line.starts_with("down the middle [1.000, "))
            );
        }
    }
}

/// The same picture by one worker and by four, byte by byte; what was printed beside it.
#[track_caller]
fn same_picture(name: &str, arguments: &[&str]) -> String {
    let dir = names();
    let [(alone, _), (together, said)] = ["1", "4"].map(|workers| {
        let file = format!("{workers}.png");
        let arguments = [&["--png", &file, "--workers", workers], arguments].concat();
        let said = run(name, &arguments, dir.path());
        assert!(said.ends_with(&format!("drawn: {file}\n")), "{said}");
        let png = fs::read(dir.path().join(file)).expect("a picture");
        assert_eq!(&png[..16], b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR");
        (png, said)
    });
    assert!(alone == together, "{name}: the pictures differ");
    assert_eq!(fs::read_dir(dir.path()).expect("a folder").count(), 2);
    said
}

#[test]
fn heat_draws_the_same_picture() {
    same_picture("heat", &["--size", "30", "--steps", "20"]);
}

#[test]
fn mandelbrot_draws_the_same_picture() {
    let said = same_picture("mandelbrot", &["--size", "100"]);
    let tiles = said.lines().filter(|line| line.ends_with(" tiles"));
    let tiles = tiles.map(|line| line.split(' ').nth(3).and_then(|n| n.parse::<u32>().ok()));
    assert_eq!(tiles.sum::<Option<u32>>(), Some(4 * 5), "{said}"); // of 100 x 150 in 32 x 32

    let dir = names();
    run("mandelbrot", &["--size", "1", "--workers", "2"], dir.path());
    assert_empty(dir.path());
}
