//! Copies in and out against a `Vec`.

use ndshm_buffer::{RangeError, ReadError, SharedBuffer, WriteError};
use proptest::collection::vec;
use proptest::prelude::*;

const LONGEST: usize = 300;

#[derive(Clone, Debug)]
enum Step {
    Write { offset: usize, bytes: Vec<u8> },
    Read { offset: usize, len: usize },
}

fn offset() -> impl Strategy<Value = usize> {
    prop_oneof![9 => 0..LONGEST, 1 => usize::MAX - LONGEST..=usize::MAX]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (offset(), vec(any::<u8>(), 0..64))
            .prop_map(|(offset, bytes)| Step::Write { offset, bytes }),
        (offset(), 0..64_usize).prop_map(|(offset, len)| Step::Read { offset, len }),
    ]
}

proptest! {
    #[test]
    fn copies_are_what_a_vec_would_do(
        len in 1..LONGEST,
        steps in vec(step(), 1..40),
        guarded in any::<bool>(),
    ) {
        let options = SharedBuffer::options().guarded(guarded);
        let buffer = options.anonymous(len).unwrap();
        let reader = options.read_only(true).open_handle(&buffer.handle()).unwrap();
        let mut model = vec![0; len];
        for step in steps {
            match step {
                Step::Write { offset, bytes } => {
                    let done = buffer.write_at(offset, &bytes);
                    let range = offset.checked_add(bytes.len()).map(|end| offset..end);
                    match range.and_then(|range| model.get_mut(range)) {
                        Some(part) => {
                            part.copy_from_slice(&bytes);
                            prop_assert!(done.is_ok());
                        }
                        None => {
                            let Err(WriteError::Range(error)) = done else { panic!("{done:?}") };
                            prop_assert!(is_range(error, offset, bytes.len(), len));
                        }
                    }
                }
                Step::Read { offset, len: wanted } => {
                    let mut bytes = vec![0xaa; wanted];
                    let done = reader.read_at(offset, &mut bytes);
                    match offset.checked_add(wanted).and_then(|end| model.get(offset..end)) {
                        Some(part) => {
                            prop_assert!(done.is_ok());
                            prop_assert_eq!(&bytes, part);
                        }
                        None => {
                            let Err(ReadError::Range(error)) = done else { panic!("{done:?}") };
                            prop_assert!(is_range(error, offset, wanted, len));
                            prop_assert!(bytes.iter().all(|&byte| byte == 0xaa));
                        }
                    }
                }
            }
        }
        let mut all = vec![0; len];
        buffer.read_at(0, &mut all).unwrap();
        prop_assert_eq!(all, model);
    }
}

fn is_range(error: RangeError, offset: usize, len: usize, size: usize) -> bool {
    (error.offset, error.len, error.size) == (offset, len, size)
}
