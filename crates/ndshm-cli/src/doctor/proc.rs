//! /proc, through which a process opens its segments once more.

use std::fs;

use super::Finding;

const SECTION: &str = "/proc";

pub(super) fn examine() -> Vec<Finding> {
    let reopened = fs::File::open("/proc/self/exe").and_then(|file| {
        use std::os::fd::AsRawFd;
        fs::File::open(format!("/proc/self/fd/{}", file.as_raw_fd()))
    });
    vec![match reopened {
        Ok(_) => Finding::ok(SECTION, "descriptors can be opened once more"),
        Err(e) => Finding::warn(
            SECTION,
            format!(
                "descriptors cannot be opened once more: {e}; arrays cannot be joined, nor passed without a name"
            ),
            "mount it: `mount -t proc proc /proc`, or start the container with one",
        ),
    }]
}
