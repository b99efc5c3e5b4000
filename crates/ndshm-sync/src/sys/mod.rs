//! What this crate asks of the operating system. One selector; one file a platform.

#[cfg(all(target_os = "linux", not(ndshm_portable_only)))]
mod linux;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(all(target_os = "linux", not(ndshm_portable_only)))]
pub(crate) use linux::*;
#[cfg(unix)]
pub(crate) use unix::*;
#[cfg(windows)]
pub(crate) use windows::*;
