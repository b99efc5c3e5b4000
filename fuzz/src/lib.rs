//! What the targets share.

use std::path::Path;
use std::sync::LazyLock;

/// The scratch directory on a memory filesystem that `ci/fuzz.sh` makes and removes.
pub fn directory() -> &'static Path {
    static DIRECTORY: LazyLock<std::path::PathBuf> = LazyLock::new(|| {
        std::env::var_os("NDSHM_FUZZ_DIR")
            .expect("NDSHM_FUZZ_DIR is not set: use ci/fuzz.sh")
            .into()
    });
    &DIRECTORY
}
