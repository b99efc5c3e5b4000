//! Who lives: one file a slot, locked for as long as its member does.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

/// The files of a region's members, by name. They are empty, and are never removed: a lock on a file
/// without a name would be one that nobody finds.
#[derive(Debug)]
pub(super) struct Files {
    directory: PathBuf,
    /// A number of the region's own, so that regions may share a directory.
    region: u64,
}

/// `directory`, in words that stay right when this process changes its own.
pub(super) fn directory(directory: &Path) -> io::Result<PathBuf> {
    let whole = fs::canonicalize(directory)?;
    if fs::metadata(&whole)?.is_dir() {
        Ok(whole)
    } else {
        Err(io::ErrorKind::NotADirectory.into())
    }
}

impl Files {
    pub(super) fn new(directory: PathBuf, region: u64) -> Self {
        Self { directory, region }
    }

    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    fn path(&self, slot: u16) -> PathBuf {
        self.directory.join(format!("ndshm-{:016x}-{slot}", self.region))
    }

    /// Whether there is a file of that slot.
    pub(super) fn has(&self, slot: u16) -> io::Result<bool> {
        match open(&self.path(slot)) {
            Ok(_) => Ok(true),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(e) => Err(e),
        }
    }

    /// The file of `slot`, locked exclusively; `None` where another has it. It is made where nobody has
    /// ever had the slot. Never waits.
    ///
    /// One that was removed is not made again: who had the slot may live, and hold the lock of a file
    /// that has no name any more.
    pub(super) fn try_lock(&self, slot: u16, fresh: bool) -> io::Result<Option<File>> {
        let path = self.path(slot);
        let file = match open(&path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound && !fresh => return Ok(None),
            Err(e) if e.kind() == io::ErrorKind::NotFound => match create(&path) {
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => open(&path),
                made => made,
            },
            opened => opened,
        }?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(e)) => Err(e),
        }
    }

    /// Whether the file of `slot` is locked, by another than this seat.
    ///
    /// Asked by a shared lock: two that asked by an exclusive one at the same time would each take the
    /// other for alive. Of an open file of its own: on one that is locked the answer would be "free".
    pub(super) fn is_held(&self, slot: u16) -> io::Result<bool> {
        let file = open(&self.path(slot))?;
        match file.try_lock_shared() {
            // Unlocked, not only closed: a child that is forked in this moment has the file too.
            Ok(()) => file.unlock().map(|()| false),
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(e)) => Err(e),
        }
    }
}

/// Opens a file that exists; a symbolic link or anything else that is no file is an error.
fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    follow_no_link(&mut options);
    let file = options.open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::ErrorKind::InvalidInput.into()) }
}

/// Makes a file that does not exist yet, not even as a symbolic link, for this user alone.
fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[cfg(unix)]
fn follow_no_link(options: &mut OpenOptions) {
    // Not to wait for the other end, either, where somebody has laid a pipe there.
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
    std::os::unix::fs::OpenOptionsExt::custom_flags(options, flags);
}

#[cfg(windows)]
fn follow_no_link(options: &mut OpenOptions) {
    const FILE_FLAG_OPEN_REPARSE_POINT: u32 = 0x0020_0000;
    std::os::windows::fs::OpenOptionsExt::custom_flags(options, FILE_FLAG_OPEN_REPARSE_POINT);
}

#[cfg(not(any(unix, windows)))]
fn follow_no_link(_: &mut OpenOptions) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_locked_file_is_held_and_two_that_ask_do_not_disturb_each_other() {
        let scratch = ndshm_testkit::scratch();
        let files = Files::new(directory(scratch.path()).expect("it exists"), 7);
        assert!(!files.has(3).expect("can be asked"));
        assert!(files.try_lock(3, false).expect("no error").is_none(), "a file that was removed");
        let own = files.try_lock(3, true).expect("can be made").expect("nobody has it");
        assert!(files.has(3).expect("can be asked"));
        assert!(files.is_held(3).expect("can be asked"));
        assert!(files.try_lock(3, true).expect("no error").is_none(), "two have it");
        drop(own);
        // Another that asks at this moment.
        let other = open(&files.path(3)).expect("it is there");
        other.try_lock_shared().expect("nobody has it");
        assert!(!files.is_held(3).expect("can be asked"), "who asks is taken for the member");
        drop(other);
        files.try_lock(3, false).expect("no error").expect("free again");
    }

    #[cfg(unix)]
    #[test]
    fn files_are_the_users_own_and_no_link_is_followed() {
        use std::os::unix::fs::{PermissionsExt, symlink};

        let scratch = ndshm_testkit::scratch();
        let files = Files::new(directory(scratch.path()).expect("it exists"), 7);
        let own = files.try_lock(0, true).expect("can be made").expect("nobody has it");
        let mode = own.metadata().expect("can be asked").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);

        let aim = scratch.path().join("aim");
        for there in [false, true] {
            if there {
                fs::write(&aim, b"").expect("can be written");
            }
            let _ = fs::remove_file(files.path(1));
            symlink(&aim, files.path(1)).expect("can be linked");
            files.try_lock(1, true).expect_err("a link was followed");
            files.is_held(1).expect_err("a link was followed");
            assert_eq!(aim.exists(), there);
        }
        fs::create_dir(files.path(2)).expect("can be made");
        files.try_lock(2, true).expect_err("a directory is no file");
    }
}
