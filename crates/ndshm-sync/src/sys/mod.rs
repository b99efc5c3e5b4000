//! What this crate asks of the operating system. One selector; one file a platform.

#[cfg(target_os = "linux")]
#[path = "linux.rs"]
mod imp;

#[cfg(not(target_os = "linux"))]
compile_error!(
    "ndshm-sync supports Linux only so far: it needs shared futexes and open-file-description locks"
);

pub(crate) use imp::*;
