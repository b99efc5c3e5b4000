//! `histogram`, `matmul`: nothing is lost, whoever computes it.

use super::{common, run};
use common::{assert_empty, names};

#[test]
fn a_histogram_has_every_throw() {
    let dir = names();
    for (workers, throws) in [(1, 1), (1, 1000), (3, 200_000)] {
        let arguments = ["--workers", &workers.to_string(), "--throws", &throws.to_string()];
        let said = run("histogram", &arguments, dir.path());
        let bins = said.lines().filter(|line| line.starts_with(' '));
        let counts: Vec<u64> = bins
            .map(|line| {
                line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).expect("a count")
            })
            .collect();
        assert_eq!(counts.iter().sum::<u64>(), workers * throws, "{said}");
        assert!(counts.len() <= 13, "{said}"); // four dice of 0 to 3
        if throws == 200_000 {
            assert_eq!(counts.iter().max(), Some(&counts[6]), "{said}");
        }
        assert!(said.ends_with(&format!("{} throws, all counted\n", workers * throws)), "{said}");
    }
    assert_empty(dir.path());
}

#[test]
fn a_product_is_right_whatever_the_tiles() {
    let dir = names();
    for (size, tile, workers) in [
        ("1", "1", "1"),
        ("1", "5", "3"), // more workers than tiles
        ("7", "1", "2"),
        ("50", "16", "3"),
        ("64", "64", "2"),
        ("64", "100", "4"),
    ] {
        let arguments = ["--size", size, "--tile", tile, "--workers", workers];
        let said = run("matmul", &arguments, dir.path());
        assert!(said.starts_with(&format!("{size} x {size} by {workers} workers: ")), "{said}");
        assert!(said.ends_with("\nthe product is right\n"), "{said}");
    }
    assert_empty(dir.path());
}
