//! Taking hold of the file that a name leads to, so that it still does.
//!
//! There is no removal by inode: between a look at a name and the removal of that name, another process may have
//! removed the segment and created a new one. So whoever removes a name holds the LIFECYCLE byte of the *inode*
//! exclusively while it looks at the name again and removes it, and whoever attaches holds it shared while it looks
//! again. Every hold goes through a description of its own: locks of one description never exclude each other.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use crate::error::{PersistError, RemoveError};
use crate::id::SegmentId;
use crate::name::Place;
use crate::sys::{self, Bytes, FileFacts, FileKind, LIFECYCLE, Lock, PRESENCE};

/// How often a name may turn out to lead elsewhere before the caller is told.
const LOOKS: usize = 10_000;

/// What is to be done with a file, and thereby what it must be like.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Purpose {
    /// Open for writing too.
    pub(crate) writable: bool,
    /// What is locked, LIFECYCLE at least: shared by those who attach, exclusively to keep out everyone else.
    pub(crate) bytes: Bytes,
    pub(crate) lock: Lock,
    /// Wait for whoever keeps this one out; else that is [`HoldError::Busy`].
    pub(crate) patient: bool,
    /// Accept a file of another user.
    pub(crate) foreign_owner: bool,
}

/// A file that a name leads to for as long as this value holds its LIFECYCLE byte.
#[derive(Debug)]
pub(crate) struct Held {
    /// `None` once it was released.
    fd: Option<OwnedFd>,
    bytes: Bytes,
    pub(crate) facts: FileFacts,
}

/// Why no file could be held.
#[derive(Debug)]
pub(crate) enum HoldError {
    Directory(io::Error),
    NotFound,
    Unfit(Unfit),
    Unstable,
    /// Somebody attaches to it, or removes it.
    Busy,
    System {
        step: &'static str,
        source: io::Error,
    },
}

/// Why a file is not one to take hold of.
#[derive(Debug)]
pub(crate) enum Unfit {
    Symlink,
    NotRegular(&'static str),
    ForeignOwner { owner: u32, user: u32 },
}

impl Purpose {
    /// Refuses what is no file, or belongs to another user.
    pub(crate) fn vet(&self, facts: &FileFacts) -> Result<(), Unfit> {
        regular(facts)?;
        let user = sys::effective_user();
        if facts.owner != user && !self.foreign_owner {
            return Err(Unfit::ForeignOwner { owner: facts.owner, user });
        }
        Ok(())
    }
}

/// Refuses what is no file.
pub(crate) fn regular(facts: &FileFacts) -> Result<(), Unfit> {
    match facts.kind {
        FileKind::Regular => Ok(()),
        FileKind::Symlink => Err(Unfit::Symlink),
        FileKind::Other(kind) => Err(Unfit::NotRegular(kind)),
    }
}

/// Opens what the place's name leads to and locks it, with the name leading to it still.
pub(crate) fn hold(place: &Place, purpose: Purpose) -> Result<Held, HoldError> {
    hold_in(sys::working_directory(), place.path(), purpose).map_err(|error| {
        // The directory is opened only to name the reason: each call takes the whole path.
        match sys::open_directory(place.dir()) {
            Err(source) => HoldError::Directory(source),
            Ok(_) => error,
        }
    })
}

/// As [`hold`], of a name in a directory that is open.
fn hold_in(dir: BorrowedFd<'_>, file: &Path, purpose: Purpose) -> Result<Held, HoldError> {
    let os = |step| move |source| HoldError::System { step, source };
    for _ in 0..LOOKS {
        let fd = match sys::open_name(dir, file, purpose.writable) {
            Ok(fd) => fd,
            Err(source) => {
                // What it is may be the reason. (The name is looked at only now: opening a FIFO that somebody put there
                // lets a writer of it go on, once.)
                let found = look(dir, file)?.ok_or(HoldError::NotFound)?;
                purpose.vet(&found).map_err(HoldError::Unfit)?;
                if source.kind() == io::ErrorKind::NotFound {
                    continue;
                }
                return Err(HoldError::System { step: "open it", source });
            }
        };
        let facts = sys::facts_of(fd.as_fd()).map_err(os("examine it"))?;
        purpose.vet(&facts).map_err(HoldError::Unfit)?;
        if purpose.patient {
            sys::lock(fd.as_fd(), purpose.bytes, purpose.lock).map_err(os("lock it"))?;
        } else if !sys::try_lock(fd.as_fd(), purpose.bytes, purpose.lock).map_err(os("lock it"))? {
            return Err(HoldError::Busy);
        }
        let mut held = Held { fd: Some(fd), bytes: purpose.bytes, facts };
        let now = look(dir, file)?.ok_or(HoldError::NotFound)?;
        if SegmentId::of(&now) == SegmentId::of(&facts) {
            // The count before may be of a moment when this name was gone and a second one stood alone. The count now
            // may be of one whose second name is going: the kernel counts before it removes. Hardly ever both.
            held.facts = FileFacts { links: facts.links.max(now.links), ..now };
            return Ok(held);
        }
    }
    Err(HoldError::Unstable)
}

/// What a name leads to in a directory; `None` where there is no such name.
pub(crate) fn look(dir: BorrowedFd<'_>, file: &Path) -> Result<Option<FileFacts>, HoldError> {
    match sys::facts_of_name(dir, file) {
        Ok(facts) => Ok(Some(facts)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(HoldError::System { step: "look it up", source }),
    }
}

impl Held {
    /// Lets others take hold; the description goes on to be mapped.
    pub(crate) fn release(mut self) -> io::Result<OwnedFd> {
        sys::unlock(self.file(), LIFECYCLE)?;
        Ok(self.fd.take().expect(WHOLE))
    }

    fn file(&self) -> BorrowedFd<'_> {
        self.fd.as_ref().expect(WHOLE).as_fd()
    }
}

const WHOLE: &str = "there until it is released, which consumes it";

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(fd) = &self.fd {
            // Closing would do, but for a child forked meanwhile, which has the description as well.
            let _ = sys::unlock(fd.as_fd(), self.bytes);
        }
    }
}

