//! A filesystem of a size of one's own, in a mount namespace of one's own.

use std::path::Path;
use std::process::Command;

use crate::skip;

/// What a role has to be started [under](crate::Role::under) for [`mount_tmpfs`]; `None`, and said
/// aloud, where that is not permitted.
#[must_use]
pub fn own_mounts(what: &str) -> Option<&'static [&'static str]> {
    const UNSHARE: &[&str] = &["unshare", "-Urm"];
    let why = match Command::new(UNSHARE[0]).arg(UNSHARE[1]).arg("true").output() {
        Ok(done) if done.status.success() => return Some(UNSHARE),
        Ok(done) => String::from_utf8_lossy(&done.stderr).trim().to_owned(),
        Err(error) => format!("no `unshare`: {error}"),
    };
    skip(what, &why);
    None
}

/// Puts a tmpfs of one megabyte at `dir`, over what is there.
///
/// # Panics
///
/// Where the process has no mounts of its own.
pub fn mount_tmpfs(dir: impl AsRef<Path>) {
    mount_tmpfs_of(1 << 20, dir);
}

/// Puts a tmpfs of that many bytes at `dir`, over what is there.
///
/// # Panics
///
/// Where the process has no mounts of its own.
pub fn mount_tmpfs_of(size: usize, dir: impl AsRef<Path>) {
    let path = dir.as_ref().as_os_str().as_encoded_bytes();
    let path = std::ffi::CString::new(path).expect("a path has no zeroes");
    let options = std::ffi::CString::new(format!("size={size}")).expect("a number has no zeroes");
    let (kind, options) = (c"tmpfs".as_ptr(), options.as_ptr().cast());
    // SAFETY: all four are strings that end in zero and live for the call.
    let mounted = unsafe { libc::mount(kind, path.as_ptr(), kind, 0, options) };
    assert_eq!(mounted, 0, "{}", std::io::Error::last_os_error());
}
