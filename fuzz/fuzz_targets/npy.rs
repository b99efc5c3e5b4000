//! Any bytes as an `.npy` file: its header, and its elements where the header is one.
#![no_main]

use std::fs;

use libfuzzer_sys::fuzz_target;
use ndarray::IxDyn;
use ndshm_array::SharedArray;
use ndshm_array::npy::{NpyFile, NpyHeader};

fuzz_target!(|bytes: &[u8]| {
    if let Ok((header, offset)) = NpyHeader::decode(bytes) {
        assert!(offset <= bytes.len());
        if let Ok(encoded) = header.encode() {
            let (again, _) = NpyHeader::decode(&encoded[..]).expect("what was written is read");
            assert_eq!((again.shape, again.order), (header.shape, header.order));
        }
    }
    let path = ndshm_fuzz::directory().join("m.npy");
    fs::write(&path, bytes).unwrap();
    ndshm_fuzz::look(&path);
    let Ok(mut file) = NpyFile::open(&path) else { return };
    // A header that is believed has its data behind it.
    assert!(file.len() <= bytes.len());
    let mut numbers = vec![0.0; file.len()];
    let _ = file.read_as_f64(&mut numbers);
    let _ = SharedArray::<f64, IxDyn>::options().load_as_f64(&path);
    let _ = SharedArray::<i16, IxDyn>::options().load(&path);
});
