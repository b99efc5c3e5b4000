//! Which names a segment can have, and where a name lies.

use std::path::{Path, PathBuf, absolute};

use crate::sys;

/// What stands before every segment's name in its directory.
const PREFIX: &str = "ndshm.";

/// How long a name can be: with the prefix it fits every filesystem's 255 bytes.
const LONGEST: usize = 200;

/// The environment variable that names the directory of named segments.
pub(crate) const DIRECTORY_VARIABLE: &str = "NDSHM_DIR";

/// A name that no segment can have.
///
/// ```
/// use ndshm_buffer::{CreateError, NameError, SharedBuffer};
///
/// let refused = SharedBuffer::options().create("a/b", 64).unwrap_err();
/// assert!(matches!(refused, CreateError::BadName(NameError::Character { found: '/', .. })));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// The name has no characters.
    #[error("a segment's name is empty; use 1 to {LONGEST} of the characters A-Z a-z 0-9 . _ -")]
    Empty,
    /// The name is too long for the file that holds the segment.
    #[error("a segment's name of {len} bytes is too long; use at most {LONGEST}")]
    TooLong {
        /// Its length in bytes.
        len: usize,
    },
    /// The name has a character that a segment's name cannot have.
    #[error("segment name {name:?} has the character {found:?}; use A-Z a-z 0-9 . _ - only")]
    Character {
        /// The name.
        name: String,
        /// The first such character.
        found: char,
    },
    /// No shared memory can have this os_id.
    #[error("os_id {os_id:?} {why}; use one slash and a short name behind it, as in \"/heat\"")]
    OsId {
        /// The os_id.
        os_id: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The name is `.` or `..`, which a reader would take for a directory.
    #[error("segment name {name:?} reads as a directory; use at least one character besides dots")]
    Dots {
        /// The name.
        name: String,
    },
}

/// Refuses what no segment can have as its name, or as the key it is passed under.
pub(crate) fn check(name: &str) -> Result<(), NameError> {
    if name.is_empty() {
        return Err(NameError::Empty);
    }
    if name.len() > LONGEST {
        return Err(NameError::TooLong { len: name.len() });
    }
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if let Some(found) = name.chars().find(|&c| !fits(c)) {
        return Err(NameError::Character { name: name.to_owned(), found });
    }
    if name == "." || name == ".." {
        return Err(NameError::Dots { name: name.to_owned() });
    }
    Ok(())
}

/// Where a named segment lies.
///
/// # Invariants
///
/// 1. `name` passed [`check`], so `file` is one path component.
/// 2. `dir` is absolute as far as the process could tell, so that another process finds the same directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    dir: PathBuf,
    name: String,
    path: PathBuf,
    file: String,
}

impl Place {
    pub(crate) fn new(dir: &Path, name: &str) -> Result<Self, NameError> {
        check(name)?;
        let file = format!("{PREFIX}{name}");
        // Fails only where the path is empty or the working directory is gone; opening it then tells.
        let dir = absolute(dir).unwrap_or_else(|_| dir.to_owned());
        Ok(Self { path: dir.join(&file), dir, name: name.to_owned(), file })
    }

    /// The place of a file of that name in a directory, if a segment can have it.
    pub(crate) fn of_file(dir: &Path, file: &str) -> Option<Self> {
        Self::new(dir, file.strip_prefix(PREFIX)?).ok()
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The whole path of the file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The file's name within its directory.
    pub(crate) fn file(&self) -> &Path {
        Path::new(&self.file)
    }
}

/// The directory of named segments where a program does not name one.
pub(crate) fn default_directory() -> PathBuf {
    match std::env::var_os(DIRECTORY_VARIABLE) {
        Some(dir) if !dir.is_empty() => dir.into(),
        _ => sys::DEFAULT_DIRECTORY.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for good in ["a", "heat", "A.b_c-9", "...", ".x", "-", &"n".repeat(200)] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        assert_eq!(check(""), Err(NameError::Empty));
        assert_eq!(check(&"n".repeat(201)), Err(NameError::TooLong { len: 201 }));
        for bad in ["/", "a/b", "a b", "a\0", "a\n", "é", "名", "a:b"] {
            assert!(matches!(check(bad), Err(NameError::Character { .. })), "{bad:?}");
        }
        for dots in [".", ".."] {
            assert!(matches!(check(dots), Err(NameError::Dots { .. })));
        }
    }

    #[test]
    fn place_is_one_component_below_an_absolute_directory() {
        let place = Place::new(Path::new("some/where"), "..x").unwrap();
        assert!(place.dir().is_absolute());
        assert_eq!(place.path().parent(), Some(place.dir()));
        assert_eq!(place.path().file_name().unwrap(), "ndshm...x");
    }
}
