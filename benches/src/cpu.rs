//! Processors, and staying on one.

use std::mem;

/// The processors that this process may use.
///
/// # Panics
///
/// When the kernel does not say.
#[must_use]
pub fn cpus() -> Vec<usize> {
    // SAFETY: all zeroes are an empty set.
    let mut set: libc::cpu_set_t = unsafe { mem::zeroed() };
    // SAFETY: `set` is as long as is said.
    let r = unsafe { libc::sched_getaffinity(0, size_of_val(&set), &raw mut set) };
    assert_eq!(r, 0, "sched_getaffinity: {}", std::io::Error::last_os_error());
    let most = usize::try_from(libc::CPU_SETSIZE).expect("a positive number");
    // SAFETY: `cpu` is below the size of the set.
    (0..most).filter(|&cpu| unsafe { libc::CPU_ISSET(cpu, &set) }).collect()
}

/// Has the calling thread run on that processor only.
///
/// # Panics
///
/// When it may not.
pub fn pin(cpu: usize) {
    // SAFETY: all zeroes are an empty set.
    let mut set: libc::cpu_set_t = unsafe { mem::zeroed() };
    // SAFETY: `cpu` came from such a set.
    unsafe { libc::CPU_SET(cpu, &mut set) };
    // SAFETY: `set` is as long as is said, and only read.
    let r = unsafe { libc::sched_setaffinity(0, size_of_val(&set), &raw const set) };
    assert_eq!(r, 0, "sched_setaffinity: {}", std::io::Error::last_os_error());
}
