//! What several test files of this crate ask for.
#![allow(dead_code, unused_imports, reason = "each test binary uses a part")]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;

use ndshm_buffer::{BufferOptions, CreateError, SharedBuffer};
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

/// Two at once, that often, in a filesystem of 1 MiB that has room for one of them: how many were created, refused
/// before, and refused by the kernel.
pub(crate) fn compete(options: &BufferOptions, times: usize) -> [u64; 3] {
    let counts = [const { AtomicU64::new(0) }; 3];
    thread::scope(|scope| {
        for name in ["a", "b"] {
            let counts = &counts;
            scope.spawn(move || {
                for _ in 0..times {
                    let what = match options.create_with(name, 600 << 10, |bytes| bytes.fill(1)) {
                        Ok(_) => 0,
                        Err(CreateError::NoSpace { source: None, .. }) => 1,
                        Err(CreateError::NoSpace { source: Some(_), .. }) => 2,
                        Err(other) => panic!("{other}"),
                    };
                    counts[what].fetch_add(1, Relaxed);
                }
            });
        }
    });
    let counts = counts.map(AtomicU64::into_inner);
    println!("two at once: created, refused before, refused by the kernel: {counts:?}");
    counts
}
