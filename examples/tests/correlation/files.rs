//! `.npy` files as the tests need them, good and bad.

use std::fs;
use std::path::Path;

/// An `.npy` file of version 1.0.
pub(crate) fn npy(path: &Path, descr: &str, fortran: bool, shape: &str, data: &[u8]) {
    let fortran = if fortran { "True" } else { "False" };
    let quoted = if descr.starts_with('[') { descr.to_owned() } else { format!("'{descr}'") };
    let dictionary =
        format!("{{'descr': {quoted}, 'fortran_order': {fortran}, 'shape': {shape}, }}");
    let padding = 63 - (10 + dictionary.len()) % 64;
    let header = format!("{dictionary}{}\n", " ".repeat(padding));
    let len = u16::try_from(header.len()).expect("a short header");
    let bytes = [b"\x93NUMPY\x01\x00", &len.to_le_bytes()[..], header.as_bytes(), data].concat();
    fs::write(path, bytes).expect("cannot write a file");
}

/// A table of `f64`, row by row.
pub(crate) fn table(path: &Path, rows: &[&[f64]]) {
    let data: Vec<u8> = rows.iter().flat_map(|row| *row).flat_map(|x| x.to_le_bytes()).collect();
    npy(path, "<f8", false, &format!("({}, {})", rows.len(), rows[0].len()), &data);
}

/// The elements of the square matrix of `f64` that an example wrote.
pub(crate) fn matrix(path: &Path, n: usize) -> Vec<Vec<f64>> {
    let r: ndarray::Array2<f64> = ndarray_npy::read_npy(path).expect("not an .npy file of f64");
    assert_eq!(r.dim(), (n, n));
    r.rows().into_iter().map(|row| row.to_vec()).collect()
}