/// Takes hold of what a name leads to, and has that directory at hand for removing it.
struct Removal {
    dir: OwnedFd,
    held: Held,
}

impl Removal {
    fn begin(place: &Place, foreign_owner: bool, patient: bool) -> Result<Self, HoldError> {
        // Exclusive locks need a description open for writing, which the owner of a segment can have.
        let (bytes, lock) = (LIFECYCLE, Lock::Exclusive);
        let purpose = Purpose { writable: true, bytes, lock, patient, foreign_owner };
        let dir = sys::open_directory(place.dir()).map_err(HoldError::Directory)?;
        let held = hold_in(dir.as_fd(), place.file(), purpose)?;
        Ok(Self { dir, held })
    }

    /// Removes the name, which leads to the file still.
    fn complete(self, place: &Place) -> Result<(), RemoveError> {
        let removed = sys::remove_name(self.dir.as_fd(), place.file());
        removed.map_err(|source| {
            remove_error(HoldError::System { step: "remove the name", source }, place)
        })
    }
}

/// Which of the segments that may be found under a name is to lose it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Victim {
    /// This one.
    Only(SegmentId),
    /// This one, unless it was marked to outlive its creator.
    Unkept(SegmentId),
    /// This one, if it was not marked so and nobody has it: nobody is waited for to find out.
    Orphan(SegmentId),
}

/// Removes the name from whichever segment has it.
pub(crate) fn remove_any(place: &Place, foreign_owner: bool) -> Result<(), RemoveError> {
    let removal = Removal::begin(place, foreign_owner, true);
    removal.map_err(|error| remove_error(error, place))?.complete(place)
}

/// Removes the name from one segment; false where it leads elsewhere, or is to be kept.
pub(crate) fn remove_only(place: &Place, victim: Victim) -> Result<bool, RemoveError> {
    // The id says which segment it is, whoever owns it; the kernel says whether this user may.
    let patient = !matches!(victim, Victim::Orphan(_));
    let removal = match Removal::begin(place, true, patient) {
        Ok(removal) => removal,
        // What is there now is not the segment: it was a regular file. Or it is being attached to.
        Err(HoldError::NotFound | HoldError::Unfit(_) | HoldError::Busy) => return Ok(false),
        Err(error) => return Err(remove_error(error, place)),
    };
    let held = &removal.held;
    let found = SegmentId::of(&held.facts);
    let wanted = match victim {
        Victim::Only(id) => found == id,
        Victim::Unkept(id) => found == id && !held.facts.sticky,
        // Asked while no one can attach. Whoever creates is marked as present before the name appears.
        Victim::Orphan(id) => {
            let in_use = || sys::is_locked(held.file(), PRESENCE).unwrap_or(true);
            found == id && !held.facts.sticky && !in_use()
        }
    };
    if wanted {
        removal.complete(place)?;
    }
    Ok(wanted)
}

/// Marks a segment so that its name outlives its creator; removers wait meanwhile.
pub(crate) fn persist(place: &Place, id: SegmentId) -> Result<(), PersistError> {
    let (bytes, lock) = (LIFECYCLE, Lock::Shared);
    let purpose = Purpose { writable: false, bytes, lock, patient: true, foreign_owner: true };
    let path = || place.path().to_owned();
    let os = |source| PersistError::System { path: path(), source };
    match hold(place, purpose) {
        Ok(held) if SegmentId::of(&held.facts) == id => {
            sys::mark_persistent(held.file()).map_err(os)
        }
        Ok(_) | Err(HoldError::NotFound | HoldError::Unfit(_)) => {
            Err(PersistError::Removed { path: path() })
        }
        Err(HoldError::Directory(source) | HoldError::System { source, .. }) => Err(os(source)),
        Err(HoldError::Unstable | HoldError::Busy) => Err(PersistError::Removed { path: path() }),
    }
}

fn remove_error(error: HoldError, place: &Place) -> RemoveError {
    let path: PathBuf = place.path().to_owned();
    match error {
        HoldError::Directory(source) => {
            RemoveError::Directory { dir: place.dir().to_owned(), source }
        }
        HoldError::NotFound => RemoveError::NotFound { path, dir: place.dir().to_owned() },
        HoldError::Unstable | HoldError::Busy => RemoveError::Unstable { path },
        HoldError::System { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
            RemoveError::PermissionDenied { path, source }
        }
        HoldError::System { step, source } => RemoveError::System { path, step, source },
        HoldError::Unfit(unfit) => match unfit {
            Unfit::Symlink => RemoveError::NotRegular { path, kind: "a symbolic link" },
            Unfit::NotRegular(kind) => RemoveError::NotRegular { path, kind },
            Unfit::ForeignOwner { owner, user } => RemoveError::ForeignOwner { path, owner, user },
        },
    }
}
