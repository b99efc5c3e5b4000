//! What several test files of this crate ask for.
#![allow(dead_code, unused_imports, reason = "each test binary uses a part")]

use std::fs;
use std::path::{Path, PathBuf};

use ndshm_buffer::{BufferOptions, SharedBuffer};
pub(crate) use ndshm_testkit::{Name, one_line, scratch};

/// Options for segments in that directory.
pub(crate) fn within(dir: &Path) -> BufferOptions {
    SharedBuffer::options().dir(dir)
}

/// What lies in a directory.
pub(crate) fn listing(dir: &Path) -> Vec<PathBuf> {
    fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect()
}

/// All the bytes of a buffer, at one time or another.
pub(crate) fn bytes(buffer: &SharedBuffer) -> Vec<u8> {
    let mut bytes = vec![0; buffer.len()];
    buffer.read_at(0, &mut bytes).unwrap();
    bytes
}
