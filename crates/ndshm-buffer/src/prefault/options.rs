use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;

/// How memory is got before it is used.
///
/// First touch is what big memory costs: page by page, and the kernel zeroes each. Done beforehand it is done once, by
/// several threads, and in **huge pages** (2 MiB), which takes a fraction of the time, spares each process that maps the
/// segment 511 of 512 page faults, and speeds up random access for good.
///
/// - [`none`](Self::none), what creation does unasked: pages are reserved, and each process faults on each once.
/// - [`pages`](Self::pages): the page tables of this process are filled, too.
/// - [`huge`](Self::huge): each 2 MiB as one huge page where that is the faster way, else as `pages`.
///
/// Huge pages take neither privilege nor a setting of the machine (Linux 6.1; older ones get small pages), in containers
/// as elsewhere. Where the kernel has to make room for them first, that can take longer than small pages do: it is
/// noticed within a few blocks, and tried again later, unless you [insist](Self::insist). Only segments of 2 MiB and more have them. A last block that is
/// at least half used becomes one, too, and then takes the whole of its 2 MiB, if there is room.
///
/// [`SharedBuffer::prefaulted`](crate::SharedBuffer::prefaulted) tells what creation got,
/// [`SharedBuffer::prefault`](crate::SharedBuffer::prefault) prefaults what another process made.
///
/// ```
/// use ndshm_buffer::{Prefault, SharedBuffer};
///
/// let options = SharedBuffer::options().prefault(Prefault::huge().threads(2));
/// let buffer = options.anonymous(16 << 20)?;
/// let got = buffer.prefaulted();
/// assert_eq!(got.huge + got.small, 16 << 20);
/// println!("{got}"); // 16777216 bytes in huge pages
/// # Ok::<(), ndshm_buffer::CreateError>(())
/// ```
#[derive(Clone, Default)]
pub struct Prefault {
    pub(super) kind: Kind,
    /// 0 stands for 1.
    pub(super) threads: usize,
    pub(super) insist: bool,
    pub(super) placement: Placement,
    pub(super) progress: Option<Progress>,
}

pub(super) type Progress = Arc<dyn Fn(u64, u64) + Send + Sync>;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Kind {
    #[default]
    None,
    Pages,
    Huge,
}

/// On which of the machine's memory nodes (NUMA) new pages are placed.
///
/// It is a preference: a node that is full lets others help out. Pages that are there already stay where they are.
/// [`Prefaulted::placed`](crate::Prefaulted::placed) tells whether there was anything to choose.
///
/// ```
/// use ndshm_buffer::{Placement, Prefault, SharedBuffer};
///
/// let spread = Prefault::huge().placement(Placement::Interleave);
/// let buffer = SharedBuffer::options().prefault(spread).anonymous(8 << 20)?;
/// println!("{:?}", buffer.prefaulted().placed); // OneNode, on most machines
/// # Ok::<(), ndshm_buffer::CreateError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Placement {
    /// Where the thread runs that touches a page first, or as the process was told (`numactl`).
    #[default]
    FirstTouch,
    /// 2 MiB from each node in turn: for what all processes use alike.
    Interleave,
    /// The segment in that many bands of one length, the first ones on the first node: for as many workers, of which
    /// each runs on its band's node.
    Bands(usize),
}

impl Prefault {
    pub(crate) fn is_none(&self) -> bool {
        self.kind == Kind::None
    }

    /// Whether to reserve is all there is to do: nowhere in particular, and nobody wants to be told.
    pub(crate) fn is_plain(&self) -> bool {
        self.is_none() && self.placement == Placement::FirstTouch && self.progress.is_none()
    }

    /// Pages are reserved and not mapped: a first touch finds one, and a page fault later. This is the default.
    ///
    /// ```
    /// # use ndshm_buffer::{Prefault, SharedBuffer};
    /// let buffer = SharedBuffer::options().prefault(Prefault::none()).anonymous(4096)?;
    /// assert_eq!(buffer.prefaulted().reserved, 4096);
    /// # Ok::<(), ndshm_buffer::CreateError>(())
    /// ```
    pub fn none() -> Self {
        Self::default()
    }

