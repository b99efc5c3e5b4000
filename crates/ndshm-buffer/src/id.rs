use std::fmt;

use crate::sys::FileFacts;

/// Which segment it is, on this machine and for as long as the segment exists.
///
/// Two buffers with the same id are the same bytes. When a segment is gone, the kernel may give its id to a new one.
///
/// ```
/// use ndshm_buffer::SharedBuffer;
///
/// let a = SharedBuffer::anonymous(64)?;
/// let b = SharedBuffer::anonymous(64)?;
/// assert_eq!(a.id(), a.clone().id());
/// assert_ne!(a.id(), b.id());
/// # Ok::<(), ndshm_buffer::CreateError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct SegmentId {
    dev: u64,
    ino: u64,
}

impl SegmentId {
    pub(crate) fn new(dev: u64, ino: u64) -> Self {
        Self { dev, ino }
    }

    pub(crate) fn of(facts: &FileFacts) -> Self {
        Self { dev: facts.dev, ino: facts.ino }
    }

    /// The device number of its filesystem. Of the portable backend, where the system may have none: a number made of the
    /// os_id, with the highest bit set.
    ///
    /// ```
    /// # let buffer = ndshm_buffer::SharedBuffer::anonymous(64)?;
    /// println!("{}", buffer.id().dev());
    /// # Ok::<(), ndshm_buffer::CreateError>(())
    /// ```
    pub fn dev(&self) -> u64 {
        self.dev
    }

    /// Its inode number within that filesystem. Of the portable backend: the random number that stands at its end, or the
    /// inode number of what another program made.
    ///
    /// ```
    /// # let buffer = ndshm_buffer::SharedBuffer::anonymous(64)?;
    /// assert_ne!(buffer.id().ino(), 0);
    /// # Ok::<(), ndshm_buffer::CreateError>(())
    /// ```
    pub fn ino(&self) -> u64 {
        self.ino
    }
}

impl fmt::Display for SegmentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "device {} inode {}", self.dev, self.ino)
    }
}
