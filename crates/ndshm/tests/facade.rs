//! The facade leads to every crate below it, and to the same items.

use std::os::fd::AsFd;

use ndshm::prelude::*;
use ndshm::sync::{JoinError, Members, Region};

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

/// The feature reaches both crates; without it, what is asked of the portable backends is an error that names it.
#[test]
fn the_portable_backends_are_there_by_feature() {
    let directory = ndshm_testkit::scratch();
    let name = ndshm_testkit::Name::new("facade");
    let created =
        SharedBuffer::options().backend(ndshm::buffer::Backend::Portable).create(&name, 64);
    let memory = SharedBuffer::anonymous(1 << 16).unwrap();
    // SAFETY: zeroed, mapped for as long as `memory` lives, and used by nobody else.
    let region = unsafe { Region::new(memory.base(), memory.len(), memory.as_fd()) };
    let portable = ndshm::sync::Backend::portable(directory.path());
    let joined = Members::options().backend(portable).join(region);
    if cfg!(feature = "portable") {
        assert_eq!(created.unwrap().backend(), ndshm::buffer::Backend::Portable);
        *joined.unwrap().layout().mutex(0_u64).unwrap().lock().unwrap() += 1;
        return;
    }
    if created.is_ok() && joined.is_ok() {
        // In a build of the whole workspace the tests of the two crates switch it on.
        return ndshm_testkit::skip("absent backends", "others of this build have them");
    }
    let (created, joined) = (created.unwrap_err().to_string(), joined.unwrap_err());
    assert!(created.contains("enable the cargo feature `portable` of ndshm-buffer"), "{created}");
    assert!(matches!(joined, JoinError::NotCompiled { .. }), "{joined}");
    let joined = joined.to_string();
    assert!(joined.contains("enable the cargo feature `portable` of ndshm-sync"), "{joined}");
}
