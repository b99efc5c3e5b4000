use std::path::Path;
use std::time::SystemTime;

use crate::growth::Trailer;
use crate::id::SegmentId;
use crate::name::Place;
use crate::sys::{self, FileFacts};
use crate::typed::{FROM_END, TYPED_MAGIC};

/// What can be known of a named segment without opening it: a picture of the moment at which it was asked for.
///
/// Made by [`BufferOptions::list`](crate::BufferOptions::list), [`info`](crate::BufferOptions::info) and
/// [`gc`](crate::BufferOptions::gc).
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let dir = dir.path();
/// let options = ndshm_buffer::SharedBuffer::options().dir(dir);
/// let _frames = options.create("frames", 4096)?;
/// for segment in options.list()? {
///     let state = if segment.is_orphan() { "orphan" } else { "in use" };
///     println!("{}: {} bytes, {state}", segment.name(), segment.len());
/// }
/// # assert_eq!(options.list()?.len(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct SegmentInfo {
    place: Place,
    facts: FileFacts,
    /// `None` where this user may not read the segment.
    contents: Option<Contents>,
}

/// What only who opens the file can know.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Contents {
    in_use: bool,
    typed: bool,
    growth: Option<Trailer>,
}

impl Contents {
    /// From the PRESENCE byte and the end of the file.
    pub(crate) fn of(in_use: bool, end: Option<[u8; FROM_END]>, file_len: u64) -> Self {
        let typed = end.is_some_and(|end| end.starts_with(&TYPED_MAGIC));
        let growth = end.and_then(|end| Trailer::parse(&end, file_len).ok()?);
        Self { in_use, typed, growth }
    }
}

impl SegmentInfo {
    pub(crate) fn new(place: Place, facts: FileFacts, contents: Option<Contents>) -> Self {
        Self { place, facts, contents }
    }

    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    pub(crate) fn facts(&self) -> &FileFacts {
        &self.facts
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.place.name()
    }

    /// Its file.
    pub fn path(&self) -> &Path {
        self.place.path()
    }

    /// Which segment it is: one that takes the name later has another.
    pub fn id(&self) -> SegmentId {
        SegmentId::of(&self.facts)
    }

    /// How many bytes it has.
    #[allow(clippy::len_without_is_empty, reason = "a segment is never empty")]
    pub fn len(&self) -> u64 {
        self.growth().map_or(self.facts.len, |growth| growth.len)
    }

    /// How many bytes it can have: as many as it has, unless it was created to
    /// [grow](crate::BufferOptions::capacity).
    pub fn capacity(&self) -> u64 {
        self.growth().map_or(self.facts.len, |growth| growth.capacity)
    }

    fn growth(&self) -> Option<Trailer> {
        self.contents?.growth
    }

    /// How many bytes of memory are set aside for it.
    pub fn reserved(&self) -> u64 {
        self.facts.reserved
    }

    /// The user it belongs to.
    pub fn owner(&self) -> u32 {
        self.facts.owner
    }

    /// The group it belongs to.
    pub fn group(&self) -> u32 {
        self.facts.group
    }

    /// Who may read and write it: permission bits, as in 0600.
    pub fn mode(&self) -> u32 {
        self.facts.mode
    }

    /// When its file was written last by a system call, which the making of a segment does: stores to mapped memory
    /// leave no trace. So it tells the segment's age.
    pub fn modified(&self) -> SystemTime {
        self.facts.modified
    }

    /// False where this user may not look into it: then [`is_in_use`](Self::is_in_use) is the careful answer, and
    /// [`is_typed`](Self::is_typed) false.
    pub fn is_examined(&self) -> bool {
        self.contents.is_some()
    }

    /// False only where the kernel said that no process has it mapped (it drops the mark of who dies); true also where
    /// it could not be asked.
    pub fn is_in_use(&self) -> bool {
        self.contents.is_none_or(|contents| contents.in_use)
    }

    /// True where its name is to outlive its creator.
    pub fn is_persisted(&self) -> bool {
        self.facts.sticky
    }

    /// True where nobody has it, and nobody said that it should stay: what [`gc`](crate::BufferOptions::gc) removes.
    pub fn is_orphan(&self) -> bool {
        !self.is_in_use() && !self.is_persisted()
    }

    /// True where it holds more than bytes ([`TYPED_MAGIC`](crate::TYPED_MAGIC)).
    pub fn is_typed(&self) -> bool {
        self.contents.is_some_and(|contents| contents.typed)
    }

    /// The processes that have it mapped now, by process id: those whose mappings this user may see, which is its own
    /// processes, and all for root; none where there is no /proc.
    ///
    /// Reads the list of mappings of every process of the machine: milliseconds to tenths of a second.
    ///
    /// ```
    /// # let name = format!("doc-attached-{}", std::process::id());
    /// let options = ndshm_buffer::SharedBuffer::options();
    /// let _mine = options.create(&name, 64)?;
    /// let attached = options.info(&name)?.attached();
    /// assert_eq!((attached[0].pid, attached[0].writable), (std::process::id(), true));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn attached(&self) -> Vec<Attached> {
        Self::attached_to([self]).pop().unwrap_or_default()
    }

    /// For each of these segments the processes that have it mapped now: [`attached`](Self::attached) of many, at the
    /// cost of one.
    ///
    /// ```
    /// # use ndshm_buffer::SegmentInfo;
    /// # let dir = tempfile::tempdir()?;
    /// let options = ndshm_buffer::SharedBuffer::options().dir(dir.path());
    /// let _mine = options.create("mine", 64)?;
    /// drop(options.clone().persist(true).create("nobodys", 64)?);
    /// let attached = SegmentInfo::attached_to(&options.list()?);
    /// assert_eq!(attached.iter().map(Vec::len).collect::<Vec<_>>(), [1, 0]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn attached_to<'a>(segments: impl IntoIterator<Item = &'a Self>) -> Vec<Vec<Attached>> {
        let files: Vec<_> = segments.into_iter().map(|s| (s.facts.dev, s.facts.ino)).collect();
        let attached = |mappers: Vec<sys::Mapper>| {
            let processes = mappers.into_iter();
            processes
                .map(|sys::Mapper { pid, command, writable }| Attached { pid, command, writable })
                .collect()
        };
        sys::mappers(&files).into_iter().map(attached).collect()
    }
}

/// A process that has a segment mapped.
///
/// ```
/// # let name = format!("doc-attached-process-{}", std::process::id());
/// let options = ndshm_buffer::SharedBuffer::options();
/// let _mine = options.create(&name, 64)?;
/// for process in options.info(&name)?.attached() {
///     println!("{} ({})", process.command, process.pid);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Attached {
    /// Its process id, in this process's PID namespace.
    pub pid: u32,
    /// The name of its program, at most 15 bytes of it.
    pub command: String,
    /// Whether it may write.
    pub writable: bool,
}
