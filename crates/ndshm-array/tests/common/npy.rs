//! NPY headers from text.

use ndshm_array::npy::{HeaderError, NpyHeader};

/// A version 1.0 file with `dict` as the text of its header.
pub(crate) fn with_text(dict: &str) -> Vec<u8> {
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend(((dict.len() + 1) as u16).to_le_bytes());
    bytes.extend(dict.as_bytes());
    bytes.push(b'\n');
    bytes
}

pub(crate) fn decode(bytes: &[u8]) -> Result<NpyHeader, HeaderError> {
    NpyHeader::decode(bytes).map(|(header, _)| header)
}
