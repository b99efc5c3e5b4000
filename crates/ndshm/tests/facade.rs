//! The facade leads to every crate below it, and to the same items.

use ndshm::prelude::*;

#[test]
fn the_crates_below_are_all_reachable() {
    assert_eq!(ndshm::sync::Members::SIZE, 16 * 1024);
    assert_eq!(ndshm::array::FORMAT_VERSION, 1);
    assert!(ndshm::buffer::SharedBuffer::anonymous(0).is_err());
    let _: fn(usize) -> Workers<'static> = ndshm::workers::Workers::new;
}

#[test]
fn the_prelude_names_the_same_types() -> Result<(), Box<dyn std::error::Error>> {
    let a: ndshm::array::SharedArray<i32, ndshm::ndarray::Ix2> = SharedArray2::zeros((2, 2))?;
    a.write()?.fill(3);
    assert_eq!(a.read()?.sum(), 12);
    let b: ndshm::buffer::SharedBuffer = SharedBuffer::anonymous(64)?;
    assert_eq!(b.len(), 64);
    Ok(())
}
