//! What named segments there are, and the removal of those that nobody has any more.

use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, absolute};

use crate::error::{ListError, OpenError};
use crate::id::SegmentId;
use crate::info::{Contents, SegmentInfo};
use crate::lifecycle::{self, Victim, look};
use crate::name::Place;
use crate::open;
use crate::sys::{self, FileFacts, FileKind, PRESENCE};

/// All segments of a directory, by name.
pub(crate) fn list(dir: &Path) -> Result<Vec<SegmentInfo>, ListError> {
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
            && let Ok(Some(facts)) = look(opened.as_fd(), &place)
            && facts.kind == FileKind::Regular
        {
            found.extend(examine(opened.as_fd(), place, facts));
        }
    }
    found.sort_unstable_by(|a, b| a.name().cmp(b.name()));
    Ok(found)
}

/// The segment that has this name.
pub(crate) fn info(place: Place) -> Result<SegmentInfo, OpenError> {
    let failed = |error| open::hold_error(error, &place);
    let dir = sys::open_directory(place.dir())
        .map_err(|source| failed(lifecycle::HoldError::Directory(source)))?;
    let not_found = || failed(lifecycle::HoldError::NotFound);
    let facts = look(dir.as_fd(), &place).map_err(failed)?.ok_or_else(not_found)?;
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
pub(crate) fn collect(dir: &Path, foreign_owner: bool) -> Result<Vec<SegmentInfo>, ListError> {
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
