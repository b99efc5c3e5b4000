//! Everything the crate asks of the operating system, behind one selector.
//!
//! No other module names a system call or a `target_os`. A platform supplies the items re-exported here.

#[cfg(target_os = "linux")]
#[path = "linux/mod.rs"]
mod platform;

#[cfg(not(target_os = "linux"))]
compile_error!(
    "ndshm-buffer supports Linux only so far: it needs memfd_create, O_TMPFILE and open file description locks"
);

#[cfg(target_os = "linux")]
pub(crate) use platform::*;