    /// Every page is there and in this process's page tables, in the size that the machine gives unasked (4 KiB).
    ///
    /// ```
    /// # use ndshm_buffer::{Prefault, SharedBuffer};
    /// let buffer = SharedBuffer::options().prefault(Prefault::pages()).anonymous(4096)?;
    /// assert_eq!(buffer.prefaulted().small, 4096);
    /// # Ok::<(), ndshm_buffer::CreateError>(())
    /// ```
    pub fn pages() -> Self {
        Self { kind: Kind::Pages, ..Self::default() }
    }

    /// Huge pages where they are the faster way, and [`pages`](Self::pages) where not.
    ///
    /// ```
    /// # use ndshm_buffer::{Prefault, SharedBuffer};
    /// let buffer = SharedBuffer::options().prefault(Prefault::huge()).anonymous(4 << 20)?;
    /// assert_eq!(buffer.prefaulted().reserved, 0);
    /// # Ok::<(), ndshm_buffer::CreateError>(())
    /// ```
    pub fn huge() -> Self {
        Self { kind: Kind::Huge, ..Self::default() }
    }

    /// Tries for huge pages throughout, however long the kernel takes to make room for them: for memory that lives long,
    /// is read at random or opened by many. Where it has none, small ones do here as well.
    ///
    /// ```
    /// # use ndshm_buffer::{Prefault, SharedBuffer};
    /// let table = SharedBuffer::options().prefault(Prefault::huge().insist()).anonymous(8 << 20)?;
    /// println!("{}", table.prefaulted()); // 8388608 bytes in huge pages
    /// # Ok::<(), ndshm_buffer::CreateError>(())
    /// ```
    #[must_use]
    pub fn insist(mut self) -> Self {
        self.insist = true;
        self
    }

    /// How many threads share the work, the calling one among them; 1 without this. Where the system gives fewer, fewer
    /// do it. Reserving alone ([`none`](Self::none)) is always done by one: the kernel lets no two at a file.
    ///
    /// ```
    /// # use ndshm_buffer::{Prefault, SharedBuffer};
    /// SharedBuffer::options().prefault(Prefault::pages().threads(4)).anonymous(64 << 20)?;
    /// # Ok::<(), ndshm_buffer::CreateError>(())
    /// ```
    #[must_use]
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = threads;
        self
    }

    /// From which memory nodes new pages are taken.
    ///
    /// ```
    /// # use ndshm_buffer::{Placement, Prefault, SharedBuffer};
    /// let by_worker = Prefault::huge().placement(Placement::Bands(4)).threads(2);
    /// SharedBuffer::options().prefault(by_worker).anonymous(8 << 20)?;
    /// # Ok::<(), ndshm_buffer::CreateError>(())
    /// ```
    #[must_use]
    pub fn placement(mut self, placement: Placement) -> Self {
        self.placement = placement;
        self
    }

    /// Has `report` called with the bytes done and the bytes to be done, about every 16 MiB, and at the end with both
    /// alike. The threads that do the work call it, one at a time, and wait meanwhile.
    ///
    /// Where it panics, so does what was asked to prefault; a segment in the making is gone then.
    ///
    /// ```
    /// # use ndshm_buffer::{Prefault, SharedBuffer};
    /// let talkative = Prefault::pages().progress(|done, total| eprint!("\r{done} of {total}"));
    /// SharedBuffer::options().prefault(talkative).anonymous(32 << 20)?;
    /// # Ok::<(), ndshm_buffer::CreateError>(())
    /// ```
    #[must_use]
    pub fn progress(mut self, report: impl Fn(u64, u64) + Send + Sync + 'static) -> Self {
        self.progress = Some(Arc::new(report));
        self
    }
}

// A panic that passes through here leaves nothing of this crate's half changed; what becomes of the callback's own state is
// for whoever wrote it. Options that hold one are to stay as easy to use as without.
impl UnwindSafe for Prefault {}
impl RefUnwindSafe for Prefault {}

impl fmt::Debug for Prefault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prefault")
            .field("kind", &self.kind)
            .field("threads", &self.threads.max(1))
            .field("insist", &self.insist)
            .field("placement", &self.placement)
            .field("progress", &self.progress.is_some())
            .finish()
    }
}
