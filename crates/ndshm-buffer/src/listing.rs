//! What named segments there are, and the removal of those that nobody has any more.

use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, absolute};

use crate::backend::native;
use crate::error::{ListError, OpenError};
use crate::id::SegmentId;
use crate::info::{Contents, SegmentInfo};
use crate::lacking;
use crate::lifecycle::{self, Victim, look};
use crate::name::Place;
use crate::open;
use crate::options::BufferOptions;
use crate::sys::{self, FileFacts, FileKind, PRESENCE};

impl BufferOptions {
    /// All named segments of the directory, by name.
    ///
    /// What vanishes meanwhile is left out, and what this user may not open is listed with what is known
    /// ([`SegmentInfo::is_examined`]). Costs a few system calls for each; takes no lock, and waits for nobody.
    ///
    /// # Errors
    ///
    /// [`ListError`] where the directory cannot be read.
    ///
    /// ```
    /// # let dir = tempfile::tempdir()?;
    /// # let dir = dir.path();
    /// let options = ndshm_buffer::SharedBuffer::options().dir(dir);
    /// let _b = options.create("b", 64)?;
    /// let _a = options.create("a", 64)?;
    /// let names: Vec<_> = options.list()?.iter().map(|s| s.name().to_owned()).collect();
    /// assert_eq!(names, ["a", "b"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn list(&self) -> Result<Vec<SegmentInfo>, ListError> {
        native(self, "segments", &lacking::LIST)?;
        list(&self.directory())
    }

    /// What is known of the segment that has this name, without opening it as [`open`](Self::open) does.
    ///
    /// # Errors
    ///
    /// [`OpenError`]: there is no such segment, or what there is is not a file.
    ///
    /// ```
    /// # let name = format!("doc-info-{}", std::process::id());
    /// let options = ndshm_buffer::SharedBuffer::options();
    /// let buffer = options.create(&name, 64)?;
    /// let info = options.info(&name)?;
    /// assert_eq!((info.id(), info.len(), info.mode()), (buffer.id(), 64, 0o600));
    /// assert!(info.is_in_use() && !info.is_orphan());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn info(&self, name: &str) -> Result<SegmentInfo, OpenError> {
        native(self, name, &lacking::INFO)?;
        info(self.place(name)?)
    }

    /// Removes the names of all orphans of the directory, and gives what this call removed.
    ///
    /// An orphan is a segment of this user (of any, with [`foreign_owner`](Self::foreign_owner)) that no process has
    /// mapped and that was not [persisted](crate::SharedBuffer::persist): its creator was killed. Whoever creates, opens or
    /// persists a segment at the same time keeps it, and other collectors take no new one for an old one. Nobody is waited
    /// for: what is being attached to is left.
    ///
    /// # Errors
    ///
    /// [`ListError`] where the directory cannot be read. An orphan that this user may not remove stays.
    ///
    /// ```
    /// # let dir = tempfile::tempdir()?;
    /// # let dir = dir.path();
    /// let options = ndshm_buffer::SharedBuffer::options().dir(dir);
    /// let living = options.create("living", 64)?;
    /// std::fs::write(dir.join("ndshm.dead"), [0; 64])?; // as a killed creator leaves it
    /// let removed = options.gc()?;
    /// assert_eq!((removed.len(), removed[0].name()), (1, "dead"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn gc(&self) -> Result<Vec<SegmentInfo>, ListError> {
        native(self, "segments", &lacking::LIST)?;
        collect(&self.directory(), self.foreign_owner)
    }
}

/// All segments of a directory, by name.
fn list(dir: &Path) -> Result<Vec<SegmentInfo>, ListError> {
    // As `Place` has it; fails only for an empty path, which the directory then refuses.
    let dir = &absolute(dir).unwrap_or_else(|_| dir.to_owned());
    let failed = |source| ListError::Directory { dir: dir.clone(), source };
    let entries = fs::read_dir(dir).map_err(failed)?;
    let opened = sys::open_directory(dir).map_err(failed)?;
    let mut found = Vec::new();
    for entry in entries {
        let file = entry.map_err(failed)?.file_name();
        let place = file.to_str().and_then(|file| Place::of_file(dir, file));
        // What vanished meanwhile, and what is no file, is no segment.
        if let Some(place) = place
            && let Ok(Some(facts)) = look(opened.as_fd(), place.file())
            && facts.kind == FileKind::Regular
        {
            found.extend(examine(opened.as_fd(), place, facts));
        }
    }
    found.sort_unstable_by(|a, b| a.name().cmp(b.name()));
    Ok(found)
}

/// The segment that has this name.
fn info(place: Place) -> Result<SegmentInfo, OpenError> {
    let failed = |error| open::hold_error(error, &place);
    let dir = sys::open_directory(place.dir())
        .map_err(|source| failed(lifecycle::HoldError::Directory(source)))?;
    let not_found = || failed(lifecycle::HoldError::NotFound);
    let facts = look(dir.as_fd(), place.file()).map_err(failed)?.ok_or_else(not_found)?;
    lifecycle::regular(&facts).map_err(|unfit| failed(lifecycle::HoldError::Unfit(unfit)))?;
    let missing = not_found();
    examine(dir.as_fd(), place, facts).ok_or(missing)
}

/// Looks into a file that has just been looked at; `None` where the name is gone meanwhile.
fn examine(dir: BorrowedFd<'_>, place: Place, seen: FileFacts) -> Option<SegmentInfo> {
    // Opened for reading only, which has no effect on a regular file, and no lock is taken: nobody notices.
    let (facts, contents) = match sys::open_name(dir, place.file(), false) {
        Ok(fd) => {
            let facts = sys::facts_of(fd.as_fd()).ok()?;
            if facts.kind != FileKind::Regular || facts.links == 0 {
                return None;
            }
            (facts, look_into(&fd, &facts).ok())
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
        // Another user's: what the directory tells has to do.
        Err(_) => (seen, None),
    };
    Some(SegmentInfo::new(place, facts, contents))
}

fn look_into(fd: &OwnedFd, facts: &FileFacts) -> io::Result<Contents> {
    let in_use = sys::is_locked(fd.as_fd(), PRESENCE)?;
    let end = sys::read_end(fd.as_fd(), facts.len)?;
    Ok(Contents::of(in_use, end, facts.len))
}

/// Removes the names of the orphans of a directory; gives those that this call removed.
fn collect(dir: &Path, foreign_owner: bool) -> Result<Vec<SegmentInfo>, ListError> {
    let user = sys::effective_user();
    let mut found = list(dir)?;
    found.retain(|segment| {
        (segment.owner() == user || foreign_owner) && segment.is_orphan() && remove(segment)
    });
    Ok(found)
}

/// Removes a segment that was an orphan when it was listed, unless it is none any more.
fn remove(orphan: &SegmentInfo) -> bool {
    let victim = Victim::Orphan(SegmentId::of(orphan.facts()));
    // What this user may not remove stays, and stays listed.
    lifecycle::remove_only(orphan.place(), victim).unwrap_or(false)
}
