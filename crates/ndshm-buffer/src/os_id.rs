//! By what the system knows a portable segment.

use crate::name::{self, NameError};
use crate::sys;

/// What stands before a segment's name. Not [`name`]'s own prefix, so that no look into a directory takes the file behind
/// it for a native segment; short, since some systems allow 31 bytes in all.
const PREFIX: &str = "/ndshm-p.";

/// The `os_id` of `shared_memory`: the name of POSIX shared memory.
///
/// # Invariants
///
/// 1. It has no zero, and no slash but perhaps one in front; something follows that, which is not `.` or `..`.
/// 2. Where it begins with the prefix, what follows passed [`name::check`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OsId(String);

impl OsId {
    /// Of a segment that this crate makes.
    pub(crate) fn of_name(name: &str) -> Result<Self, NameError> {
        name::check(name)?;
        Self::new(&format!("{PREFIX}{name}"))
    }

    /// Of any, whoever made it.
    pub(crate) fn new(os_id: &str) -> Result<Self, NameError> {
        let refused = |why| NameError::OsId { os_id: os_id.to_owned(), why };
        let bare = os_id.strip_prefix('/').unwrap_or(os_id);
        if os_id.len() > sys::LONGEST_OS_ID {
            return Err(refused(
                "is too long for this system (31 bytes where it is macOS, 255 elsewhere)",
            ));
        }
        if bare.is_empty() || bare == "." || bare == ".." {
            return Err(refused("names nothing"));
        }
        if bare.contains(['/', '\0']) {
            return Err(refused("has a slash or a zero within"));
        }
        if let Some(name) = os_id.strip_prefix(PREFIX) {
            name::check(name)?;
        }
        Ok(Self(os_id.to_owned()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The name, where it is of a segment that this crate makes.
    pub(crate) fn name(&self) -> Option<&str> {
        self.0.strip_prefix(PREFIX)
    }

    /// A number for it, the same in every process. The highest bit is set, which no number of a device has.
    #[cfg(feature = "portable")]
    pub(crate) fn number(&self) -> u64 {
        // FNV-1a. With a slash or without it, the system finds the same.
        let bare = self.0.strip_prefix('/').unwrap_or(&self.0);
        let hash = bare.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
        });
        hash | 1 << 63
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_system_takes_is_refused() {
        for good in ["/x", "x", "/shmem_0123ABCD", "/with a space", "/ndshm.heat", "/..x"] {
            assert_eq!(OsId::new(good).map(|id| id.name().map(str::to_owned)), Ok(None), "{good}");
        }
        for bad in
            ["", "/", "//x", "/a/b", "a/", "/a\0", ".", "/..", &format!("/{}", "n".repeat(255))]
        {
            assert!(matches!(OsId::new(bad), Err(NameError::OsId { .. })), "{bad:?}");
        }
        assert!(matches!(OsId::new("/ndshm-p.a b"), Err(NameError::Character { .. })));
        assert!(matches!(OsId::new("/ndshm-p."), Err(NameError::Empty)));
    }

    #[test]
    fn names_come_back() {
        for name in ["heat", "A.b_c-9", &"n".repeat(200)] {
            let os_id = OsId::of_name(name).unwrap();
            assert_eq!(os_id.name(), Some(name));
            assert!(!os_id.as_str().starts_with("/ndshm."), "a native segment's file");
            assert_eq!(OsId::new(os_id.as_str()), Ok(os_id));
        }
        assert!(OsId::of_name("a/b").is_err());
    }

    #[test]
    #[cfg(feature = "portable")]
    fn numbers_are_of_what_the_system_finds() {
        let number = |os_id| OsId::new(os_id).unwrap().number();
        // Of handles that travel between builds: it stays.
        assert_eq!(number("/a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(number("a"), number("/a"));
        assert_ne!(number("/b"), number("/a"));
    }
}
