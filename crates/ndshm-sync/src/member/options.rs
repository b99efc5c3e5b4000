//! How to join: by which backend, and under which rank.

use std::fmt;
use std::path::{Path, PathBuf};

use super::{JoinError, Members};
use crate::region::Region;

/// How the members of a region know each other alive, and how they sleep. All members of a region use
/// the same one; the region records which.
///
/// See [Backends](crate#backends) for what each can do and where it was run.
///
/// ```
/// use ndshm_sync::Backend;
///
/// assert_eq!(Backend::default(), Backend::Native);
/// assert_eq!(Backend::portable("/var/lib/heat").kind().to_string(), "portable");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Backend {
    /// Locks on bytes of the region's file, futexes. Linux only.
    #[default]
    Native,
    /// Locks on one file a member, events of `raw_sync`. With the cargo feature `portable`.
    Portable {
        /// Where those files are: a directory on a local file system that exists, that all
        /// members name, and from which nobody removes anything while the region is in use.
        directory: PathBuf,
    },
}

impl Backend {
    /// [`Portable`](Self::Portable), with that directory.
    ///
    /// ```
    /// use ndshm_sync::{Backend, BackendKind};
    ///
    /// assert_eq!(Backend::portable("/var/lib/heat").kind(), BackendKind::Portable);
    /// ```
    #[must_use]
    pub fn portable(directory: impl AsRef<Path>) -> Self {
        Self::Portable { directory: directory.as_ref().to_owned() }
    }

    /// Which of the two it is.
    ///
    /// ```
    /// assert_eq!(ndshm_sync::Backend::Native.kind(), ndshm_sync::BackendKind::Native);
    /// ```
    #[must_use]
    pub const fn kind(&self) -> BackendKind {
        match self {
            Self::Native => BackendKind::Native,
            Self::Portable { .. } => BackendKind::Portable,
        }
    }
}

/// The name of a [`Backend`], in errors and in the region.
///
/// ```
/// assert_eq!(ndshm_sync::BackendKind::Native.to_string(), "native");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BackendKind {
    /// See [`Backend::Native`].
    Native,
    /// See [`Backend::Portable`].
    Portable,
}

impl BackendKind {
    /// As the table of members has it.
    pub(super) const fn to_byte(self) -> u8 {
        match self {
            Self::Native => 0,
            Self::Portable => 1,
        }
    }

    pub(super) const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            0 => Some(Self::Native),
            1 => Some(Self::Portable),
            _ => None,
        }
    }
}

impl fmt::Display for BackendKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Native => "native",
            Self::Portable => "portable",
        })
    }
}

/// What [`Members::options`] returns: how to join.
///
/// ```
/// use ndshm_sync::{Backend, Members};
///
/// # let region = ndshm_testkit::members!().region();
/// let members = Members::options().backend(Backend::Native).rank(3).join(region)?;
/// assert_eq!(members.describe(members.me()).rank, Some(3));
/// # Ok::<(), ndshm_sync::JoinError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct JoinOptions {
    pub(super) backend: Backend,
    pub(super) rank: Option<u32>,
    pub(super) reopening: Reopening,
}

/// What the native backend may do where it cannot open the region's file once more through /proc.
#[derive(Clone, Debug, Default)]
pub(super) struct Reopening {
    /// Open it by that name.
    pub(super) name: Option<PathBuf>,
    /// Do without: lock its bytes for the process.
    ///
    /// # Invariants
    ///
    /// 1. Set only by [`JoinOptions::or_process_lock`], whose caller promises that this process
    ///    closes no descriptor of the file while any such membership lasts.
    pub(super) process_lock: bool,
}

impl JoinOptions {
    /// By that backend; [`Backend::Native`] where nothing is said.
    ///
    /// ```
    /// # #[cfg(feature = "portable")]
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use ndshm_sync::{Backend, JoinError, Members, Region};
    ///
    /// # let directory = ndshm_testkit::scratch();
    /// # let (base, _file) = ndshm_testkit::map_memfd(1 << 16);
    /// // `base`: 64 KiB of zeroed memory that several processes map; `directory`: theirs alone.
    /// // SAFETY: mapped as long as `members` lives, and used through this crate only.
    /// let region = unsafe { Region::without_file(base, 1 << 16) };
    /// let portable = Backend::portable(directory.path());
    /// let members = Members::options().backend(portable).join(region)?;
    /// *members.layout().mutex(0_u64)?.lock()? += 1;
    ///
    /// // The native backend locks bytes of the file behind a region, and this one names none.
    /// assert!(matches!(Members::join(region), Err(JoinError::NoFile)));
    /// # Ok(())
    /// # }
    /// # #[cfg(not(feature = "portable"))]
    /// # fn main() {}
    /// ```
    #[must_use]
    pub fn backend(mut self, backend: Backend) -> Self {
        self.backend = backend;
        self
    }

