//! The NPY format on random input: whatever is encoded decodes to itself, and no bytes make the decoder panic.

#[path = "common/npy.rs"]
mod common;

use common::{decode, header, with_text};
use ndshm_array::npy::{Dtype, HEADER_LEN, HeaderError, NpyHeader, Order};
use proptest::prelude::*;

fn any_header() -> impl Strategy<Value = NpyHeader> {
    let axis = prop_oneof![0..5usize, 0..2000usize, Just(99_999_999), Just(100_000_000)];
    let order = prop_oneof![Just(Order::C), Just(Order::F)];
    (prop::sample::select(Dtype::ALL.to_vec()), order, prop::collection::vec(axis, 0..7))
        .prop_map(|(dtype, order, shape)| header(dtype.descr(), order, &shape))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2000) })]

    #[test]
    fn any_header_survives_a_round_trip(header in any_header(), tail in prop::collection::vec(any::<u8>(), 0..9)) {
        let encoded = header.encode().expect("plain headers can be encoded");
        let bytes = [&encoded[..], &tail].concat();
        let mut reader = &bytes[..];
        match NpyHeader::decode(&mut reader) {
            Ok((decoded, offset)) => {
                prop_assert_eq!(&decoded, &header);
                prop_assert_eq!(offset, HEADER_LEN);
                prop_assert_eq!(reader, &tail[..]);
            }
            Err(error) => {
                prop_assert!(matches!(error, HeaderError::Overflow(_)), "{}", error);
                prop_assert_eq!(header.data_bytes(), None);
            }
        }
        if let Some(field) = header.slowest_axis_field() {
            prop_assert_eq!(field.start % 8, 0);
            let slowest = if header.order == Order::C { header.shape.first() } else { header.shape.last() };
            let number: Option<usize> = std::str::from_utf8(&encoded[field])?.trim_start().parse().ok();
            prop_assert_eq!(number.as_ref(), slowest);
        }
    }

    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), text in ".{0,200}") {
        let _ = decode(&bytes);
        let _ = decode(&with_text(&text));
        let _ = decode(&[b"\x93NUMPY\x01\x00", &bytes[..]].concat());
    }

    #[test]
    fn python_like_text_never_panics(text in "[{}()\\[\\]'\",:<>=|a-cfiou0-9jbxNTe.+\\- \\\\]{0,120}") {
        let _ = decode(&with_text(&text));
        let _ = decode(&with_text(&format!("{{'descr': {text}, 'fortran_order': False, 'shape': (1,)}}")));
        let _ = decode(&with_text(&format!("{{'descr': '<f8', 'fortran_order': False, 'shape': {text}}}")));
    }

    #[test]
    fn mutated_headers_never_panic(
        header in any_header(),
        changes in prop::collection::vec((0..140usize, any::<u8>()), 1..6),
        len in 0..HEADER_LEN,
    ) {
        let mut bytes = header.encode().expect("plain headers can be encoded");
        for (at, value) in changes {
            bytes[at] = value;
        }
        let _ = decode(&bytes);
        let _ = decode(&bytes[..len]);
    }
}
