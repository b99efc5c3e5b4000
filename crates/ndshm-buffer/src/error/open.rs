use std::io;
use std::path::{Path, PathBuf};

use super::{Shortage, Unsupported};
use crate::id::SegmentId;
use crate::name::NameError;

/// Why a segment was not opened.
///
/// ```
/// use ndshm_buffer::{OpenError, SharedBuffer};
///
/// let missing = SharedBuffer::options().open("nobody-made-this").unwrap_err();
/// assert!(matches!(missing, OpenError::NotFound { .. }));
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// This process has it mapped with another length than it has now.
    #[error(
        "{path}: was resized by another program, from {mapped} bytes to {len}, under this process, which has it mapped; \
         drop what it has of it, and create the segment anew", path = path.display()
    )]
    Resized {
        /// The file.
        path: PathBuf,
        /// How many bytes are mapped.
        mapped: usize,
        /// How many the file has.
        len: usize,
    },
    /// It ends in a format (of what can grow, or is portable) that this version of the crate does not know.
    #[error(
        "{}: is a segment of format version {found}, and this program knows version {known}; \
         open it with the version of ndshm-buffer that made it", path.display()
    )]
    Version {
        /// The file.
        path: PathBuf,
        /// The version it has.
        found: u32,
        /// The version that is known.
        known: u32,
    },
    /// What it says at its end cannot be.
    #[error("{}: is damaged: {what}; remove it and create the segment anew", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: &'static str,
    },
    /// A descriptor came of a segment without a name, which somebody could still truncate.
    #[error("{}: an anonymous segment whose length is not sealed; have it made by this crate", path.display())]
    Unsealed {
        /// The descriptor.
        path: PathBuf,
    },
    /// It holds more than bytes: locks, typed values, which safe code must not touch.
    #[error(
        "{segment}: belongs to a layer above raw buffers (an array, a lock); open it with the crate that made it"
    )]
    Typed {
        /// The path, or "an anonymous segment".
        segment: String,
    },
    /// No segment can have this name.
    #[error(transparent)]
    BadName(#[from] NameError),
    /// The name leads to nothing.
    #[error(
        "{}: no such segment; create it first (`BufferOptions::create`), or {}", path.display(), look_around(path, dir)
    )]
    NotFound {
        /// The file, or the os_id, that was looked for.
        path: PathBuf,
        /// The directory it was looked for in. Of an os_id: where Linux has those.
        dir: PathBuf,
    },
    /// The kernel does not let this process have the segment in this way.
    #[error(
        "{}: {source}; its mode does not let this user: ask its owner, or open it read-only where reading is allowed", path.display()
    )]
    PermissionDenied {
        /// The file.
        path: PathBuf,
        /// What the kernel answered.
        source: io::Error,
    },
    /// The name leads to a symbolic link, which is never followed.
    #[error("{}: is a symbolic link, which is never followed; remove it or open another name", path.display())]
    Symlink {
        /// The link.
        path: PathBuf,
    },
    /// The name leads to something that is not a regular file.
    #[error("{}: is {kind}, not a shared segment; remove it or open another name", path.display())]
    NotRegular {
        /// The file.
        path: PathBuf,
        /// What it is, with its article.
        kind: &'static str,
    },
    /// The segment belongs to another user.
    #[error(
        "{}: belongs to user {owner}, not to user {user}; \
         where you trust that user, say so with `BufferOptions::foreign_owner(true)`", path.display()
    )]
    ForeignOwner {
        /// The file.
        path: PathBuf,
        /// The user id it belongs to.
        owner: u32,
        /// The effective user id of this process.
        user: u32,
    },
    /// The file has further names, through which others may hold it.
    #[error("{}: has {links} hard links, a segment has one; remove the others", path.display())]
    HardLinks {
        /// The file.
        path: PathBuf,
        /// How many names it has.
        links: u64,
    },
    /// The file has no bytes.
    #[error("{}: is an empty file, not a shared segment; remove it and create the segment anew", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// The file is longer than a process can address.
    #[error("{}: {len} bytes is more than a process can address", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its length.
        len: u64,
    },
    /// The directory of named segments cannot be used.
    #[error(
        "{}: cannot look for named segments: {source}; name a directory that exists \
         (`BufferOptions::dir` or NDSHM_DIR)", dir.display()
    )]
    Directory {
        /// The directory.
        dir: PathBuf,
        /// What the kernel answered.
        source: io::Error,
    },
    /// The process that held an anonymous segment has ended or let go of it.
    #[error(
        "{}: the holder of the anonymous segment has ended or let go of it: {source}; \
         keep its buffer until the handle was opened", path.display()
    )]
    Gone {
        /// The descriptor that the handle named.
        path: PathBuf,
        /// What the kernel answered.
        source: io::Error,
    },
    /// The handle leads to another segment than the one it was made from.
    #[error(
        "{}: is another segment ({found}, {found_len} bytes) than the handle was made from \
         ({expected}, {expected_len} bytes); get a new handle from its holder", path.display()
    )]
    Replaced {
        /// Where the handle leads.
        path: PathBuf,
        /// The segment that the handle was made from.
        expected: SegmentId,
        /// Its length.
        expected_len: u64,
        /// The segment that was found.
        found: SegmentId,
        /// Its length.
        found_len: u64,
    },
    /// The name led to a new segment at every look.
    #[error("{}: was removed and created again at every look; try again", path.display())]
    Unstable {
        /// The file.
        path: PathBuf,
    },
    /// Its creator has not made it whole yet, or never will: it was killed. Of the portable backend, where others see that.
    #[error(
        "{}: is not made whole yet, or was left so by a creator that was killed; try again, \
         or remove it (`BufferOptions::remove`) and create it anew", path.display()
    )]
    Unfinished {
        /// The os_id.
        path: PathBuf,
    },
    /// It was made without reserving what it has, and there is not so much free. Of the portable backend.
    #[error(
        "{}: {asked} bytes of it were never reserved by who made it, {free} bytes free in {shortage}", path.display()
    )]
    NoSpace {
        /// The os_id.
        path: PathBuf,
        /// How many bytes were to be reserved.
        asked: u64,
        /// How much there is.
        free: u64,
        /// Where, and thereby what to do.
        shortage: Shortage,
        /// What the kernel answered; `None` where it was not even asked.
        source: Option<io::Error>,
    },
    /// The process may not map so much (`RLIMIT_AS`).
    #[error(
        "{}: its {len} bytes are to be mapped, {free} bytes are free in the address space of this process, of which it \
         may have {limit} in all; raise the limit (`ulimit -v`)", path.display()
    )]
    AddressSpace {
        /// The file.
        path: PathBuf,
        /// Its length.
        len: u64,
        /// What is left.
        free: u64,
        /// How many bytes of address space the process may have in all.
        limit: u64,
    },
    /// The process, or the machine, has as many files open as it may; a segment takes one, and opening it two.
    #[error(
        "{}: {source}; raise the limit of this process ({}; `ulimit -n`), or drop what it does not need, \
         a buffer or a connection", path.display(), limit.map_or("none".to_owned(), |limit| limit.to_string())
    )]
    TooManyFiles {
        /// The file.
        path: PathBuf,
        /// `RLIMIT_NOFILE`; `None` where there is none, and the machine is at its own.
        limit: Option<u64>,
        /// What the kernel answered.
        source: io::Error,
    },
    /// The operating system refused a step for another reason.
    #[error("{}: cannot {step}: {source}", path.display())]
    System {
        /// The file.
        path: PathBuf,
        /// The step.
        step: &'static str,
        /// What the kernel answered.
        source: io::Error,
    },
    /// The backend that was asked cannot do this.
    #[error(transparent)]
    Unsupported(#[from] Unsupported),
}

/// What to do where there is no such segment.
pub(super) fn look_around(path: &Path, dir: &Path) -> String {
    if path.starts_with(dir) {
        return format!("see what there is with `ls {}/ndshm.*`", dir.display());
    }
    "see whether its creator used the same backend, and lives".to_owned()
}
