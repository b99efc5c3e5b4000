//! The system calls of this crate, one file per platform.

#[cfg(target_os = "linux")]
#[path = "linux/mod.rs"]
mod platform;

#[cfg(not(target_os = "linux"))]
compile_error!(
    "ndshm-workers starts its processes through Linux calls (memfd, pidfd, PR_SET_PDEATHSIG); \
     other systems are not supported yet"
);

pub(crate) use platform::*;
