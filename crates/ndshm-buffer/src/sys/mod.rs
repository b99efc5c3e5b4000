//! Everything the crate asks of the operating system, behind one selector.
//!
//! No other module names a system call or a `target_os`. `unix` is what any unix has; `native` is what the native
//! backend is made of, on Linux. Elsewhere `absent` has the same items, and nobody gets to call them: the backends'
//! selector refuses before.

#[cfg(not(unix))]
compile_error!("ndshm-buffer is for unix so far: it was neither compiled nor run elsewhere");

#[cfg(all(
    unix,
    not(feature = "portable"),
    not(all(target_os = "linux", not(ndshm_portable_only)))
))]
compile_error!(
    "ndshm-buffer has a native backend for Linux only: enable the cargo feature `portable` here"
);

#[cfg(all(target_os = "linux", not(ndshm_portable_only)))]
#[path = "linux/mod.rs"]
mod native;
#[cfg(not(all(target_os = "linux", not(ndshm_portable_only))))]
#[path = "absent.rs"]
mod native;
mod unix;

pub(crate) use native::*;
pub(crate) use unix::*;
