//! What the targets share.

use std::path::Path;
use std::sync::LazyLock;

use ndshm_array::inspect::SegmentFile;

/// The scratch directory on a memory filesystem that `ci/fuzz.sh` makes and removes.
pub fn directory() -> &'static Path {
    static DIRECTORY: LazyLock<std::path::PathBuf> = LazyLock::new(|| {
        std::env::var_os("NDSHM_FUZZ_DIR")
            .expect("NDSHM_FUZZ_DIR is not set: use ci/fuzz.sh")
            .into()
    });
    &DIRECTORY
}

/// Looks at whatever there is as one who takes no part: who holds what, and some numbers.
pub fn look(path: &Path) {
    let Ok(file) = SegmentFile::open(path) else { return };
    let _ = file.report();
    if let Ok(plane) = file.plane(&[]) {
        let mut seen = 0_usize;
        let _ = plane.for_each(|_, _, _| seen += 1);
        assert!(seen <= plane.rows() * plane.cols());
    }
}
