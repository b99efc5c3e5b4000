//! Which process a membership belongs to.

#[cfg(all(target_os = "linux", not(ndshm_portable_only)))]
#[path = "wiped.rs"]
mod imp;

#[cfg(not(all(target_os = "linux", not(ndshm_portable_only))))]
#[path = "pid.rs"]
mod imp;

pub(super) use imp::Identity;
