use std::fmt;

/// What prefaulting got, in bytes of the segment. The three add up to what was asked for.
///
/// ```
/// use ndshm_buffer::SharedBuffer;
///
/// let got = SharedBuffer::anonymous(10_000)?.prefaulted();
/// assert_eq!((got.huge, got.small, got.reserved), (0, 0, 10_000));
/// assert_eq!(got.to_string(), "10000 bytes reserved");
/// # Ok::<(), ndshm_buffer::CreateError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Prefaulted {
    /// In huge pages that this process's page tables have.
    pub huge: u64,
    /// In other pages that this process's page tables have.
    pub small: u64,
    /// Reserved only: there is memory for them, and a page fault at the first touch by each process.
    pub reserved: u64,
    /// What became of a wish for memory nodes.
    pub placed: Placed,
}

/// What became of a [`Placement`](crate::Placement).
///
/// ```
/// use ndshm_buffer::{Placed, SharedBuffer};
///
/// assert_eq!(SharedBuffer::anonymous(64)?.prefaulted().placed, Placed::AsTouched);
/// # Ok::<(), ndshm_buffer::CreateError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Placed {
    /// Nothing else was asked for.
    #[default]
    AsTouched,
    /// This process may have memory of one node only: there is nothing to choose.
    OneNode,
    /// New pages were taken from that many nodes.
    Nodes(usize),
    /// The kernel does not let this process choose (a filter of system calls), or does not name its nodes.
    Unsupported,
}

impl Prefaulted {
    pub(crate) fn reserved(len: usize) -> Self {
        Self { reserved: len as u64, ..Self::default() }
    }

    /// The same, with so much of what was taken for small pages counted as huge.
    pub(crate) fn of_which_huge(mut self, bytes: usize) -> Self {
        let huge = (bytes as u64).min(self.small);
        self.huge += huge;
        self.small -= huge;
        self
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.huge += other.huge;
        self.small += other.small;
        self.reserved += other.reserved;
        if other.placed == Placed::Unsupported {
            self.placed = Placed::Unsupported;
        }
    }
}

/// On one line: `16777216 bytes in huge pages, 1024 in small ones`.
impl fmt::Display for Prefaulted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            (self.huge, "in huge pages"),
            (self.small, "in small pages"),
            (self.reserved, "reserved"),
        ];
        let mut between = "";
        for (bytes, what) in parts.into_iter().filter(|(bytes, _)| *bytes > 0) {
            write!(f, "{between}{bytes} bytes {what}")?;
            between = ", ";
        }
        if between.is_empty() { f.write_str("0 bytes") } else { Ok(()) }
    }
}
