//! Whatever the bytes are, decoding a header returns; what it accepts survives a round trip.
//!
//! `cargo +nightly fuzz run npy_header -- -max_len=400`, in `crates/ndshm-array`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ndshm_array::npy::NpyHeader;

fuzz_target!(|bytes: &[u8]| {
    let text = [b"\x93NUMPY\x01\x00", &(bytes.len() as u16).to_le_bytes()[..], bytes].concat();
    for bytes in [bytes, &text] {
        if let Ok((header, _)) = NpyHeader::decode(bytes) {
            // Not all that is read is written: names that are not ASCII, more fields than a page has room for.
            let Ok(encoded) = header.encode() else { continue };
            let (again, _) = NpyHeader::decode(&encoded[..]).expect("and decoded again");
            assert_eq!(again, header);
        }
    }
});
