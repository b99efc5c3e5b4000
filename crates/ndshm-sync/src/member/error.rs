//! Why a process could not join.

use std::io;
use std::path::PathBuf;

use super::options::BackendKind;

/// Why a process could not join a region.
///
/// ```
/// # use std::os::fd::AsFd;
/// use ndshm_sync::{JoinError, Members, Region};
///
/// # let (base, file) = ndshm_testkit::map_memfd(4096);
/// // SAFETY: fresh memory, mapped as long as the process lives, used for nothing else.
/// let page = unsafe { Region::new(base, 4096, file.as_fd()) };
/// assert!(matches!(Members::join(page), Err(JoinError::Region { len: 4096, need: 16384, .. })));
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JoinError {
    /// The region is shorter than the table, or its address is not a multiple of 64.
    #[error(
        "cannot join the region: it has {len} bytes at {base:#x}; the table of members needs {need}, \
         at an address that is a multiple of 64"
    )]
    Region {
        /// Address of the region.
        base: usize,
        /// Length of the region in bytes.
        len: usize,
        /// Length of the table in bytes.
        need: usize,
    },
    /// The region does not begin with a table of this version.
    #[error(
        "cannot join the region: its table of members says version {found:#x}, this build knows \
         {known:#x}; use the same version of ndshm-sync in all programs, or fresh zeroed memory"
    )]
    Version {
        /// What the table says.
        found: u64,
        /// What this build writes.
        known: u64,
    },
    /// Those who joined before did so by another backend.
    #[error(
        "cannot join the region: its members join by the {made} backend, and this call asks for the \
         {asked} one; all members of a region use the same"
    )]
    Backend {
        /// What the region was made with.
        made: BackendKind,
        /// What was asked for.
        asked: BackendKind,
    },
    /// This build has no such backend.
    #[error("cannot join the region: this build has no {asked} backend; {}", remedy(*asked))]
    NotCompiled {
        /// What was asked for.
        asked: BackendKind,
    },
    /// The region was made without a file, and the native backend locks bytes of it.
    #[error(
        "cannot join the region: it was made without a file, on which the native backend has its \
         locks; make it by Region::new, or join by the portable backend"
    )]
    NoFile,
    /// The members' files cannot be made or locked there.
    #[error(
        "cannot join the region: the members' files cannot be had in {} ({source}); name a directory \
         that exists, on a local file system, where this process may make files", directory.display()
    )]
    Directory {
        /// The directory that was named.
        directory: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Those who joined before have their files in another directory, or these were removed.
    #[error(
        "cannot join the region: the files of those who joined before are not in {}; name the same \
         directory in all processes, and fresh zeroed memory where it was emptied", directory.display()
    )]
    OtherDirectory {
        /// The directory that was named.
        directory: PathBuf,
    },
    /// All slots are taken by living processes.
    #[error("cannot join the region: all {most} places are taken by living processes")]
    Full {
        /// How many slots there are.
        most: usize,
    },
    /// The file could not be opened a second time, through /proc/self/fd.
    #[error(
        "cannot join the region: its file cannot be opened once more through /proc/self/fd ({0}); \
         mount /proc, or say what the file is called (JoinOptions::name), and map it read-write"
    )]
    Reopen(#[source] io::Error),
    /// Nor could it be opened by the name that was given.
    #[error(
        "cannot join the region: its file cannot be opened once more, neither through \
         /proc/self/fd nor as {} ({source})", name.display()
    )]
    Name {
        /// The name that was given.
        name: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another system call failed.
    #[error("cannot join the region: {0}")]
    System(#[source] io::Error),
}

/// How to come by it.
const fn remedy(asked: BackendKind) -> &'static str {
    match asked {
        BackendKind::Native => "it is for Linux only: join by the portable one",
        BackendKind::Portable => "enable the cargo feature `portable` of ndshm-sync",
    }
}
