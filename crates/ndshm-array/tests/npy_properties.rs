//! The NPY format on random input: whatever is encoded decodes to itself, and no bytes make the decoder panic.

#[path = "common/npy.rs"]
mod common;

use common::{decode, with_text};
use ndshm_array::npy::{Dtype, HEADER_LEN, HeaderError, NpyHeader, Order};
use proptest::prelude::*;

/// Name, type, shape and how many bytes of padding follow.
type Described = (String, String, Vec<usize>, usize);

/// A type as it is described in a list of fields.
fn any_type() -> impl Strategy<Value = String> {
    let plain = prop::sample::select(Dtype::ALL.to_vec());
    plain.prop_map(|dtype| format!("'{}'", dtype.descr())).prop_recursive(3, 16, 4, |inner| {
        let shape = prop::collection::vec(1..4usize, 0..3);
        let name = "[a-z_'\\\\ .]{1,8}";
        let field = (name, inner, shape, 0..5usize);
        prop::collection::vec(field, 1..5).prop_map(|fields| {
            let field = |(i, (name, inner, shape, padding)): (usize, &Described)| {
                let name = format!("{name}{i}").replace('\\', "\\\\").replace('\'', "\\'");
                let axes: String = shape.iter().map(|axis| format!("{axis},")).collect();
                let shape = if shape.is_empty() { String::new() } else { format!(", ({axes})") };
                let padding =
                    if *padding == 0 { String::new() } else { format!(", ('', '|V{padding}')") };
                format!("('{name}', {inner}{shape}){padding}")
            };
            let fields: Vec<_> = fields.iter().enumerate().map(field).collect();
            format!("[{}]", fields.join(", "))
        })
    })
}

/// The same, as the type of a whole array.
fn any_dtype() -> impl Strategy<Value = Dtype> {
    any_type().prop_map(|text| Dtype::from_descr(text.trim_matches('\'')).expect(&text))
}

fn any_header() -> impl Strategy<Value = NpyHeader> {
    let axis = prop_oneof![0..5usize, 0..2000usize, Just(99_999_999), Just(100_000_000)];
    let order = prop_oneof![Just(Order::C), Just(Order::F)];
    (any_dtype(), order, prop::collection::vec(axis, 0..7))
        .prop_map(|(dtype, order, shape)| NpyHeader { dtype, order, shape })
        .prop_filter("it fits", |header| header.encode().is_ok())
}

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(cases) }
}

proptest! {
    #![proptest_config(config(2000))]

    #[test]
    fn list_like_text_never_panics(text in "\\[(\\('[ab]?', ?('[<|>][fiuVbOU][0-9]{1,3}'|\\[\\]|5)(, \\(?[0-9-]{0,20},?\\)?)?\\)[,;]? ?){0,4}\\]?") {
        let _ = Dtype::from_descr(&text);
        let _ = decode(&with_text(&format!("{{'descr': {text}, 'fortran_order': False, 'shape': (1,)}}")));
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
}

// Whole pages, which take a parser of structs milliseconds each.
proptest! {
    #![proptest_config(config(300))]

    #[test]
    fn any_type_survives_a_round_trip(dtype in any_dtype()) {
        let again = Dtype::from_descr(&dtype.descr())?;
        prop_assert_eq!(&again, &dtype);
        prop_assert_eq!(again.size(), dtype.size());
        if let Dtype::Struct(structure) = &dtype {
            let mut at = 0;
            for field in structure.fields() {
                prop_assert!(field.offset() >= at);
                prop_assert_eq!(structure.field(field.name()), Some(field));
                at = field.offset() + field.dtype().size();
            }
            prop_assert!(at <= structure.size());
        }
    }

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