    /// With a rank that reports and errors will name.
    ///
    /// ```
    /// # use ndshm_sync::Members;
    /// # let region = ndshm_testkit::members!().region();
    /// let members = Members::options().rank(3).join(region)?;
    /// assert_eq!(members.describe(members.me()).rank, Some(3));
    /// # Ok::<(), ndshm_sync::JoinError>(())
    /// ```
    #[must_use]
    pub fn rank(mut self, rank: u32) -> Self {
        self.rank = Some(rank);
        self
    }

    /// By that name of the region's file, where /proc is not mounted: the native backend opens the
    /// file once more, to lock a byte of it. Has to lead to that very file, and be open to reading
    /// and writing. The portable backend has no use for it.
    ///
    /// ```
    /// # use std::os::fd::AsFd;
    /// use ndshm_sync::{Members, Region};
    ///
    /// let file = tempfile::NamedTempFile::new_in("/dev/shm")?;
    /// file.as_file().set_len(1 << 16)?;
    /// # let base = ndshm_testkit::map(file.as_file(), 1 << 16);
    /// // `base` is a mapping of the file.
    /// // SAFETY: fresh memory, mapped as long as `members` lives, and used for nothing else.
    /// let region = unsafe { Region::new(base, 1 << 16, file.as_fd()) };
    /// let members = Members::options().name(file.path()).join(region)?;
    /// # assert!(members.is_mine());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn name(mut self, name: impl AsRef<Path>) -> Self {
        self.reopening.name = Some(name.as_ref().to_owned());
        self
    }

    /// Where the file can be opened neither through /proc nor by its [name](Self::name) (an
    /// inherited memfd, in a container that hides /proc): locks the member's byte for this
    /// *process*, through the descriptor that the region was made with (`F_SETLK`). Has no effect
    /// where the file can be opened, and none on the portable backend.
    ///
    /// The kernel frees such a lock at death as it frees the usual one, and members of either kind
    /// see each other. But it also drops it when the process closes *any* descriptor of the file:
    /// all others then take the member for dead, and take over what it holds.
    ///
    /// While one membership of this kind lasts, whatever else joins the same file in this process
    /// locks in the same way. It is refused while one of the usual kind lasts, whose end would
    /// close a descriptor.
    ///
    /// # Safety
    ///
    /// From the join until the last such membership of the file in this process is dropped, no
    /// descriptor of the file is closed in this process: neither the one that the region was made
    /// with, nor a duplicate, nor one that was opened or received anew; not by other code either.
    /// (What a forked child closes does not matter, nor does `exec`, which ends the memberships.)
    ///
    /// ```
    /// use ndshm_sync::Members;
    ///
    /// # let region = ndshm_testkit::members!().region();
    /// // SAFETY: the descriptor of the region, the only one of this file, stays open till the end.
    /// let options = unsafe { Members::options().or_process_lock() };
    /// let members = options.join(region)?;
    /// # assert!(members.is_mine());
    /// # Ok::<(), ndshm_sync::JoinError>(())
    /// ```
    #[must_use]
    pub unsafe fn or_process_lock(mut self) -> Self {
        self.reopening.process_lock = true;
        self
    }

    /// Joins the region, as [`Members::join`] does.
    ///
    /// # Errors
    ///
    /// [`JoinError`], any of them.
    ///
    /// ```
    /// # use ndshm_sync::Members;
    /// # let region = ndshm_testkit::members!().region();
    /// let members = Members::options().join(region)?;
    /// assert!(members.is_alive(members.me()));
    /// # Ok::<(), ndshm_sync::JoinError>(())
    /// ```
    pub fn join<'a>(&self, region: Region<'a>) -> Result<Members<'a>, JoinError> {
        Members::join_with(region, self)
    }
}
