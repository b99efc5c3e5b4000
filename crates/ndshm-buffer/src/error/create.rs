use std::fmt;
use std::io;
use std::path::PathBuf;

use super::Unsupported;
use crate::name::NameError;

/// Why a segment was not created. Nothing of it is left behind.
///
/// ```
/// use ndshm_buffer::{CreateError, SharedBuffer};
///
/// let refused = SharedBuffer::anonymous(1 << 50).unwrap_err();
/// assert!(matches!(refused, CreateError::NoSpace { asked, free, .. } if asked == 1 << 50 && free < asked));
/// println!("{refused}"); // an anonymous segment: 1125899906842624 bytes asked for, ... free in memory and swap; ...
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CreateError {
    /// No segment can have this name.
    #[error(transparent)]
    BadName(#[from] NameError),
    /// A length of 0 was asked for, and nothing can be mapped of nothing.
    #[error("{segment}: a length of 0 bytes was asked for; ask for at least 1")]
    Empty {
        /// The path, or "an anonymous segment".
        segment: String,
    },
    /// No file or no pointer reaches so far.
    #[error("{segment}: {asked} bytes is more than a process can address; ask for less")]
    TooLarge {
        /// The path, or "an anonymous segment".
        segment: String,
        /// The length asked for.
        asked: u64,
    },
    /// The segment was to grow up to less than its first length.
    #[error(
        "{segment}: a capacity of {capacity} bytes was asked for with a length of {len}; ask for a greater capacity"
    )]
    Capacity {
        /// The path, or "an anonymous segment".
        segment: String,
        /// The length asked for.
        len: usize,
        /// The capacity asked for.
        capacity: usize,
    },
    /// A mode was asked for that no segment can have.
    #[error(
        "{segment}: mode {mode:o} was asked for; use bits for reading and writing alone (at most 666), its owner's among them"
    )]
    Mode {
        /// The path, or "an anonymous segment".
        segment: String,
        /// The mode asked for.
        mode: u32,
    },
    /// The process may not make a file of this length.
    #[error(
        "{segment}: {asked} bytes asked for, but the file size limit of this process is {limit}; \
         raise it (`ulimit -f`) or ask for less"
    )]
    FileSizeLimit {
        /// The path, or "an anonymous segment".
        segment: String,
        /// The length asked for.
        asked: u64,
        /// `RLIMIT_FSIZE`, in bytes.
        limit: u64,
    },
    /// There is not so much free.
    #[error("{segment}: {asked} bytes asked for, {free} bytes free in {shortage}")]
    NoSpace {
        /// The path, or "an anonymous segment".
        segment: String,
        /// The length asked for.
        asked: u64,
        /// How much there is.
        free: u64,
        /// Where, and thereby what to do.
        shortage: Shortage,
        /// What the kernel answered; `None` where it was not even asked.
        source: Option<io::Error>,
    },
    /// The process, or the machine, has as many files open as it may; a segment takes one, and its making two.
    #[error(
        "{segment}: {source}; raise the limit of this process ({}; `ulimit -n`), or drop what it does not need, \
         a buffer or a connection", limit.map_or("none".to_owned(), |limit| limit.to_string())
    )]
    TooManyFiles {
        /// The path, or "an anonymous segment".
        segment: String,
        /// `RLIMIT_NOFILE`; `None` where there is none, and the machine is at its own.
        limit: Option<u64>,
        /// What the kernel answered.
        source: io::Error,
    },
    /// The name leads to something already.
    #[error(
        "{}: the name is taken; open the segment, choose another name, or remove it \
         (`BufferOptions::remove`, or `rm` once nobody needs it)", path.display()
    )]
    NameTaken {
        /// The name.
        name: String,
        /// The file.
        path: PathBuf,
    },
    /// The directory of named segments cannot be used.
    #[error(
        "{}: cannot hold named segments: {source}; name a directory that exists and that you may write to \
         (`BufferOptions::dir` or NDSHM_DIR)", dir.display()
    )]
    Directory {
        /// The directory.
        dir: PathBuf,
        /// What the kernel answered.
        source: io::Error,
    },
    /// The filesystem has no unnamed files, so nothing could be published whole.
    #[error(
        "{}: its filesystem has no unnamed files (O_TMPFILE): {source}; \
         use a directory on tmpfs, ext4, XFS or Btrfs (`BufferOptions::dir` or NDSHM_DIR)", dir.display()
    )]
    NoUnnamedFiles {
        /// The directory.
        dir: PathBuf,
        /// What the kernel answered.
        source: io::Error,
    },
    /// Read-only was asked for, and a segment nobody can write to would stay zero for ever.
    #[error("{segment}: a segment is created for writing; open it read-only by its name or handle")]
    ReadOnly {
        /// The path, or "an anonymous segment".
        segment: String,
    },
    /// The operating system refused a step for another reason.
    #[error("{segment}: cannot {step}: {source}")]
    System {
        /// The path, or "an anonymous segment".
        segment: String,
        /// The step.
        step: &'static str,
        /// What the kernel answered.
        source: io::Error,
    },
    /// The backend that was asked cannot do this.
    #[error(transparent)]
    Unsupported(#[from] Unsupported),
}

/// What there is too little of.
///
/// ```
/// use ndshm_buffer::Shortage;
///
/// assert!(Shortage::Memory.to_string().starts_with("memory and swap"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Shortage {
    /// The filesystem of this directory is full.
    Directory(PathBuf),
    /// The memory that the system shares by os_id, for segments of the portable backend.
    SharedMemory,
    /// The filesystem of this directory has room for bytes, and for no further file.
    Files(PathBuf),
    /// The machine has no such amount of memory and swap to give.
    Memory,
    /// The control group of this process, or one above, allows no more memory; this file has the limit.
    ControlGroup(PathBuf),
    /// The process may not map so much (`RLIMIT_AS`).
    AddressSpace {
        /// How many bytes of address space it may have in all.
        limit: u64,
    },
}

impl fmt::Display for Shortage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory(dir) => write!(
                f,
                "{}; ask for less, remove what is not needed there, enlarge that filesystem \
                 (`mount -o remount,size=..`, or `--shm-size` of a container), or use another directory (NDSHM_DIR)",
                dir.display()
            ),
            Self::SharedMemory => f.write_str(
                "the system's shared memory; ask for less, remove what is not needed there, or enlarge it \
                 (of Linux: /dev/shm, `mount -o remount,size=..`, or `--shm-size` of a container)",
            ),
            Self::Files(dir) => write!(
                f,
                "{}, which can hold no further file; remove what is not needed there, raise the number \
                 (`mount -o remount,nr_inodes=..`), or use another directory (NDSHM_DIR)",
                dir.display()
            ),
            Self::Memory => f.write_str("memory and swap; ask for less, or end what holds memory"),
            Self::ControlGroup(limit) => write!(
                f,
                "the control group of this process; ask for less, or raise {} (`--memory` of a container, \
                 `MemoryMax` of a unit)",
                limit.display()
            ),
            Self::AddressSpace { limit } => write!(
                f,
                "the address space of this process, of which it may have {limit} in all; ask for less, \
                 or raise the limit (`ulimit -v`)"
            ),
        }
    }
}
