//! Room for many descriptors.

/// Lets this process have as many descriptors as it may; how many that is.
///
/// # Panics
///
/// Never, with a hard limit that can be asked for.
#[must_use]
pub fn raise_descriptors() -> u64 {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is what the kernel writes.
    let r = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) };
    assert_eq!(r, 0, "getrlimit");
    limit.rlim_cur = limit.rlim_max;
    // SAFETY: reads `limit`.
    let r = unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) };
    assert_eq!(r, 0, "setrlimit");
    limit.rlim_cur
}
